//! A new version of an image, of which nothing was recorded: judged by the version before, and what of that it was seen to do is
//! kept for somebody to review. What is new is drift, and is in no file.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;
use support::{
    agent::{self, Agent, EVENTS},
    driftline,
    pods::{self, ContainerSpec, Node, Pod, PodSpec},
    recorded,
    told::{can_run, events_of, until},
};

const SHORT: Duration = Duration::from_secs(30);

/// The first version also sorts, the second looks at something new.
const SCRIPT: &str = "/bin/cat /etc/common > /tmp/out.txt; case $VERSION in 1) /bin/sort /etc/first ;; \
    2) /bin/cat /etc/second ;; esac; echo done; exec /bin/sleep 1000";

fn reference(version: &str) -> String {
    format!("registry.test/shop/app:{version}")
}

fn start(node: &Node, version: &str) -> Pod {
    let app = ContainerSpec::new("app", &reference(version));
    let app = app.command(&["/bin/sh", "-c", SCRIPT]).env("VERSION", version);
    let pod = node.run(PodSpec::new("shop", "app").label("app", "app").container(app));
    until(SHORT, "its work is done", || pod.printed(pod.container("app")).contains("done"));
    pod
}

/// The only baseline of a directory, once it says so much.
fn held(directory: &Path, is_enough: impl Fn(&Value) -> bool) -> (PathBuf, Value) {
    let mut found = None;
    until(SHORT, &format!("the baseline in {}", directory.display()), || {
        let files = fs::read_dir(directory).into_iter().flatten().flatten();
        let mut paths = files
            .map(|file| file.path())
            .filter(|path| path.extension().is_some_and(|end| end == "json"));
        let path = paths.next();
        assert!(paths.next().is_none(), "there are more");
        found = path.map(|path| {
            let text = fs::read_to_string(&path).expect("it is there");
            (path, recorded::valid(&text))
        });
        found.as_ref().is_some_and(|(_, held)| is_enough(held))
    });
    found.expect("it was found")
}

fn reads(held: &Value, program: &str, path: &str) -> bool {
    held["executables"][program]["read"][path].is_object()
}

/// `driftline baseline …`: its status, and what it printed.
fn baseline(words: &[&str], files: &[&Path]) -> (Option<i32>, String) {
    let output = Command::new(driftline()).arg("baseline").args(words).args(files).output();
    let output = output.expect("driftline runs");
    (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
}

/// Nothing that it did beyond its ancestor is in the file, and nothing that it did not do.
fn assert_inherited(held: &Value, ancestor: &Value, node: &Node, pod: &Pod) {
    assert_eq!(held["ancestors"].as_array().map(Vec::len), Some(1), "{held:#}");
    let image = pod.container("app").status().image_ref;
    assert_eq!(held["image"]["id"], image, "{held:#}");
    let runs = held["runs"].as_object().expect("runs");
    assert_eq!(runs.len(), 2, "{held:#}");
    assert!(
        runs.values().all(|run| run["host"] == "node-1" && run["partial"].is_null()),
        "{held:#}"
    );
    for (path, program) in held["executables"].as_object().expect("programs") {
        for (list, entries) in program.as_object().expect("lists") {
            let of_ancestor = &ancestor["executables"][path][list];
            for key in entries.as_object().expect("entries").keys() {
                assert!(of_ancestor[key].is_object(), "{path} {list} {key} was learned:\n{held:#}");
            }
        }
    }
    let calls = held["syscalls"].as_object().expect("calls");
    assert!(calls.contains_key("openat") && calls.contains_key("execve"), "{calls:#?}");
    assert!(calls.keys().all(|call| ancestor["syscalls"][call].is_object()), "{calls:#?}");
    assert!(!reads(held, "/bin/cat", "/etc/second") && held["executables"]["/bin/sort"].is_null());
    let drifts = events_of(node, pod);
    assert!(drifts.iter().all(|event| event["baseline.status"] == "provisional"), "{drifts:#?}");
}

#[test]
fn what_of_its_ancestor_a_new_version_does_is_kept_apart_and_drift_is_learned_nowhere() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let images = ["1", "2"].map(|version| {
        let image = pods::busybox(&reference(version));
        let files = ["/etc/common", "/etc/first", "/etc/second", "/etc/version"];
        let image = files.iter().fold(image, |image, path| image.file(path, 0o644, version));
        image.build().expect("images are built in memory")
    });
    node.import(&images);
    let recorder = Agent::start(&node, "record", &[]);
    for _ in 0..2 {
        start(&node, "1").remove();
    }
    recorder.stop();
    let baselines = node.outside("/var/lib/driftline/baselines");
    let (first, ancestor) = held(&baselines, |held| reads(held, "/bin/sort", "/etc/first"));

    let watcher = Agent::start(&node, "watch", &EVENTS);
    let pod = start(&node, "2");
    let drift = |object: &str| {
        let events = events_of(&node, &pod);
        events.into_iter().find(|event| event["drift.object"] == object)
    };
    until(SHORT, "what is new is told", || drift("/etc/second").is_some());
    assert_eq!(pod.container("app").exec(&["/bin/sh", "-c", "cat /etc/shadow"]).code, 1);
    until(SHORT, "so is what somebody does in it", || {
        events_of(&node, &pod).iter().any(|event| event["drift.kind"] == "exec.injected")
    });
    let provisional = node.outside("/var/lib/driftline/provisional");
    held(&provisional, |held| reads(held, "/bin/cat", "/etc/common"));
    let other = start(&node, "2");
    other.remove();
    watcher.stop();
    let (second, kept) = held(&provisional, |held| reads(held, "/bin/cat", "/etc/common"));
    let common = &kept["executables"]["/bin/cat"]["read"]["/etc/common"];
    assert_eq!(common["runs"], "all", "{kept:#}");
    assert_inherited(&kept, &ancestor, &node, &pod);

    // For a person: nothing in it is new, and what the new version was not seen to do yet is listed.
    let (code, said) = baseline(&["diff"], &[&first, &second]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("gone (") && said.contains("/bin/sort: read /etc/first"), "{said}");
    let (code, page) = baseline(&["show"], &[&second]);
    assert!(code == Some(0) && page.contains("inherits"), "{page}");

    // Nobody is judged by it before somebody puts it where baselines are.
    assert_eq!(
        fs::read_dir(&baselines)
            .expect("a directory")
            .flatten()
            .filter(|file| { file.path().extension().is_some_and(|end| end == "json") })
            .count(),
        1
    );
    let (code, merged) = baseline(&["merge"], &[&second, &second]);
    assert_eq!(code, Some(0));
    fs::write(baselines.join(second.file_name().expect("a name")), merged).expect("writable");
    let watcher = Agent::start(&node, "watch", &EVENTS);
    let promoted = start(&node, "2");
    until(SHORT, "it is judged by its own", || {
        let events = events_of(&node, &promoted);
        events.iter().any(|event| {
            event["drift.object"] == "/etc/second" && event["baseline.status"] == "exact"
        })
    });
    let events = events_of(&node, &promoted);
    assert!(events.iter().all(|event| event["file.path"] != "/etc/common"), "{events:#?}");
    promoted.remove();
    pod.remove();
    watcher.stop();
}
