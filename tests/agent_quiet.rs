//! On a node, what was recorded is quiet: probes, renewed tokens, sidecars, containers that were there before.

use std::{fs, path::PathBuf, thread, time::Duration};

use profiler_user::store::Capture;
use serde_json::Value;
use support::{
    agent::{self, Agent, EVENTS},
    pods::{ContainerSpec, Node, Pod, PodSpec, REDIS},
    shop::{Shop, busybox, can_run, events_of, is_exec, record_shop, role, until, wait_for_event},
};

/// What a probe never ran is told as such, with the pod that it was run in.
fn what_is_run_from_outside_is_told(node: &Node, shop: &Shop) {
    let cases: [(&Pod, &str, &[&str]); 4] = [
        (&shop.cache, "redis", &["/usr/bin/redis-cli", "FLUSHALL"]),
        (&shop.job, "reader", &["/bin/sh", "-c", "id"]),
        (&shop.job, "reader", &["/bin/cat", "/etc/passwd"]),
        (&shop.web, "nginx", &["/usr/sbin/nginx", "-V"]),
    ];
    for (pod, container, command) in cases {
        assert_eq!(pod.container(container).exec(command).code, 0, "{command:?}");
        let event = wait_for_event(node, pod, &format!("{command:?}"), |event| {
            event["drift.kind"] == "exec.injected"
                && event["process.command_args"] == Value::from(command.to_vec())
        });
        let expected = [
            ("k8s.pod.name", pod.spec.name.as_str()),
            ("k8s.namespace.name", "shop"),
            ("k8s.container.name", container),
            ("k8s.node.name", "node-1"),
            ("k8s.cluster.name", "lab"),
            ("container.id", pod.container(container).id.as_str()),
            ("container.runtime.name", "containerd"),
            ("baseline.status", "exact"),
            ("event.action", "created"),
        ];
        for (key, value) in expected {
            assert_eq!(event[key], value, "{key} of {event:#}");
        }
    }
}

#[test]
fn probes_and_renewed_tokens_are_quiet_and_other_commands_from_outside_are_told() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    record_shop(&node, "runc", 2);

    let watcher = Agent::start(&node, "watch", &EVENTS);
    let mut shop = Shop::open(&node, "runc");
    for renewal in 0..10 {
        for pod in [&mut shop.web, &mut shop.cache, &mut shop.job] {
            let volume = pod.service_account();
            volume.files.insert("token".to_owned(), format!("header.payload.{renewal}"));
            volume.swap();
        }
        // The workload reads five times a second, the probes come every second.
        thread::sleep(Duration::from_millis(1200));
    }
    shop.probed(3);
    let pods = [&shop.web, &shop.cache, &shop.job];
    let ids: Vec<_> = pods.iter().map(|pod| pod.containers()[0].id.clone()).collect();
    assert_eq!(events_of(&node, &pods), Vec::<Value>::new());

    what_is_run_from_outside_is_told(&node, &shop);
    let volume = shop.job.service_account();
    volume.files.insert("token".to_owned(), "header.payload.misbehave".to_owned());
    volume.swap();
    wait_for_event(&node, &shop.job, "exec of the workload", |event| {
        is_exec(event, "exec", "/bin/hostname")
    });
    let events = events_of(&node, &[&shop.job]);
    assert!(
        !events.iter().any(|event| is_exec(event, "exec.injected", "/bin/hostname")),
        "{events:#?}"
    );
    shop.close();
    watcher.stop();

    let history = agent::history(&node);
    for id in ids {
        let row = history.containers.iter().find(|row| row.identity.id.as_str() == id);
        let row = row.expect("it is in the ledger");
        assert_eq!(row.capture, Capture::FromStart);
        assert_eq!(row.baseline_status.as_deref(), Some("exact"));
        assert!(row.lost.is_empty(), "{row:#?}");
        assert_eq!(row.identity.exit_code, Some(137), "{row:#?}");
    }
}

#[test]
fn crun_is_as_quiet_as_runc() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    record_shop(&node, "crun", 1);

    let watcher = Agent::start(&node, "watch", &EVENTS);
    let mut shop = Shop::open(&node, "crun");
    shop.job.service_account().swap();
    shop.probed(4);
    let events = events_of(&node, &[&shop.web, &shop.cache, &shop.job]);
    assert_eq!(events, Vec::<Value>::new());
    what_is_run_from_outside_is_told(&node, &shop);
    // The runtime that starts a container is no part of what the container does.
    let runc = Shop::open(&node, "runc");
    runc.probed(3);
    let events = events_of(&node, &[&runc.web, &runc.cache, &runc.job]);
    assert_eq!(events, Vec::<Value>::new());
    runc.close();
    shop.close();
    watcher.stop();
}

#[test]
fn the_containers_of_a_pod_are_told_apart_by_their_names() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let init = busybox("init", "/bin/hostname > /tmp/name");
    let app =
        busybox("app", "while :; do /bin/cat /etc/hosts > /dev/null; /bin/usleep 100000; done");
    let sidecar = busybox("sidecar", "while :; do /bin/ls /tmp; /bin/usleep 100000; done");
    let debugger = ContainerSpec::new("debugger-x", REDIS);
    let start = |app: &ContainerSpec| {
        let pod = node.run(PodSpec::new("shop", "web"));
        let first = pod.start(&init, 0);
        assert_eq!(first.wait(), 0);
        let rest = [app, &sidecar].map(|container| pod.start(container, 0));
        (pod, first, rest)
    };

    let recorder = Agent::start(&node, "record", &[]);
    let (pod, ..) = start(&app);
    let executables = |role_wanted: &str| {
        let baselines = agent::baselines(&node);
        let baseline = baselines.iter().find(|baseline| role(baseline) == role_wanted)?;
        let executables = baseline["executables"].as_object().expect("a map");
        Some(executables.keys().cloned().collect::<Vec<_>>())
    };
    until(Duration::from_secs(20), "app and sidecar are recorded", || {
        let ran = |role: &str, path: &str| {
            executables(role).is_some_and(|all| all.iter().any(|known| known == path))
        };
        ran("app", "/bin/usleep") && ran("sidecar", "/bin/usleep")
    });
    pod.remove();
    recorder.stop();
    assert_eq!(executables("init").unwrap(), ["/bin/hostname", "/bin/sh"]);
    assert_eq!(executables("app").unwrap(), ["/bin/cat", "/bin/sh", "/bin/usleep"]);
    assert_eq!(executables("sidecar").unwrap(), ["/bin/ls", "/bin/sh", "/bin/usleep"]);
    assert_eq!(agent::baselines(&node).len(), 3);

    let watcher = Agent::start(&node, "watch", &EVENTS);
    let (good, ..) = start(&app);
    // What is right in a sidecar is drift elsewhere.
    let (bad, first, [taken_over, _]) =
        start(&ContainerSpec { name: "app".into(), ..sidecar.clone() });
    let event =
        wait_for_event(&node, &bad, "ls in the app", |event| is_exec(event, "exec", "/bin/ls"));
    assert_eq!(event["k8s.container.name"], "app");
    assert_eq!(event["container.id"], taken_over.id.as_str());
    assert_eq!(event["baseline.status"], "exact");

    let stranger = bad.start(&debugger, 0);
    let event = wait_for_event(&node, &bad, "image.unprofiled", |event| {
        event["drift.kind"] == "image.unprofiled"
    });
    assert_eq!(event["k8s.container.name"], "debugger-x");
    assert_eq!(event["container.id"], stranger.id.as_str());
    assert_eq!(
        (&event["drift.object"], &event["baseline.status"]),
        (&REDIS.into(), &"none".into())
    );
    // Another role of a known image is judged by what is known of the image.
    let known = bad.start(&busybox("debugger-y", "/bin/wc /etc/group; exec sleep 1000"), 0);
    let event = wait_for_event(&node, &bad, "wc in the debugger", |event| {
        is_exec(event, "exec", "/bin/wc")
    });
    assert_eq!(event["k8s.container.name"], "debugger-y");
    assert_eq!(event["container.id"], known.id.as_str());
    assert_eq!(event["baseline.status"], "provisional");

    let events = events_of(&node, &[&bad]);
    let silent = |event: &&Value| {
        event["container.id"] == first.id.as_str() || event["k8s.container.name"] == "sidecar"
    };
    assert_eq!(events.iter().find(silent), None);
    assert_eq!(events_of(&node, &[&good]), Vec::<Value>::new());
    good.remove();
    bad.remove();
    watcher.stop();
    let history = agent::history(&node);
    let row = history.containers.iter().find(|row| row.identity.id.as_str() == first.id);
    let row = row.expect("it is in the ledger");
    assert_eq!((row.identity.exit_code, row.identity.name.as_deref()), (Some(0), Some("init")));
}

#[test]
fn containers_from_before_the_agent_are_quiet_and_a_new_baseline_is_taken_up() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    record_shop(&node, "runc", 1);
    let directory = node.outside("/var/lib/driftline/baselines");
    let is_of_redis = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap_or_default();
        serde_json::from_str(&text).is_ok_and(|baseline: Value| role(&baseline) == "redis")
    };
    let files = fs::read_dir(&directory).unwrap().map(|file| file.unwrap().path());
    let file = files.filter(|path| path.extension().is_some_and(|end| end == "json"));
    let file = file.into_iter().find(is_of_redis).expect("redis was recorded");
    let aside = node.outside("/var/lib/driftline/aside");
    fs::rename(&file, &aside).unwrap();

    let shop = Shop::open(&node, "runc");
    shop.probed(2);
    let watcher = Agent::start(&node, "watch", &EVENTS);
    assert_eq!(node.get(&format!("{}:80", shop.web.ip()), "/").0, 200);
    shop.probed(5);
    let unprofiled = wait_for_event(&node, &shop.cache, "image.unprofiled", |event| {
        event["drift.kind"] == "image.unprofiled"
    });
    assert_eq!(unprofiled["baseline.status"], "none");
    let pods = [&shop.web, &shop.cache, &shop.job];
    let others = || {
        let mut events = events_of(&node, &pods);
        // Without a baseline whatever comes from outside is told.
        events.retain(|event| event["baseline.status"] != "none");
        events
    };
    assert_eq!(others(), Vec::<Value>::new());

    // As `kubectl cp` and Git do it: not in one step.
    fs::copy(&aside, &file).unwrap();
    until(Duration::from_secs(10), "the new baseline is used", || {
        (watcher.metric("driftline_baselines") - 3.0).abs() < 0.5
    });
    shop.probed(3);
    assert_eq!(others(), Vec::<Value>::new());
    shop.cache.container("redis").exec(&["/usr/bin/redis-cli", "FLUSHALL"]);
    let event = wait_for_event(&node, &shop.cache, "FLUSHALL", |event| {
        event["process.command_args"]
            .as_array()
            .is_some_and(|args| args.iter().any(|arg| arg == "FLUSHALL"))
            && event["drift.kind"] == "exec.injected"
    });
    assert_eq!(event["baseline.status"], "exact");
    let ids: Vec<_> = pods.iter().map(|pod| pod.containers()[0].id.clone()).collect();
    watcher.stop();
    shop.close();

    let history = agent::history(&node);
    for id in ids {
        let row = history.containers.iter().find(|row| row.identity.id.as_str() == id);
        assert_eq!(row.expect("it is in the ledger").capture, Capture::Partial);
    }
}

#[test]
fn only_what_is_selected_is_recorded_and_watched() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let run = |namespace: &str, app: &str, role: &str, script: &str| {
        let spec = PodSpec::new(namespace, app).label("app", app);
        node.run(spec.container(busybox(role, script)))
    };
    let all = |script: &str| {
        [
            run("shop", "web", "wanted", script),
            run("shop", "cache", "other-label", script),
            run("bank", "web", "other-namespace", script),
        ]
    };
    let flags = ["--namespace", "shop", "--selector", "app=web,tier!=db", "--images", "*busybox*"];
    let recorder = Agent::start(&node, "record", &flags);
    let pods = all("exec sleep 1000");
    until(Duration::from_secs(20), "one is recorded, two are not", || {
        // Others' nodes may have containers that are ignored too.
        recorder.metric("driftline_containers{state=\"recorded\"}") > 0.5
            // With the three sandboxes.
            && recorder.metric("driftline_containers{state=\"ignored\"}") > 4.5
    });
    pods.into_iter().for_each(Pod::remove);
    recorder.stop();
    let roles: Vec<_> = agent::baselines(&node).iter().map(role).collect();
    assert_eq!(roles, ["wanted"]);

    let flags = [EVENTS[0], EVENTS[1], "--namespace", "!bank", "--selector", "app!=cache"];
    let watcher = Agent::start(&node, "watch", &flags);
    let [wanted, other_label, other_namespace] = all("/bin/hostname; exec sleep 1000");
    wait_for_event(&node, &wanted, "hostname", |event| is_exec(event, "exec", "/bin/hostname"));
    let pods = [&other_label, &other_namespace];
    let ids = pods.map(|pod| pod.containers()[0].id.clone());
    watcher.stop();
    assert_eq!(events_of(&node, &pods), Vec::<Value>::new());
    [wanted, other_label, other_namespace].into_iter().for_each(Pod::remove);
    // The ledger holds all that ran.
    let history = agent::history(&node);
    for id in ids {
        assert!(history.containers.iter().any(|row| row.identity.id.as_str() == id));
    }
}
