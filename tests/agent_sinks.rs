//! Every sink of an agent at once, and addresses of sinks that cannot be meant.

use std::{path::Path, process::Command, time::Duration};

use support::{
    agent::{self, Agent, EVENTS},
    driftline,
    pods::{Node, Pod, PodSpec},
    receiver::{Receiver, taken},
    told::{busybox, can_run, metric, until, wait_for_event},
};

#[test]
fn one_event_comes_out_of_every_sink() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let (alerts, hook) = (Receiver::start(&node, 9093, 200), Receiver::start(&node, 9095, 200));
    let collector = Receiver::start(&node, 4318, 200);
    let syslog = taken(&node, 6514);
    std::fs::write(node.outside("/run/hook.key"), "sixteen bytes or more").unwrap();
    let sinks = [
        ["--alertmanager", "http://127.0.0.1:9093"],
        ["--webhook", "http://127.0.0.1:9095/hook"],
        ["--webhook-key", "/run/hook.key"],
        ["--syslog", "tcp://127.0.0.1:6514"],
        // Nobody is there, and the agent starts all the same.
        ["--syslog", "tcp://127.0.0.1:6515"],
        ["--otlp", "http://127.0.0.1:4318"],
    ];
    // An hour by default.
    let often = ["--head-every", "2s"];
    let flags = [&EVENTS[..], sinks.as_flattened(), &often].concat();
    let watcher = Agent::start(&node, "watch", &flags);
    let pod = node.run(PodSpec::new("shop", "job").container(busybox("app", "sleep 1000")));
    assert_eq!(pod.container("app").exec(&["/bin/sh", "-c", "id"]).code, 0);
    let event = wait_for_event(&node, &pod, "exec.injected", Duration::from_secs(15));
    let id = event["event.id"].as_str().expect("each event has one").to_owned();
    let soon = Duration::from_secs(15);
    until(soon, "the alert", || alerts.has("exec.injected"));
    until(soon, "the webhook's request", || hook.has(&id));
    let in_syslog = || String::from_utf8_lossy(&syslog.lock().expect("no panic")).contains(&id);
    until(soon, "the syslog message", in_syslog);
    until(soon, "the log record", || collector.has(&id));
    // By the clock, where the chain stands goes to every sink that carries events; it is no alert.
    let chain = "driftline.chain/v1";
    let in_file = || std::fs::read_to_string(node.outside(EVENTS[1])).unwrap_or_default();
    until(soon, "the head in the file", || in_file().contains(chain));
    until(soon, "the head at the webhook", || hook.has(chain));
    until(soon, "the head in the log records", || collector.has(chain));
    let in_syslog = || String::from_utf8_lossy(&syslog.lock().expect("no panic")).contains(chain);
    until(soon, "the head in syslog", in_syslog);
    assert!(!alerts.has("chain"));
    // Each was tried, and said how it does.
    let sinks = [
        ("file", 1.),
        ("alertmanager:http://127.0.0.1:9093", 1.),
        ("syslog:tcp://127.0.0.1:6514", 1.),
        ("syslog:tcp://127.0.0.1:6515", 0.),
        ("otlp:http://127.0.0.1:4318/v1/logs", 1.),
    ];
    let said = watcher.said();
    for (sink, up) in sinks {
        let is_up = metric(&watcher, &format!("driftline_sink_up{{sink=\"{sink}\"}}"));
        assert!((is_up - up).abs() < 0.5 && watcher.metrics().contains(sink), "{sink} is {is_up}");
        let word =
            if up > 0. { "works" } else { "fails: the syslog receiver 127.0.0.1:6515 fails: " };
        assert!(said.contains(&format!("the sink {sink} {word}")), "{said}");
    }
    assert!(said.contains("the sink webhook:http://127.0.0.1:9095#"), "{said}");
    let refused = "driftline_sink_refused_events_total{sink=\"syslog:tcp://127.0.0.1:6514\"}";
    assert!(metric(&watcher, refused).abs() < 0.5);
    let (events, old) = (node.outside(EVENTS[1]), node.outside("/var/lib/driftline/events.old"));
    rotate(&watcher, &events, &old);
    // Told without a baseline. Nothing is said of the chain where nothing happened.
    assert_eq!(pod.container("app").exec(&["/bin/sh", "-c", "echo > /etc/ld.so.preload"]).code, 0);
    let in_new =
        || std::fs::read_to_string(&events).unwrap_or_default().contains("/etc/ld.so.preload");
    until(soon, "the next event in the new file", in_new);
    watcher.stop();
    // What came before is in the one, what came after in the other, and each line is in one of them.
    let [old, new] = [old, events].map(|file| std::fs::read_to_string(file).expect("it is there"));
    assert!(old.contains(&id) && new.contains("driftline.chain/v1"), "{new}");
    let number = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line).expect("whole lines")["event.seq"].as_u64()
    };
    let numbers: Vec<_> = old.lines().chain(new.lines()).filter_map(number).collect();
    assert_eq!(numbers, (1..).take(numbers.len()).collect::<Vec<u64>>());
    Pod::remove(pod);
}

/// As logrotate does it: another name, and a word; then a new file is there.
fn rotate(watcher: &Agent<'_>, events: &Path, old: &Path) {
    std::fs::rename(events, old).expect("both are in one directory");
    let pid = i32::try_from(watcher.pid()).expect("ids of processes are small");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGHUP)
        .expect("the agent runs");
    until(Duration::from_secs(15), "the new file", || events.exists());
}

#[test]
fn an_address_that_cannot_be_meant_ends_it_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path().to_str().unwrap();
    for (flag, value, words) in [
        ("--alertmanager", "s3cret.example", "--alertmanager: the Alertmanager's URL"),
        ("--syslog", "udp://logs:514", "such as tcp://logs:601"),
        ("--syslog", "tls://logs/path", "or tls://HOST:PORT"),
        ("--otlp", "grpc://s3cret.example:4317", "neither http:// nor https://"),
        ("--events-format", "cef", "possible values: native, ecs, ocsf"),
        ("--webhook", "ftp://hooks.example/s3cret", "neither http:// nor https://"),
        ("--webhook-key", "/no/such/key", "--webhook-key /no/such/key: No such file"),
        ("--webhook-header", "s3cret", "--webhook-header: a header is written as"),
        ("--webhook-header", "Host: s3cret", "the header host is driftline's own"),
        ("--webhook-header-file", "/no/such/file", "No such file"),
    ] {
        // Should it start all the same, it is ended.
        let output = Command::new("timeout")
            .arg("30")
            .arg(driftline())
            .args(["watch", "--baselines", here, "--store", here, flag, value])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(words) && !said.contains("s3cret"), "{said}");
    }
}

#[test]
fn a_template_that_cannot_be_meant_ends_it_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path().to_str().unwrap();
    let template = directory.path().join("hook.j2");
    for (text, words) in [
        ("{{ s3cret", "syntax error"),
        (r#"{"pod": {{ event["k8s.pod.name"] }}}"#, "undefined value"),
        ("s3cret", "is no JSON"),
    ] {
        std::fs::write(&template, text).unwrap();
        let output = Command::new("timeout")
            .arg("30")
            .arg(driftline())
            .args(["watch", "--baselines", here, "--store", here, "--webhook"])
            .args(["http://127.0.0.1:9/x", "--webhook-template"])
            .arg(&template)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(121), "{said}");
        assert!(said.contains("hook.j2 cannot be used") && said.contains(words), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}
