//! What the ring buffer cannot take is counted, per container and kind, wherever somebody may look for it.

use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use support::{
    agent::{self, Agent, EVENTS},
    driftline,
    pods::{self, BUSYBOX, ContainerSpec, Node, Pod, PodSpec},
};

/// More than fits into a buffer of 4 KiB, as soon as somebody asks for it.
const FLOOD: &str = "while [ ! -e /go ]; do usleep 20000; done; n=0; \
    while [ $n -lt 500 ]; do : > /tmp/$n; n=$((n + 1)); done; echo over; sleep 1000";

/// What `driftline check` says of the node's history, while an agent writes it.
fn losses(node: &Node) -> Value {
    let mut check = node.command(driftline());
    check.args(["check", "--json", "--store", "/var/lib/driftline"]).stderr(Stdio::null());
    let output = check.output().expect("driftline runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    report["losses"].clone()
}

fn until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !is_so() {
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn losses_are_in_the_metrics_in_check_and_in_the_events_they_touched() {
    if !(pods::can_run() && support::can_load()) {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let watcher = Agent::start(&node, "watch", &[EVENTS[0], EVENTS[1], "--buffer", "4"]);
    let spec = ContainerSpec::new("app", BUSYBOX).command(&["/bin/sh", "-c", FLOOD]);
    let pod = node.run(PodSpec::new("shop", "flood").container(spec));
    let app = pod.container("app");
    // A driftline that does not get to run, as on a node with too much to do.
    let agent = Pid::from_raw(watcher.pid().cast_signed());
    kill(agent, Signal::SIGSTOP).expect("it runs");
    assert_eq!(app.exec(&["/bin/touch", "/go"]).code, 0);
    until("the flood's end", Duration::from_mins(1), || pod.printed(app).contains("over"));
    kill(agent, Signal::SIGCONT).expect("it runs");

    let lost = || watcher.metric("driftline_lost_events_total{kind=\"open\"}");
    let mut own = Value::Null;
    until("the same in metrics and check", Duration::from_secs(20), || {
        let report = losses(&node);
        let of = report["lost"].as_array().expect("a list");
        let opens: f64 = of.iter().filter_map(|lost| lost["events"]["open"].as_f64()).sum();
        let found = of.iter().find(|lost| lost["container"] == app.id.as_str());
        own = found.cloned().unwrap_or_default();
        own["events"]["open"].as_u64() > Some(0) && (opens - lost()).abs() < 0.5
    });
    assert_eq!((&own["namespace"], &own["name"]), (&"shop".into(), &"app".into()), "{own}");

    assert_eq!(app.exec(&["/bin/sh", "-c", "id"]).code, 0);
    let mut event = None;
    until("an event after the losses", Duration::from_secs(10), || {
        let events = agent::events(&node);
        event = events.into_iter().find(|event| event["drift.kind"] == "exec.injected");
        event.is_some()
    });
    let event = event.expect("it was found");
    let told = event["sensor.lost_events"].as_u64().expect("a count");
    assert!(told >= own["events"]["open"].as_u64().expect("a count"), "{event:#} {own}");
    watcher.stop();
    Pod::remove(pod);
}
