//! Whatever an agent is given that is wrong, it says so in a sentence, and goes on where it can.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::net::{UnixListener, UnixStream},
    process::{Output, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{
    agent::{self, AGENT, Agent, EVENTS},
    driftline,
    pods::{ContainerSpec, Node, Pod, PodSpec, REDIS},
    told::{busybox, can_run, metric, until, wait_for_event},
};

/// A socket of the node behind which a thread does this with every connection.
fn serve(node: &Node, name: &str, answer: impl Fn(UnixStream) + Send + 'static) -> String {
    let inside = format!("/run/{name}.sock");
    let listener = UnixListener::bind(node.outside(&inside)).expect("the node is writable");
    thread::spawn(move || listener.incoming().flatten().for_each(answer));
    format!("unix://{inside}")
}

#[test]
fn containers_are_watched_by_their_cgroup_where_no_runtime_answers() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let held = Mutex::new(Vec::new());
    let sockets = [
        serve(&node, "closes", drop),
        serve(&node, "noise", |mut stream| {
            let _gone = stream.read(&mut [0; 16]);
            let _gone = stream.write_all(&[0xa7; 4096]);
        }),
        serve(&node, "silent", move |stream| held.lock().expect("no panic").push(stream)),
    ];
    let endpoints = sockets.join(",");
    let before = node.run(PodSpec::new("shop", "before").container(busybox("app", "sleep 1000")));
    let flags = [EVENTS[0], EVENTS[1], "--runtime-endpoint", &endpoints];
    let mut watcher = Agent::start(&node, "watch", &flags);
    for socket in &sockets {
        watcher.wait_for(socket, Duration::from_secs(15));
    }
    // More happens in this one than can be kept until somebody says what it is.
    let busy = "n=0; while [ $n -lt 12000 ]; do : > /new$n; n=$((n + 1)); done; sleep 1000";
    let busy = node.run(PodSpec::new("shop", "busy").container(busybox("app", busy)));
    let calm = node.run(PodSpec::new("shop", "calm").container(busybox("app", "sleep 1000")));
    for pod in [&before, &busy, &calm] {
        assert_eq!(pod.container("app").exec(&["/bin/sh", "-c", "id"]).code, 0);
    }
    // The patience with a runtime that may yet come is a minute.
    for (pod, limit) in [(&busy, 30), (&before, 75), (&calm, 75)] {
        let event = wait_for_event(&node, pod, "exec.injected", Duration::from_secs(limit));
        assert_eq!(event["container.identity"], "path", "{event:#}");
        assert_eq!(event["container.id"], pod.container("app").id.as_str());
        assert_eq!(event["baseline.status"], "none");
        assert_eq!(event["k8s.pod.name"], Value::Null);
        assert!(metric(&watcher, "driftline_containers_unresolved_total") > 0.5);
    }
    assert!(metric(&watcher, "driftline_runtime_up") < 0.5);
    let said = watcher.stop();
    let [closes, noise, silent] = &sockets;
    for start in [
        format!("driftline: what listens on {closes} is no container runtime: "),
        format!("driftline: what listens on {noise} is no container runtime: "),
        format!("driftline: {silent} did not answer Version within "),
    ] {
        let lines = said.lines().filter(|line| line.starts_with(&start));
        assert_eq!(lines.count(), 1, "{start}:\n{said}");
    }
    let id = &busy.container("app").id[..12];
    assert!(
        said.contains(&format!("driftline: container {id} is known by its cgroup alone: ")),
        "{said}"
    );
    [before, busy, calm].into_iter().for_each(Pod::remove);
}

#[test]
fn a_baseline_that_cannot_be_used_stops_no_other() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let job = || PodSpec::new("shop", "job").container(busybox("app", "/bin/date; sleep 1000"));
    let cache = || PodSpec::new("shop", "cache").container(ContainerSpec::new("redis", REDIS));
    let recorder = Agent::start(&node, "record", &[]);
    let pods = [node.run(job()), node.run(cache())];
    drop(node.connect(&format!("{}:6379", pods[1].ip())));
    until(Duration::from_secs(20), "both are recorded", || agent::baselines(&node).len() == 2);
    pods.into_iter().for_each(Pod::remove);
    recorder.stop();

    let directory = node.outside("/var/lib/driftline/baselines");
    for file in fs::read_dir(&directory).unwrap().map(|file| file.unwrap().path()) {
        let text = fs::read_to_string(&file).unwrap_or_default();
        if !text.contains("shop/busybox") {
            continue;
        }
        let mut baseline: Value = serde_json::from_str(&text).unwrap();
        baseline["image"]["architecture"] = "riscv64".into();
        fs::write(file, baseline.to_string()).unwrap();
        fs::write(directory.join("half.json"), &text[..text.len() / 2]).unwrap();
    }
    fs::write(directory.join("broken.json"), "{\"schema\": 7}").unwrap();
    fs::create_dir(directory.join("directory.json")).unwrap();

    let mut watcher = Agent::start(&node, "watch", &EVENTS);
    let (job, cache) = (node.run(job()), node.run(cache()));
    let what =
        format!("was recorded on riscv64, this container runs on {}", std::env::consts::ARCH);
    watcher.wait_for(&what, Duration::from_secs(10));
    assert_eq!(job.container("app").exec(&["/bin/sh", "-c", "id"]).code, 0);
    let event = wait_for_event(&node, &job, "exec.injected", Duration::from_secs(10));
    assert_eq!(event["baseline.status"], "none");
    assert_eq!(event["baseline.id"], Value::Null);
    cache.container("redis").exec(&["/usr/bin/redis-cli", "FLUSHALL"]);
    let event = wait_for_event(&node, &cache, "exec.injected", Duration::from_secs(10));
    assert_eq!(event["baseline.status"], "exact");
    let said = watcher.stop();
    for sentence in [
        "/var/lib/driftline/baselines/broken.json is malformed",
        "/var/lib/driftline/baselines/half.json breaks off",
        "/var/lib/driftline/baselines/directory.json: ",
        what.as_str(),
    ] {
        assert_eq!(said.matches(sentence).count(), 1, "{sentence}:\n{said}");
    }
    [job, cache].into_iter().for_each(Pod::remove);
}

/// Runs an agent that is expected to end by itself.
fn run(node: &Node, verb: &str, flags: &[&str]) -> Output {
    let mut command = node.command(driftline());
    command.arg(verb).stdout(Stdio::null()).stderr(Stdio::piped());
    for (flag, default) in
        [("--baselines", "/var/lib/driftline/baselines"), ("--store", "/var/lib/driftline")]
    {
        if !flags.contains(&flag) {
            command.args([flag, default]);
        }
    }
    let mut child = command.args(flags).spawn().expect("driftline starts");
    let end = Instant::now() + Duration::from_secs(20);
    while child.try_wait().expect("a child").is_none() {
        if Instant::now() > end {
            let _killed = child.kill();
            let output = child.wait_with_output().expect("a child");
            panic!("{verb} {flags:?} goes on:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().expect("a child")
}

#[test]
fn what_an_agent_cannot_start_with_is_said_in_one_sentence() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let taken = node.in_network(|| TcpListener::bind(AGENT)).expect("it is free");
    let file = "/var/lib/a-file";
    fs::write(node.outside(file), "x").unwrap();
    let long = format!("unix:///{}", "x".repeat(107));
    let cases: [(&str, &[&str], i32, &str); 19] = [
        ("watch", &["--http", AGENT], 120, "cannot listen on 127.0.0.1:9465"),
        ("watch", &["--http", "203.0.113.7:9465"], 120, "cannot listen on 203.0.113.7:9465"),
        ("watch", &["--http", "localhost"], 2, "--http"),
        ("watch", &["--store", file], 122, file),
        ("record", &["--store", file], 122, file),
        ("watch", &["--store", "/proc/driftline"], 122, "/proc/driftline"),
        ("watch", &["--events", "/var/lib"], 122, "/var/lib"),
        ("watch", &["--events", "/proc/driftline"], 122, "/proc/driftline"),
        ("record", &["--baselines", file], 122, file),
        ("record", &["--baselines", "/proc/driftline"], 122, "/proc/driftline"),
        ("watch", &["--baselines", file], 121, file),
        ("watch", &["--alertmanager", "alertmanager:9093"], 2, "--alertmanager"),
        ("watch", &["--alertmanager", "ftp://user:hunter2@host"], 2, "--alertmanager"),
        ("watch", &["--alertmanager", "http://user:hunter2@"], 2, "--alertmanager"),
        ("watch", &["--runtime-endpoint", "tcp://[::1]:10010"], 2, "--runtime-endpoint"),
        ("record", &["--runtime-endpoint", "unix://run/x.sock"], 2, "--runtime-endpoint"),
        ("watch", &["--runtime-endpoint", &long], 2, "--runtime-endpoint"),
        ("record", &["--selector", "=web"], 2, "--selector"),
        ("watch", &["--selector", "app=web,,!"], 2, "--selector"),
    ];
    for (verb, flags, code, named) in cases {
        let output = run(&node, verb, flags);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{verb} {flags:?}: {said}");
        assert!(said.contains(named), "{verb} {flags:?}: {said}");
        assert!(
            !said.contains("hunter2") && !said.contains("driftline: ready"),
            "{verb} {flags:?}: {said}"
        );
        // What clap says has its own form.
        if !said.starts_with("error: ") {
            assert!(said.starts_with("driftline: "), "{verb} {flags:?}: {said}");
            assert_eq!(said.lines().count(), 1, "{verb} {flags:?}: {said}");
        }
    }
    drop(taken);

    // Nothing of them is left, in particular not in the store: the next one works.
    let watcher = Agent::start(&node, "watch", &[]);
    let output = run(&node, "record", &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(122), "{said}");
    let pid = format!("is in use by another driftline (pid {})", watcher.pid());
    assert!(said.contains(&pid) && said.lines().count() == 1, "{said}");
    watcher.stop();
}
