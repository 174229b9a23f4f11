//! From two recording nodes to production: merged, reviewed, signed, and judged by within a minute, whether it comes through a
//! directory or a registry.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{
    Lab,
    agent::{self, Agent, EVENTS},
    pods::{self, ContainerSpec, Node, Pod, PodSpec},
    registry::{Registry, command, run},
    signer::Signer,
    told::{can_run, events_of, metric, until, wait_for_event},
};

/// How soon after its promotion a baseline is judged by.
const PROMISE: Duration = Duration::from_mins(1);

const SHORT: Duration = Duration::from_secs(20);

/// Each node sees another half of what production does.
const SCRIPT: &str = "case $SHIFT in day) /bin/date ;; night) /bin/id ;; *) /bin/date; /bin/id ;; esac; \
    echo done; exec /bin/sleep 1000";

/// An image of its own for each way into production.
fn image(role: &str) -> xtask::oci::Built {
    let image = pods::busybox(&reference(role)).file("/etc/role", 0o644, role);
    image.build().expect("images are built in memory")
}

fn reference(role: &str) -> String {
    format!("registry.test/shop/{role}:1")
}

/// A container of the image that has done its work, and sleeps.
fn start(node: &Node, role: &str, shift: &str) -> Pod {
    let container = ContainerSpec::new(role, &reference(role));
    let container = container.command(&["/bin/sh", "-c", SCRIPT]).env("SHIFT", shift);
    let pod = node.run(PodSpec::new("shop", role).label("app", role).container(container));
    until(SHORT, "its work is done", || pod.printed(pod.container(role)).contains("done"));
    pod
}

/// The file of a role's baseline among those that a node has recorded.
fn recorded(node: &Node, role: &str) -> PathBuf {
    let directory = node.outside("/var/lib/driftline/baselines");
    let mut files =
        fs::read_dir(&directory).expect("a directory").map(|file| file.expect("a file").path());
    let suffix = format!(".{role}.json");
    let found = files.find(|path| path.to_string_lossy().ends_with(&suffix));
    found.unwrap_or_else(|| panic!("no {role} in {}", directory.display()))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// What two nodes recorded of a role, as one file that somebody has looked at and signed.
fn reviewed(lab: &Lab, nodes: [&Node; 2], role: &str, signer: &Signer) -> PathBuf {
    let [one, other] = nodes.map(|node| recorded(node, role));
    let merge = command(lab, &["merge", text(&one), text(&other)]).output().expect("it runs");
    assert!(merge.status.success(), "{}", String::from_utf8_lossy(&merge.stderr));
    let merged = lab.path(one.file_name().expect("a name").to_str().expect("UTF-8"));
    fs::write(&merged, merge.stdout).expect("the lab is writable");
    let diff = command(lab, &["diff", text(&one), text(&merged)]).output().expect("it runs");
    let said = String::from_utf8(diff.stdout).expect("UTF-8");
    assert!(diff.status.code() == Some(3) && said.contains("/bin/id is run by"), "{said}");
    let show = command(lab, &["show", text(&merged)]).output().expect("it runs");
    let page = String::from_utf8(show.stdout).expect("UTF-8");
    assert!(
        page.contains("on night-node, day-node") || page.contains("on day-node, night-node"),
        "{page}"
    );
    signer.sign(&merged, &["--by", "ann"]);
    merged
}

/// Puts a baseline and its signature where the agent reads them, each whole or not at all.
fn copy(baseline: &Path, directory: &Path) {
    let envelope = PathBuf::from(format!("{}.dsse", baseline.display()));
    for file in [&envelope, baseline] {
        let part = directory.join(".part");
        fs::copy(file, &part).expect("writable");
        fs::rename(&part, directory.join(file.file_name().expect("a name"))).expect("writable");
    }
}

/// A container that behaves is quiet, and one that does not is told of with what answers for the judgement, in a new container
/// and in one that ran before the baseline came.
fn assert_judged(node: &Node, before: &Pod, role: &str, promoted: Instant) {
    let left = || PROMISE.checked_sub(promoted.elapsed()).expect("it is judged by within a minute");
    let fresh = start(node, role, "all");
    for pod in [&fresh, before] {
        let known = events_of(node, pod).len();
        let shell = pod.container(role).exec(&["/bin/sh", "-c", "cat /etc/role"]);
        assert_eq!(shell.stdout, role);
        let mut events = Vec::new();
        until(left(), "the deviation is told", || {
            events = events_of(node, pod);
            events.len() > known
        });
        // Events of a container come in order: of its own work nothing was told.
        let first = &events[known];
        for (key, expected) in [
            ("drift.kind", "exec.injected"),
            ("baseline.status", "exact"),
            ("baseline.signature", "verified"),
        ] {
            assert_eq!(first[key], expected, "{key} of {first:#}");
        }
    }
    assert!(promoted.elapsed() < PROMISE);
    assert!(events_of(node, &fresh).iter().all(|event| event["drift.kind"] != "image.unprofiled"));
    fresh.remove();
}

#[test]
fn what_two_nodes_recorded_is_judged_by_within_a_minute_of_its_promotion() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let roles = ["web", "api"];
    let images = roles.map(image);
    let [day, night, production] = [(); 3].map(|()| Node::start());
    for node in [&day, &night, &production] {
        node.import(&images);
    }

    // Staging.
    let recorders = [("day-node", &day), ("night-node", &night)]
        .map(|(name, node)| Agent::start_as(name, node, "record", &[]));
    for _ in 0..2 {
        let shifts = [(&day, "day"), (&night, "night")];
        let pods = shifts.map(|(node, shift)| roles.map(|role| start(node, role, shift)));
        pods.into_iter().flatten().for_each(Pod::remove);
    }
    for recorder in recorders {
        recorder.stop();
    }
    let lab = Lab::new();
    let signer = Signer::new(&lab.path(""));
    let [web, api] = roles.map(|role| reviewed(&lab, [&day, &night], role, &signer));

    // Production, which knows neither image.
    let trust = text(signer.trust());
    let flags = [EVENTS[0], EVENTS[1], "--trust", trust];
    let watcher = Agent::start(&production, "watch", &flags);
    let baselines = production.outside("/var/lib/driftline/baselines");
    fs::create_dir_all(&baselines).expect("the node is writable");
    let before = roles.map(|role| start(&production, role, "all"));
    for pod in &before {
        let event = wait_for_event(&production, pod, "image.unprofiled", SHORT);
        assert_eq!(event["baseline.status"], "none", "{event:#}");
        assert_eq!(event["baseline.signature"], Value::Null, "{event:#}");
    }
    until(SHORT, "both are counted", || metric(&watcher, "driftline_images_unprofiled") > 1.5);
    let believed = |count: f64| {
        until(PROMISE, "it is believed", || metric(&watcher, "driftline_baselines") > count - 0.5);
    };

    let promoted = Instant::now();
    copy(&web, &baselines);
    believed(1.);
    assert_judged(&production, &before[0], "web", promoted);

    let registry = Registry::start(&lab);
    registry.store("shop/api", "1", &images[1]);
    let name = format!("{}/shop/api:1", registry.host());
    let (code, said) = run(&lab, &["push", text(&api), &name]);
    assert_eq!(code, 0, "{said}");
    let promoted = Instant::now();
    let pull = ["pull", &name, "--baselines", text(&baselines), "--trust", trust];
    let (code, said) = run(&lab, &pull);
    assert!(code == 0 && said.contains("signed on"), "{said}");
    believed(2.);
    assert_judged(&production, &before[1], "api", promoted);
    until(SHORT, "no image is without", || metric(&watcher, "driftline_images_unprofiled") < 0.5);

    before.into_iter().for_each(Pod::remove);
    watcher.stop();
}
