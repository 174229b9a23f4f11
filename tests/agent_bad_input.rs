//! Whatever an agent is given that is wrong, it says so in a sentence, and goes on where it can.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    process::{Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{
    agent::{self, AGENT, Agent, EVENTS},
    driftline,
    pods::{self, BUSYBOX, ContainerSpec, Node, Pod, PodSpec, REDIS},
};

fn can_run() -> bool {
    pods::can_run() && support::can_load()
}

/// Waits for something that comes.
fn until(limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !is_so() {
        assert!(Instant::now() < end, "{what}: not within {limit:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The drift events of a pod: the agent sees other nodes' as well.
fn events_of(node: &Node, pod: &Pod) -> Vec<Value> {
    let mut events = agent::events(node);
    events.retain(|event| event["k8s.pod.uid"] == pod.spec.uid.as_str());
    events
}

fn wait_for_event(node: &Node, pod: &Pod, kind: &str, limit: Duration) -> Value {
    let mut found = None;
    until(limit, kind, || {
        found = events_of(node, pod).into_iter().find(|event| event["drift.kind"] == kind);
        found.is_some()
    });
    found.expect("it was found")
}

/// The value of a series, 0 where there is none yet.
fn metric(agent: &Agent<'_>, series: &str) -> f64 {
    let metrics = agent.metrics();
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0., |value| value.parse().expect("a number"))
}

fn busybox(name: &str, script: &str) -> ContainerSpec {
    ContainerSpec::new(name, BUSYBOX).command(&["/bin/sh", "-c", script])
}

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

/// Takes alerts in place of an Alertmanager: answers with this status, with none at all while it is 0.
struct Receiver {
    status: Arc<AtomicU16>,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    fn start(node: &Node, port: u16, status: u16) -> Self {
        let listener = node.in_network(|| TcpListener::bind(("127.0.0.1", port)));
        let listener = listener.expect("the port is free in the node's own network");
        let receiver = Self { status: Arc::new(status.into()), bodies: Arc::default() };
        let (status, bodies) = (Arc::clone(&receiver.status), Arc::clone(&receiver.bodies));
        thread::spawn(move || {
            let mut held = Vec::new();
            for mut stream in listener.incoming().flatten() {
                let Some(body) = body(&stream) else { continue };
                match status.load(Ordering::Relaxed) {
                    0 => held.push(stream),
                    status => {
                        if status == 200 {
                            bodies.lock().expect("no panic").push(body);
                        }
                        let _gone = write!(
                            stream,
                            "HTTP/1.1 {status} So\r\nContent-Length: 9\r\nConnection: close\r\n\r\nsays test"
                        );
                    }
                }
            }
        });
        receiver
    }

    fn has(&self, text: &str) -> bool {
        self.bodies.lock().expect("no panic").iter().any(|body| body.contains(text))
    }
}

/// The body of a request.
fn body(stream: &TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    String::from_utf8(body).ok()
}

#[test]
fn an_alertmanager_that_takes_nothing_holds_up_nothing() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let urls = [1, 2, 3, 4].map(|n| format!("http://127.0.0.1:909{n}"));
    // Behind the first there is nobody yet.
    let failing = Receiver::start(&node, 9092, 500);
    let refusing = Receiver::start(&node, 9093, 400);
    let _silent = Receiver::start(&node, 9094, 0);
    let all = urls.join(",");
    let flags = [EVENTS[0], EVENTS[1], "--alertmanager", &all];
    let mut watcher = Agent::start(&node, "watch", &flags);
    let pod = node.run(PodSpec::new("shop", "job").container(busybox("app", "sleep 1000")));
    assert_eq!(pod.container("app").exec(&["/bin/sh", "-c", "id"]).code, 0);
    wait_for_event(&node, &pod, "exec.injected", Duration::from_secs(15));
    for (url, why) in urls.iter().zip([
        "cannot be reached",
        "answers 500",
        "answers 400",
        "no answer within 10 s",
    ]) {
        watcher.wait_for(
            &format!("the sink alertmanager:{url} fails: {url}"),
            Duration::from_secs(20),
        );
        watcher.wait_for(why, Duration::from_secs(1));
    }
    for url in &urls {
        let series = format!("driftline_sink_failures_total{{sink=\"alertmanager:{url}\"}}");
        until(Duration::from_secs(5), &series, || metric(&watcher, &series) > 0.5);
    }
    // Not for long: a try that fails is repeated.
    let series = format!("driftline_sink_failures_total{{sink=\"alertmanager:{}\"}}", urls[0]);
    assert!(metric(&watcher, &series) > 1.5);
    // More comes meanwhile, and is in the file at once.
    let second = node.run(PodSpec::new("bank", "job").container(busybox("app", "sleep 1000")));
    assert_eq!(second.container("app").exec(&["/bin/sh", "-c", "id"]).code, 0);
    wait_for_event(&node, &second, "exec.injected", Duration::from_secs(10));

    let late = Receiver::start(&node, 9091, 200);
    failing.status.store(200, Ordering::Relaxed);
    refusing.status.store(200, Ordering::Relaxed);
    for (receiver, url) in [&late, &failing, &refusing].into_iter().zip(&urls) {
        until(Duration::from_secs(35), &format!("both alerts reach {url}"), || {
            receiver.has("\"shop\"") && receiver.has("\"bank\"")
        });
        watcher.wait_for(
            &format!("the sink alertmanager:{url} takes events again"),
            Duration::from_secs(10),
        );
    }
    let said = watcher.said();
    for url in &urls {
        let sentence = format!("the sink alertmanager:{url} fails: ");
        assert_eq!(said.matches(&sentence).count(), 1, "{said}");
    }
    let numbers: Vec<_> =
        agent::events(&node).iter().map(|event| event["event.seq"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    // What hangs is not waited for, so it is not asked to end.
    watcher.kill();
    [pod, second].into_iter().for_each(Pod::remove);
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
