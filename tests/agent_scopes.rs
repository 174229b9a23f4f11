//! One image in two namespaces: what it does in one of them is not allowed to it in the other.

use std::{fs, process::Command, time::Duration};

use serde_json::Value;
use support::{
    agent::{self, Agent, EVENTS},
    driftline,
    pods::{Node, Pod, PodSpec},
    told::{busybox, can_run, events_of, until},
};

const SHORT: Duration = Duration::from_secs(30);

fn start(node: &Node, namespace: &str, script: &str) -> Pod {
    let script = format!("if [ -n \"$({script})\" ]; then echo done; fi; exec /bin/sleep 1000");
    // The arguments are the same everywhere.
    let app = busybox("app", "eval \"$SCRIPT\"").env("SCRIPT", &script);
    let pod = node.run(PodSpec::new(namespace, "app").label("app", "app").container(app));
    until(SHORT, "its work is done", || pod.printed(pod.container("app")).contains("done"));
    pod
}

/// What `driftline baseline approve` says.
fn approve(node: &Node, id: &str) -> String {
    let mut approve = Command::new(driftline());
    approve
        .args(["baseline", "approve", id, "--reason", "tests", "--events"])
        .arg(node.outside(EVENTS[1]));
    approve.arg("--baselines").arg(node.outside("/var/lib/driftline/baselines"));
    let output = approve.output().expect("driftline runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn a_namespace_has_a_baseline_of_its_own_and_the_narrowest_wins() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let recorder = Agent::start(&node, "record", &["--scope", "namespace"]);
    for (namespace, script) in [("shop", "/bin/date"), ("bank", "/bin/id")] {
        start(&node, namespace, script).remove();
    }
    recorder.stop();
    // A wider one, recorded afterwards, knows what neither of the two does.
    let recorder = Agent::start(&node, "record", &[]);
    start(&node, "mall", "/bin/hostname").remove();
    recorder.stop();
    let of = |scope: &Value| {
        let baselines = agent::baselines(&node);
        let found = baselines.into_iter().find(|baseline| baseline["scope"] == *scope);
        let found = found.unwrap_or_else(|| panic!("no baseline for {scope}"));
        ["date", "id", "hostname"]
            .map(|name| !found["executables"][format!("/bin/{name}")].is_null())
    };
    assert_eq!(of(&serde_json::json!({"namespace": "shop"})), [true, false, false]);
    assert_eq!(of(&serde_json::json!({"namespace": "bank"})), [false, true, false]);
    assert_eq!(of(&Value::Null), [false, false, true]);
    let files = fs::read_dir(node.outside("/var/lib/driftline/baselines")).expect("a directory");
    let names: Vec<_> = files.flatten().map(|file| file.file_name().into_string()).collect();
    let ends = |end: &str| names.iter().flatten().any(|name| name.ends_with(end));
    assert!(
        ends(".app.in-shop.json") && ends(".app.in-bank.json") && ends(".app.json"),
        "{names:?}"
    );

    let watcher = Agent::start(&node, "watch", &EVENTS);
    for (namespace, quiet, loud) in [
        ("shop", "/bin/date", ["/bin/id", "/bin/hostname"]),
        ("bank", "/bin/id", ["/bin/date", "/bin/hostname"]),
        ("mall", "/bin/hostname", ["/bin/date", "/bin/id"]),
    ] {
        let script = format!("{quiet}; {}; {}", loud[0], loud[1]);
        let pod = start(&node, namespace, &script);
        let drifted = |program: &str| {
            let events = events_of(&node, &pod);
            events
                .into_iter()
                .find(|event| event["drift.kind"] == "exec" && event["drift.object"] == program)
        };
        for program in loud {
            until(SHORT, &format!("{program} in {namespace}"), || drifted(program).is_some());
            assert_eq!(drifted(program).expect("told")["baseline.status"], "exact");
        }
        if namespace != "mall" {
            let id = drifted(loud[0]).expect("told")["event.id"].clone();
            let said = approve(&node, id.as_str().expect("an id"));
            assert!(said.contains(&format!(".app.in-{namespace}.json allows")), "{said}");
        }
        // It came first.
        assert_eq!(drifted(quiet), None, "{namespace}");
        pod.remove();
    }
    watcher.stop();
}
