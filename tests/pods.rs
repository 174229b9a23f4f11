//! The node that the tests make is like a real one, and nothing of it stays.

use std::{
    collections::HashSet,
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use support::{
    driftline,
    pods::{self, BUSYBOX, ContainerSpec, Manifest, NGINX, NODE_NAME, Node, PodSpec, REDIS},
};

fn shell() -> ContainerSpec {
    ContainerSpec::new("shell", BUSYBOX).command(&["/bin/sleep", "600"])
}

#[test]
fn a_pod_is_where_a_kubelet_puts_it_and_lives_as_a_kubelet_lets_it() {
    if !pods::can_run() {
        return;
    }
    let node = Node::start();
    let spec = PodSpec::new("shop", "cart-0").container(shell()).service_account();
    let mut pod = node.run(spec);
    let first = pod.container("shell").clone();
    assert_eq!(first.cgroup(), format!("/kubepods/besteffort/pod{}/{}", pod.spec.uid, first.id));
    assert_eq!(first.exec(&["/bin/echo", "hello"]).stdout, "hello\n");
    assert_eq!(first.exec(&["/bin/sh", "-c", "exit 7"]).code, 7);

    let second = pod.restart("shell").clone();
    assert_eq!(second.attempt, 1);
    assert_ne!(second.id, first.id);
    assert_eq!(second.exec(&["/bin/hostname"]).stdout, "cart-0\n");

    let token = "/var/run/secrets/kubernetes.io/serviceaccount/token";
    let before = second.exec(&["/bin/cat", token]).stdout;
    let directory = pod.service_account().current();
    pod.service_account().files.insert("token".to_owned(), "renewed".to_owned());
    pod.service_account().swap();
    assert_ne!(second.exec(&["/bin/cat", token]).stdout, before);
    assert!(!directory.exists(), "a swap removes the old directory");

    let probe = second.probe(&["/bin/true"], Duration::from_millis(50));
    let end = Instant::now() + Duration::from_secs(20);
    while probe.good() < 3 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!((probe.good().min(3), probe.bad()), (3, 0));
    drop(probe);

    let crun = node.run(PodSpec::new("shop", "cart-1").runtime("crun").container(shell()));
    assert_eq!(crun.container("shell").exec(&["/bin/true"]).code, 0);
    crun.remove();
}

#[test]
fn pods_serve_each_other_and_outlive_a_restart_of_the_runtime() {
    if !pods::can_run() {
        return;
    }
    let mut node = Node::start();
    let web = node.run(PodSpec::new("shop", "web").container(ContainerSpec::new("nginx", NGINX)));
    let redis =
        node.run(PodSpec::new("shop", "cache").container(ContainerSpec::new("redis", REDIS)));
    assert_eq!(node.get(&format!("{}:80", web.ip()), "/"), (200, "hello\n".to_owned()));
    let pod = node.run(PodSpec::new("shop", "client").container(shell()));
    let url = format!("http://{}/", web.ip());
    assert_eq!(pod.container("shell").exec(&["/bin/wget", "-qO-", &url]).stdout, "hello\n");
    drop(node.connect(&format!("{}:6379", redis.ip())));
    let redis = redis.container("redis");
    assert_eq!(redis.exec(&["/usr/bin/redis-cli", "PING"]).stdout, "PONG\n");

    let nginx = web.container("nginx");
    let (pid, address) = (nginx.pid(), format!("{}:80", web.ip()));
    node.stop_runtime();
    assert_eq!(node.get(&address, "/").0, 200);
    node.start_runtime();
    assert_eq!(nginx.pid(), pid);
    assert_eq!(nginx.exec(&["/usr/sbin/nginx", "-v"]).code, 0);
}

#[test]
fn what_churned_is_known_exactly() {
    if !pods::can_run() {
        return;
    }
    let node = Node::start();
    let ended = node.churn(12);
    let ids: HashSet<_> = ended.iter().map(|container| &container.id).collect();
    assert_eq!((ended.len(), ids.len()), (12, 12));
    let pods: HashSet<_> = ended.iter().map(|ended| (&ended.namespace, &ended.pod)).collect();
    assert_eq!(pods.len(), 4);
}

#[test]
fn nothing_of_a_node_stays_even_if_its_test_panics() {
    if !pods::can_run() {
        return;
    }
    let seen = std::sync::Mutex::new(None);
    let panicked = std::thread::scope(|scope| {
        let test = scope.spawn(|| {
            let node = Node::start();
            let pod = node.run(PodSpec::new("shop", "cart-0").container(shell()));
            let remains =
                (node.directory().to_owned(), pod.spec.cgroup(), pod.container("shell").pid());
            *seen.lock().expect("one thread") = Some(remains);
            std::panic::resume_unwind(Box::new("on purpose"));
        });
        test.join().is_err()
    });
    assert!(panicked);
    let (directory, cgroup, pid) = seen.into_inner().expect("no other panic").expect("it ran");
    assert!(!directory.exists());
    // It is dead; whoever adopted it may not have noticed yet.
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    assert!(status.is_empty() || status.contains("State:\tZ"), "{status}");
    let name = directory.file_name().expect("a name").to_str().expect("UTF-8").to_owned();
    let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
    for left in [cgroup, format!("/driftline-{name}")] {
        assert!(!roots.iter().any(|root| Path::new(&format!("{root}{left}")).exists()), "{left}");
    }
    // No process is left that has the node's directory among its mounts or in its command.
    let processes = fs::read_dir("/proc").expect("readable").flatten().map(|entry| entry.path());
    for process in processes.filter(|process| process.join("mountinfo").exists()) {
        for file in ["mountinfo", "cmdline"] {
            let text = fs::read(process.join(file)).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            assert!(!text.contains(&name), "{}: {text}", process.display());
        }
    }
}

#[test]
fn the_agent_can_do_its_work_in_the_pod_that_its_manifest_describes() {
    if !pods::can_run() || !support::can_load() {
        return;
    }
    let node = Node::start();
    node.import(std::slice::from_ref(pods::agent()));
    for name in ["record.yaml", "watch.yaml"] {
        let mut manifest = Manifest::read(name);
        manifest.config_map("driftline-baselines", &[("cart.json", "{}")]);
        let mut spec = manifest.pod(&node);
        let agent = &mut spec.containers[0];
        assert_eq!(agent.image, pods::agent().reference());
        agent.args = ["check", "--json"].map(str::to_owned).into();
        let node_name = ("DRIFTLINE_NODE_NAME".to_owned(), NODE_NAME.to_owned());
        assert!(agent.env.contains(&node_name));
        let pod = node.run(spec);
        let agent = &pod.containers()[0];
        let code = agent.wait();
        let said = fs::read_to_string(pod.log(agent)).expect("the runtime writes logs");
        assert_eq!(code, 0, "{said}");
        let outside = Command::new(driftline()).args(["check", "--json"]).output().expect("runs");
        eprintln!("{said}\n{}", String::from_utf8_lossy(&outside.stdout));
        pod.remove();
    }
}

#[test]
fn prometheus_and_alertmanager_run_on_the_node() {
    if !pods::can_run() {
        return;
    }
    let node = Node::start();
    let alertmanager = node.alertmanager(&[(
        "alertmanager.yml",
        "route: { receiver: none }\nreceivers: [{ name: none }]\n",
    )]);
    let alert = r#"[{"labels":{"alertname":"Test"}}]"#;
    assert_eq!(node.post(alertmanager.address, "/api/v2/alerts", alert).0, 200);
    let (_, alerts) = node.get(alertmanager.address, "/api/v2/alerts");
    assert!(alerts.contains("\"alertname\":\"Test\""), "{alerts}");

    let config = "global: { scrape_interval: 1s }\nscrape_configs:\n\
                  - { job_name: am, static_configs: [{ targets: ['127.0.0.1:9093'] }] }\n";
    let prometheus = node.prometheus(&[("prometheus.yml", config)]);
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let (_, up) = node.get(prometheus.address, "/api/v1/query?query=up");
        if up.contains("\"1\"]") {
            return;
        }
        assert!(Instant::now() < end, "{up}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
