//! Containers that come and go by the thousand keep their names.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use profiler_user::store::{Capture, LedgerRow};
use serde_json::Value;
use support::{
    agent::{self, Agent, EVENTS, History},
    pods::{self, BUSYBOX, ContainerSpec, Ended, Node, Pod, PodSpec},
};

/// What an agent watches, with a file that nobody should read.
const TASK: &str = "registry.test/shop/task:1";
/// The same for another purpose: nobody records it.
const STRANGER: &str = "registry.test/shop/stranger:1";
/// Its entrypoint's first deed is to open a file.
const FIRST: &str = "registry.test/shop/first:1";

const NAMESPACES: [&str; 2] = ["shop", "bank"];
const PODS: [&str; 2] = ["worker-0", "worker-1"];
/// How long each container lives.
const LIFE: &str = "usleep 50000";

/// What a runtime does between a container's cgroup and its entrypoint.
const OF_RUNTIMES: [&str; 10] = [
    "mount",
    "umount2",
    "unshare",
    "setns",
    "keyctl",
    "pivot_root",
    "sethostname",
    "capset",
    "seccomp",
    "setgroups",
];

fn can_run() -> bool {
    pods::can_run() && support::can_load()
}

/// How many containers come and go: the whole promise is of 1,000.
fn count(default: usize) -> usize {
    std::env::var("DRIFTLINE_CHURN").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// A node with the images of this file.
fn node() -> Node {
    let node = Node::start();
    let shadow = "root:*:19000:0:99999:7:::\n";
    let images = [TASK, STRANGER].map(|reference| {
        // Each its own, or they would be one image with two tags.
        pods::busybox(reference).file("/etc/shadow", 0o600, shadow).file(
            "/etc/motd",
            0o644,
            reference,
        )
    });
    let first = pods::busybox(FIRST)
        .file("/etc/first", 0o644, "first\n")
        .entrypoint(&["/bin/cat", "/etc/first"]);
    let images = images.into_iter().chain([first]);
    let images: Vec<_> = images.map(|image| image.build().expect("built in memory")).collect();
    node.import(&images);
    node
}

/// Runs a container to its end and removes it at once.
fn run_once(pod: &Pod, spec: &ContainerSpec, attempt: u32) -> Ended {
    let container = pod.start(spec, attempt);
    let ended = Ended {
        id: container.id.clone(),
        container: spec.name.clone(),
        pod: pod.spec.name.clone(),
        namespace: pod.spec.namespace.clone(),
        uid: pod.spec.uid.clone(),
        image: spec.image.clone(),
        exit_code: container.wait(),
    };
    container.remove();
    ended
}

/// Runs so many containers, four at once, in pods whose names are the same in two namespaces.
fn churn(node: &Node, count: usize, runtime: &str, spec: &ContainerSpec) -> Vec<Ended> {
    let pods = NAMESPACES.iter().flat_map(|namespace| {
        PODS.map(|name| {
            node.run(PodSpec::new(namespace, name).label("app", "worker").runtime(runtime))
        })
    });
    let pods: Vec<_> = pods.collect();
    let ended = thread::scope(|scope| {
        let churn = |index: usize, pod| {
            let share = (index..count).step_by(NAMESPACES.len() * PODS.len()).enumerate();
            share
                .map(|(attempt, _)| run_once(pod, spec, u32::try_from(attempt).expect("small")))
                .collect::<Vec<_>>()
        };
        let threads = pods.iter().enumerate();
        let threads: Vec<_> =
            threads.map(|(index, pod)| scope.spawn(move || churn(index, pod))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    pods.into_iter().for_each(Pod::remove);
    ended
}

fn task(script: &str) -> ContainerSpec {
    ContainerSpec::new("task", TASK).command(&["/bin/sh", "-c", script])
}

/// Polls until something holds.
fn until(what: &str, agent: &Agent<'_>, limit: Duration, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < end, "{what}: not within {limit:?}\n{}", agent.said());
        thread::sleep(Duration::from_millis(50));
    }
}

/// The baseline of an image.
fn baseline(node: &Node, image: &str) -> Option<Value> {
    let repository = image.rsplit_once(':').expect("it has a tag").0;
    agent::baselines(node).into_iter().find(|baseline| baseline["image"]["name"] == repository)
}

fn run_of(ended: &Ended) -> &str {
    &ended.id[..26]
}

/// Waits until the runs of all these containers are in their baseline and over, then ends the recorder: the baseline.
fn recorded(node: &Node, recorder: Agent<'_>, image: &str, truth: &[Ended]) -> Value {
    let missing = || {
        let baseline = baseline(node, image).unwrap_or_default();
        let is_over = |ended: &&Ended| baseline["runs"][run_of(ended)]["ended"].is_string();
        truth.iter().filter(|ended| !is_over(ended)).cloned().collect::<Vec<_>>()
    };
    // A large baseline is saved less often.
    let end = Instant::now() + Duration::from_mins(1);
    while !missing().is_empty() {
        assert!(Instant::now() < end, "not recorded: {:#?}\n{}", missing(), recorder.said());
        thread::sleep(Duration::from_millis(100));
    }
    let said = recorder.stop();
    let baseline = baseline(node, image).expect("it was there");
    let runs: BTreeSet<_> = object(&baseline["runs"]).keys().map(String::as_str).collect();
    assert_eq!(runs, truth.iter().map(run_of).collect::<BTreeSet<_>>(), "{said}");
    for (id, run) in object(&baseline["runs"]) {
        assert!(run["ended"].is_string(), "{id}: {run}\n{said}");
        assert!(run["lost"].is_null() && run["partial"].is_null(), "{id}: {run}\n{said}");
    }
    baseline
}

fn object(value: &Value) -> &serde_json::Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("no object: {value}"))
}

/// Every container is in the ledger, as it was.
fn assert_in_ledger(history: &History, truth: &[Ended]) {
    let mut rows: HashMap<&str, Vec<&LedgerRow>> = HashMap::new();
    for row in &history.containers {
        rows.entry(row.identity.id.as_str()).or_default().push(row);
    }
    let mut lives = Vec::new();
    for ended in truth {
        let [row] = rows.get(ended.id.as_str()).map_or(&[][..], Vec::as_slice) else {
            panic!("{ended:?} is in the ledger {:?} times", rows.get(ended.id.as_str()))
        };
        let identity = &row.identity;
        let pod = identity.pod.as_ref().unwrap_or_else(|| panic!("no pod: {row:#?}"));
        let image = identity.image.as_ref().unwrap_or_else(|| panic!("no image: {row:#?}"));
        let found = Ended {
            id: identity.id.to_string(),
            container: identity.name.clone().unwrap_or_default(),
            pod: pod.name.clone().unwrap_or_default(),
            namespace: pod.namespace.clone().unwrap_or_default(),
            uid: pod.uid.clone(),
            image: image.reference.clone().unwrap_or_default(),
            exit_code: identity.exit_code.unwrap_or(-1),
        };
        assert_eq!(found, *ended, "{row:#?}");
        let repository = ended.image.rsplit_once(':').expect("it has a tag").0;
        assert_eq!(image.name, repository, "{row:#?}");
        assert_eq!((row.capture, row.restarts), (Capture::FromStart, 0), "{row:#?}");
        assert!(row.lost.is_empty(), "{row:#?}");
        let (Some(started), Some(finished)) = (identity.started, identity.finished) else {
            panic!("no start or no end: {row:#?}")
        };
        lives.push(finished.duration_since(started));
    }
    lives.sort();
    let median = lives[lives.len() / 2];
    eprintln!(
        "lived: shortest {:?}, median {median:?}, longest {:?}",
        lives[0],
        lives[lives.len() - 1]
    );
    // They lived for 50 ms, and nobody took them for longer.
    assert!(median.as_millis() < 1000, "{lives:?}");
}

/// No event lacks its container's name, and none has another one's. The events of these containers.
fn assert_labelled<'e>(
    events: &'e [Value],
    truth: &[Ended],
    said: &str,
) -> BTreeMap<&'e str, Vec<&'e Value>> {
    let by_id: HashMap<_, _> = truth.iter().map(|ended| (ended.id.as_str(), ended)).collect();
    let pods: BTreeSet<_> = truth.iter().map(|ended| ended.uid.as_str()).collect();
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for event in events {
        let id = event["container.id"].as_str();
        let id = id.unwrap_or_else(|| panic!("whose is {event:#}\n{said}"));
        let Some(ended) = by_id.get(id) else {
            // Of a sandbox, or of another node on this machine, which is none of our runtime's.
            let is_ours = event["k8s.pod.uid"].as_str().is_some_and(|uid| pods.contains(uid));
            let is_sandbox = event["k8s.container.name"].is_null();
            assert!(!is_ours || is_sandbox, "wrong pod: {event:#}\n{said}");
            continue;
        };
        for (key, expected) in [
            ("k8s.namespace.name", &ended.namespace),
            ("k8s.pod.name", &ended.pod),
            ("k8s.pod.uid", &ended.uid),
            ("k8s.container.name", &ended.container),
            ("container.image.reference", &ended.image),
        ] {
            assert_eq!(event[key], **expected, "{key} of {event:#}\n{said}");
        }
        assert!(event["container.identity"].is_null(), "known by its path: {event:#}\n{said}");
        assert_eq!(event["sensor.lost_events"], 0, "{event:#}\n{said}");
        found.entry(id).or_default().push(event);
    }
    found
}

#[test]
fn churned_containers_are_all_in_the_ledger_and_in_the_baseline() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = node();
    let recorder = Agent::start(&node, "record", &[]);
    let begun = Instant::now();
    let truth = node.churn(count(200));
    let took = begun.elapsed();
    let waited = Instant::now();
    recorded(&node, recorder, BUSYBOX, &truth);
    eprintln!("{} containers in {took:?}, recorded {:?} later", truth.len(), waited.elapsed());
    let history = agent::history(&node);
    assert_in_ledger(&history, &truth);
}

#[test]
fn churned_containers_have_their_events_and_nobody_elses() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = node();
    let recorder = Agent::start(&node, "record", &[]);
    let usual = churn(&node, 4, "", &task(LIFE));
    recorded(&node, recorder, TASK, &usual);

    let watcher = Agent::start(&node, "watch", &EVENTS);
    let begun = Instant::now();
    let script = format!("cat /etc/shadow; {LIFE}; exit 3");
    let truth = churn(&node, count(60), "", &task(&script));
    let took = begun.elapsed();
    let is_theft = |event: &Value| {
        event["drift.kind"] == "file.read" && event["drift.object"] == "/etc/shadow"
    };
    let ids: BTreeSet<_> = truth.iter().map(|ended| ended.id.as_str()).collect();
    let waited = Instant::now();
    until("an event of each container", &watcher, Duration::from_secs(30), || {
        let events = agent::events(&node);
        let told = events.iter().filter(|event| is_theft(event));
        told.filter_map(|event| event["container.id"].as_str())
            .collect::<BTreeSet<_>>()
            .is_superset(&ids)
    });
    eprintln!("{} containers in {took:?}, told {:?} later", truth.len(), waited.elapsed());
    let said = watcher.stop();
    let history = agent::history(&node);
    assert_in_ledger(&history, &truth);
    for events in [&agent::events(&node), &history.events] {
        let found = assert_labelled(events, &truth, &said);
        assert_eq!(found.keys().copied().collect::<BTreeSet<_>>(), ids);
        for events in found.values() {
            assert!(events.iter().any(|event| is_theft(event)), "{events:#?}");
            assert!(
                events.iter().all(|event| event["baseline.status"] == "exact"),
                "{events:#?}\n{said}"
            );
        }
    }
}

/// The entrypoint and its first open, once for each run, and nothing of what came before.
fn assert_entrypoint(baseline: &Value, truth: &[Ended]) {
    let once: BTreeMap<_, _> =
        truth.iter().map(|ended| (run_of(ended).to_owned(), Value::from(1))).collect();
    let once = Value::from_iter(once);
    let names = |value: &Value| object(value).keys().cloned().collect::<Vec<_>>();
    let executables = names(&baseline["executables"]);
    assert_eq!(executables, ["/bin/cat"], "{baseline:#}");
    let cat = &baseline["executables"]["/bin/cat"];
    assert_eq!(cat["parents"]["(entrypoint)"]["runs"], once, "{cat:#}");
    assert_eq!(cat["args"]["/bin/cat /etc/first"]["runs"], once, "{cat:#}");
    assert_eq!(cat["read"]["/etc/first"]["runs"], once, "{cat:#}");
    assert_eq!(names(&cat["parents"]), ["(entrypoint)"]);
    assert_eq!(names(&cat["read"]), ["/etc/first"]);
    for absent in ["write", "read_denied", "write_denied", "connect", "listen", "accept"] {
        assert!(cat[absent].is_null(), "{absent}: {cat:#}");
    }
    let syscalls = names(&baseline["syscalls"]);
    eprintln!("system calls: {syscalls:?}");
    for name in OF_RUNTIMES {
        assert!(!syscalls.iter().any(|syscall| syscall.starts_with(name)), "{name}: {syscalls:?}");
    }
    let text = baseline.to_string();
    for word in ["runc", "crun", "/proc/", "/sys/fs/cgroup"] {
        assert!(!text.contains(word), "{word} in {baseline:#}");
    }
}

/// Records so many runs of [`FIRST`] under a runtime.
fn assert_first_open(runtime: &str, count: usize) {
    let _alone = agent::alone();
    let node = node();
    let recorder = Agent::start(&node, "record", &[]);
    let begun = Instant::now();
    let truth = churn(&node, count, runtime, &ContainerSpec::new("task", FIRST));
    let took = begun.elapsed();
    assert!(truth.iter().all(|ended| ended.exit_code == 0), "{truth:#?}");
    let baseline = recorded(&node, recorder, FIRST, &truth);
    eprintln!("{count} containers under {runtime} in {took:?}");
    assert_entrypoint(&baseline, &truth);
    assert_in_ledger(&agent::history(&node), &truth);
}

#[test]
fn the_entrypoints_very_first_open_is_in_the_stream_every_time() {
    if can_run() {
        assert_first_open("runc", count(60));
    }
}

#[test]
fn the_entrypoints_very_first_open_is_in_the_stream_under_crun_too() {
    if can_run() {
        assert_first_open("crun", count(20).min(100));
    }
}

/// Stands before a runtime's socket and holds every answer back, for as long as this test runs.
fn hold_back(listen: PathBuf, runtime: PathBuf, delay: Duration) {
    let listener = UnixListener::bind(listen).expect("the node's directory is writable");
    thread::spawn(move || {
        for asker in listener.incoming() {
            let asker = asker.expect("a connection");
            let Ok(runtime) = UnixStream::connect(&runtime) else { continue };
            hold_back_one(&asker, &runtime, delay);
        }
    });
}

fn hold_back_one(asker: &UnixStream, runtime: &UnixStream, delay: Duration) {
    let clone = |stream: &UnixStream| stream.try_clone().expect("a descriptor");
    let (mut questions, mut to_runtime) = (clone(asker), clone(runtime));
    thread::spawn(move || {
        let _either_went = std::io::copy(&mut questions, &mut to_runtime);
        to_runtime.shutdown(Shutdown::Both)
    });
    let (mut answers, mut to_asker) = (clone(runtime), clone(asker));
    let (held, due) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut bytes = [0; 8192];
        while let Ok(count @ 1..) = answers.read(&mut bytes) {
            held.send((Instant::now() + delay, bytes[..count].into())).expect("it waits for us");
        }
    });
    thread::spawn(move || {
        let mut is_open = true;
        for (due, bytes) in due {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            is_open = is_open && to_asker.write_all(&bytes).is_ok();
        }
        to_asker.shutdown(Shutdown::Both)
    });
}

#[test]
fn a_runtime_that_answers_five_seconds_late_still_gives_the_right_names() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = node();
    let recorder = Agent::start(&node, "record", &[]);
    let usual = churn(&node, 1, "", &task(LIFE));
    recorded(&node, recorder, TASK, &usual);

    hold_back(
        node.outside("/run/late.sock"),
        node.outside("/run/containerd/containerd.sock"),
        Duration::from_secs(5),
    );
    let flags = [&EVENTS[..], &["--runtime-endpoint", "unix:///run/late.sock"]].concat();
    let watcher = Agent::start(&node, "watch", &flags);
    let script = "/bin/cat /etc/shadow; /bin/wget -qO- http://127.0.0.1:1/; sleep 600";
    let containers = [("task", TASK), ("stranger", STRANGER)]
        .map(|(name, image)| ContainerSpec::new(name, image).command(&["/bin/sh", "-c", script]));
    let [task, stranger] = containers;
    let pods: Vec<_> = NAMESPACES
        .iter()
        .map(|namespace| {
            let spec = PodSpec::new(namespace, "worker-0");
            node.run(spec.container(task.clone()).container(stranger.clone()))
        })
        .collect();
    let truth: Vec<_> = pods
        .iter()
        .flat_map(|pod| pod.containers().iter().zip([TASK, STRANGER]).map(move |of| (pod, of)))
        .map(|(pod, (container, image))| Ended {
            id: container.id.clone(),
            container: container.name.clone(),
            pod: pod.spec.name.clone(),
            namespace: pod.spec.namespace.clone(),
            uid: pod.spec.uid.clone(),
            image: image.to_owned(),
            exit_code: 0,
        })
        .collect();
    // What each container is known to have done first.
    let of_task =
        [("exec", "/bin/cat"), ("file.read", "/etc/shadow"), ("net.connect", "tcp 127.0.0.1:1")];
    let of_stranger = [("file.read", "/etc/shadow")];
    let begun = Instant::now();
    let is_told = |events: &[Value], ended: &Ended| {
        let expected = if ended.image == TASK { &of_task[..] } else { &of_stranger[..] };
        let is = |event: &Value, kind: &str, object: &str| {
            event["container.id"] == ended.id.as_str()
                && event["drift.kind"] == kind
                && event["drift.object"].as_str().is_some_and(|found| found.starts_with(object))
        };
        expected.iter().all(|(kind, object)| events.iter().any(|event| is(event, kind, object)))
    };
    until("the first events", &watcher, Duration::from_mins(1), || {
        let events = agent::events(&node);
        truth.iter().all(|ended| is_told(&events, ended))
    });
    eprintln!("told {:?} after the start", begun.elapsed());
    let said = watcher.stop();
    pods.into_iter().for_each(Pod::remove);
    assert_labelled(&agent::events(&node), &truth, &said);
    let history = agent::history(&node);
    assert_labelled(&history.events, &truth, &said);
    fs::remove_file(node.outside("/run/late.sock")).expect("it was made");
}
