//! Containers that live for a moment, and what must be known of each of them afterwards.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    thread,
    time::{Duration, Instant},
};

use profiler_user::store::{Capture, LedgerRow};
use serde_json::Value;

use crate::{
    agent::{self, Agent, History},
    pods::{self, ContainerSpec, Ended, Node, Pod, PodSpec},
};

/// What an agent watches, with a file that nobody should read.
pub const TASK: &str = "registry.test/shop/task:1";
/// The same for another purpose: nobody records it.
pub const STRANGER: &str = "registry.test/shop/stranger:1";
/// Its entrypoint's first deed is to open a file.
pub const FIRST: &str = "registry.test/shop/first:1";

pub const NAMESPACES: [&str; 2] = ["shop", "bank"];
pub const PODS: [&str; 2] = ["worker-0", "worker-1"];
/// How long each container lives.
pub const LIFE: &str = "usleep 50000";

pub fn can_run() -> bool {
    pods::can_run() && crate::can_load()
}

/// How many containers come and go: the whole promise is of 1,000.
pub fn count(default: usize) -> usize {
    std::env::var("DRIFTLINE_CHURN").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// A node with the images of this file.
pub fn node() -> Node {
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
pub fn run_once(pod: &Pod, spec: &ContainerSpec, attempt: u32) -> Ended {
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
pub fn churn(node: &Node, count: usize, runtime: &str, spec: &ContainerSpec) -> Vec<Ended> {
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

pub fn task(script: &str) -> ContainerSpec {
    ContainerSpec::new("task", TASK).command(&["/bin/sh", "-c", script])
}

/// Polls until something holds.
pub fn until(what: &str, agent: &Agent<'_>, limit: Duration, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < end, "{what}: not within {limit:?}\n{}", agent.said());
        thread::sleep(Duration::from_millis(50));
    }
}

/// The baseline of an image.
pub fn baseline(node: &Node, image: &str) -> Option<Value> {
    let repository = image.rsplit_once(':').expect("it has a tag").0;
    agent::baselines(node).into_iter().find(|baseline| baseline["image"]["name"] == repository)
}

pub fn run_of(ended: &Ended) -> &str {
    &ended.id[..26]
}

/// Waits until the runs of all these containers are in their baseline and over, then ends the recorder: the baseline.
pub fn recorded(node: &Node, recorder: Agent<'_>, image: &str, truth: &[Ended]) -> Value {
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

pub fn object(value: &Value) -> &serde_json::Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("no object: {value}"))
}

/// Every container is in the ledger, as it was.
pub fn assert_in_ledger(history: &History, truth: &[Ended]) {
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
pub fn assert_labelled<'e>(
    events: &'e [Value],
    truth: &[Ended],
    said: &str,
) -> BTreeMap<&'e str, Vec<&'e Value>> {
    let by_id: HashMap<_, _> = truth.iter().map(|ended| (ended.id.as_str(), ended)).collect();
    let pods: BTreeSet<_> = truth.iter().map(|ended| ended.uid.as_str()).collect();
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    // What the log says of itself is nobody's.
    for event in events.iter().filter(|event| event["schema_version"] != "driftline.chain/v1") {
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
