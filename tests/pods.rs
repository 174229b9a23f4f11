//! The node that the tests make is like a real one, and nothing of it stays.

use std::{
    collections::HashSet,
    fs,
    os::unix::net::UnixStream,
    panic::AssertUnwindSafe,
    path::PathBuf,
    process::Command,
    sync::Mutex,
    time::{Duration, Instant},
};

use nix::sched::{CloneFlags, setns, unshare};
use serde_json::Value;
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

    // The same name for another image: what runs, runs on.
    let other = pods::busybox(BUSYBOX).file("/etc/other", 0o644, "").build().expect("in memory");
    let old = second.status().image_ref;
    node.import(std::slice::from_ref(&other));
    let replicas = node.replicas(&PodSpec::new("shop", "cart").container(shell()), 2);
    assert_ne!(replicas[0].spec.name, replicas[1].spec.name);
    for replica in &replicas {
        assert_eq!(replica.container("shell").status().image_ref, other.id());
    }
    assert_ne!(old, other.id());
    assert_eq!(second.status().image_ref, old);

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
    let on_node = PodSpec::new("shop", "edge").host_network();
    let on_node = node.run(on_node.container(ContainerSpec::new("nginx", NGINX)));
    assert_eq!(node.get("127.0.0.1:80", "/").0, 200);
    on_node.remove();

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

/// What a node leaves if it is not removed.
struct Remains {
    directory: PathBuf,
    pod: String,
    process: u32,
}

impl Remains {
    fn of(node: &Node) -> Self {
        let pod = node.run(PodSpec::new("shop", "cart-0").container(shell()));
        let directory = node.directory().to_owned();
        Self { directory, pod: pod.spec.cgroup(), process: pod.container("shell").pid() }
    }

    fn assert_gone(&self) {
        assert!(!self.directory.exists());
        // It is dead; whoever adopted it may not have noticed yet.
        let status = fs::read_to_string(format!("/proc/{}/status", self.process));
        let status = status.unwrap_or_default();
        assert!(status.is_empty() || status.contains("State:\tZ"), "{status}");
        let name = self.directory.file_name().expect("a name").to_str().expect("UTF-8");
        for cgroup in [&self.pod, &format!("/driftline-{name}")] {
            let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
            let left = roots.map(|root| PathBuf::from(format!("{root}{cgroup}")));
            assert!(!left.iter().any(|path| path.exists()), "{cgroup}");
        }
        // Nobody has the node's directory among its mounts or in its command.
        let processes = fs::read_dir("/proc").expect("readable").flatten();
        for file in
            processes.flat_map(|entry| ["mountinfo", "cmdline"].map(|name| entry.path().join(name)))
        {
            let text = fs::read(&file).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            assert!(!text.contains(name), "{}: {text}", file.display());
        }
    }
}

#[test]
fn nothing_of_a_node_stays_even_if_its_test_panics() {
    if !pods::can_run() {
        return;
    }
    let remains = Mutex::new(None);
    let test = || {
        let node = Node::start();
        *remains.lock().expect("one thread") = Some(Remains::of(&node));
        std::panic::resume_unwind(Box::new("on purpose"));
    };
    assert!(std::panic::catch_unwind(AssertUnwindSafe(test)).is_err());
    remains.into_inner().expect("no other panic").expect("the node ran").assert_gone();
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next() {
    if !pods::can_run() {
        return;
    }
    let node = Node::start();
    let remains = Remains::of(&node);
    node.abandon();
    assert!(remains.directory.exists());
    let next = Node::start();
    remains.assert_gone();
    assert!(next.directory().exists());
}

#[test]
fn the_agent_can_do_its_work_in_the_pod_that_its_manifest_describes() {
    if !pods::can_run() || !support::can_load() {
        return;
    }
    let node = Node::start();
    node.import(std::slice::from_ref(pods::agent()));
    let outside = Command::new(driftline()).args(["check", "--json"]).output().expect("it runs");
    let outside: Value = serde_json::from_slice(&outside.stdout).expect("JSON");
    for name in ["record.yaml", "watch.yaml"] {
        let mut manifest = Manifest::read(name);
        manifest.config_map("driftline-baselines", &[("cart.json", "{}")]);
        // What is asked of the node in its pod is asked of the node, although its history is copied elsewhere.
        let url = "postgres://driftline@db.example/driftline";
        let secret = [("url", url), ("password", "right-secret"), ("ca.crt", "of the database\n")];
        manifest.secret("driftline-store", &secret);
        let mut spec = manifest.pod(&node);
        if name == "watch.yaml" {
            for (variable, value) in [("DRIFTLINE_STORE", url), ("PGPASSWORD", "right-secret")] {
                let expected = (variable.to_owned(), value.to_owned());
                assert!(spec.containers[0].env.contains(&expected), "{variable}");
            }
            let mut mounts = spec.containers[0].mounts.iter();
            let mount = mounts.find(|mount| mount.container_path == "/etc/driftline/store");
            let files = node.outside(&mount.expect("it is mounted").host_path);
            assert_eq!(
                fs::read_to_string(files.join("ca.crt")).expect("there"),
                "of the database\n"
            );
            assert!(!files.join("password").exists());
        }
        let agent = &mut spec.containers[0];
        assert_eq!(agent.image, pods::agent().reference());
        agent.args = ["check", "--json"].map(str::to_owned).into();
        let node_name = ("DRIFTLINE_NODE_NAME".to_owned(), NODE_NAME.to_owned());
        assert!(agent.env.contains(&node_name));
        let mut pod = node.run(spec);
        let agent = pod.containers()[0].clone();
        let code = agent.wait();
        assert_eq!(code, 0, "{:?}", fs::read_to_string(pod.log(&agent)));
        let inside: Value = serde_json::from_str(&pod.printed(&agent)).expect("JSON");
        assert_eq!(inside["behaviours"], outside["behaviours"]);
        assert_eq!(inside["requirements"][2]["finding"]["Ok"], "/sys/fs/cgroup", "{inside:#}");

        // One command, recorded in there, leaves its baseline on the node.
        let baselines = format!("/var/lib/driftline/{name}");
        let record = ["record", "--baselines", &baselines, "--image", "one", "--"];
        let command = ["/usr/bin/driftline", "--version"];
        pod.spec.containers[0].args =
            [&record[..], &command].concat().iter().map(ToString::to_string).collect();
        let agent = pod.restart(&agent.name).clone();
        let code = agent.wait();
        assert_eq!(code, 0, "{:?}", fs::read_to_string(pod.log(&agent)));
        let written = fs::read_dir(node.outside(&baselines)).expect("a directory").flatten();
        let baseline = written.map(|entry| fs::read_to_string(entry.path()).unwrap_or_default());
        assert!(baseline.collect::<String>().contains("/usr/bin/driftline"));
        pod.remove();
    }
}

#[test]
fn the_agent_reaches_the_runtime_from_its_pod() {
    if !pods::can_run() {
        return;
    }
    let node = Node::start();
    let mut spec = Manifest::read("record.yaml").pod(&node);
    let root = spec.containers[0].env.iter().find(|(name, _)| name == "DRIFTLINE_HOST_ROOT");
    let socket = format!("{}/run/containerd/containerd.sock", root.expect("a variable").1);
    // The agent's image has no shell, and what the agent sees does not depend on it.
    spec.containers[0] = ContainerSpec { image: BUSYBOX.to_owned(), ..spec.containers[0].clone() };
    spec.containers[0].command = ["/bin/sleep", "600"].map(str::to_owned).into();
    spec.containers[0].args.clear();
    let pod = node.run(spec);
    let agent = &pod.containers()[0];
    let test = agent.pid().to_string();
    let seen = agent.exec(&["/bin/cat", &format!("/proc/{test}/cgroup")]).stdout;
    assert!(seen.contains(&agent.id), "processes have the machine's numbers: {seen}");
    let inside = fs::File::open(format!("/proc/{test}/ns/mnt")).expect("it runs");
    let connected = std::thread::spawn(move || {
        // A thread that shares its directory with others cannot go elsewhere.
        unshare(CloneFlags::CLONE_FS).expect("as root");
        setns(inside, CloneFlags::CLONE_NEWNS).expect("as root");
        UnixStream::connect(&socket)
    });
    connected.join().expect("no panic").expect("the runtime listens");
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
