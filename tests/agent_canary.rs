//! A canary comes out of every sink, and where it does not, that is said.

use std::{process::Output, sync::atomic::Ordering, time::Duration};

use serde_json::Value;
use support::{
    agent::{self, Agent, EVENTS},
    driftline,
    pods::Node,
    receiver::{Receiver, taken},
    told::{can_run, metric, until},
};

const SOON: Duration = Duration::from_secs(20);

fn canary(node: &Node, args: &[&str]) -> Output {
    let mut command = node.command(driftline());
    command.args(["canary", "--store", "/var/lib/driftline"]).args(args);
    command.output().expect("driftline runs")
}

#[test]
fn it_takes_the_whole_way_and_each_sink_is_asked() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let nobody = canary(&node, &[]);
    assert_eq!(nobody.status.code(), Some(120), "{nobody:?}");
    let config = "route: { receiver: none }\nreceivers: [{ name: none }]\n";
    let alertmanager = node.alertmanager(&[("alertmanager.yml", config)]);
    let (hook, collector) = (Receiver::start(&node, 9095, 200), Receiver::start(&node, 4318, 200));
    let syslog = taken(&node, 6514);
    let sinks = [
        ["--alertmanager", "http://127.0.0.1:9093"],
        ["--webhook", "http://127.0.0.1:9095/hook"],
        ["--syslog", "tcp://127.0.0.1:6514"],
        ["--otlp", "http://127.0.0.1:4318"],
    ];
    let watcher = Agent::start(&node, "watch", &[&EVENTS[..], sinks.as_flattened()].concat());

    let sung = canary(&node, &["--json"]);
    assert!(sung.status.success(), "{sung:?}\n{}", watcher.said());
    let report: Value = serde_json::from_slice(&sung.stdout).expect("JSON");
    let id = report["event.id"].as_str().expect("an event").to_owned();
    let names: Vec<_> = report["sinks"].as_array().expect("a list").iter().collect();
    assert_eq!(names.len(), 6, "{report:#}");
    for sink in names {
        assert!(sink["ok"] == true && sink["after_ms"].is_u64(), "{report:#}");
    }
    assert!(hook.has(&id) && collector.has(&id));
    assert!(String::from_utf8_lossy(&syslog.lock().expect("no panic")).contains(&id));
    let events = agent::events(&node);
    let event = events.iter().find(|event| event["event.id"] == id.as_str()).expect("in the file");
    for (key, value) in [
        ("drift.canary", Value::Bool(true)),
        ("drift.severity", "info".into()),
        ("drift.kind", "exec".into()),
        ("drift.rule", "canary".into()),
        ("container.name", "driftline-canary".into()),
        ("process.executable.path", driftline().to_str().expect("UTF-8").into()),
    ] {
        assert_eq!(event[key], value, "{key} of {event:#}");
    }
    let (_, alerts) = node.get(alertmanager.address, "/api/v2/alerts");
    let alerts: Value = serde_json::from_str(&alerts).expect("JSON");
    let labels = &alerts[0]["labels"];
    assert_eq!(
        (&labels["alertname"], &labels["canary"]),
        (&"DriftlineCanary".into(), &"true".into())
    );
    assert_eq!(labels["node"], "node-1", "{alerts:#}");
    // It is no drift of anybody's.
    let drifted = watcher.metrics();
    let drifted: Vec<_> = drifted
        .lines()
        .filter(|line| line.starts_with("driftline_drift_events_total") && !line.ends_with(" 0"))
        .filter(|line| line.contains("kind=\"exec\""))
        .collect();
    assert_eq!(drifted, [""; 0]);
    assert!(
        metric(&watcher, "driftline_canary_last_success_timestamp_seconds{sink=\"file\"}") > 1e9
    );

    // A receiver that takes requests and not this one, and an Alertmanager that is gone.
    hook.status.store(422, Ordering::Relaxed);
    drop(alertmanager);
    let missing = canary(&node, &[]);
    let said = String::from_utf8_lossy(&missing.stdout).into_owned();
    assert_eq!(missing.status.code(), Some(5), "{missing:?}");
    assert!(said.contains("its receiver refuses the event"), "{said}");
    assert!(said.contains("missing alertmanager:http://127.0.0.1:9093: "), "{said}");
    assert!(said.contains("ok      file after "), "{said}");
    let failed = "driftline_canary_failures_total{sink=\"alertmanager:http://127.0.0.1:9093\"}";
    assert!((metric(&watcher, failed) - 1.).abs() < 0.1);
    watcher.stop();
}

#[test]
fn it_is_run_by_itself_as_often_as_is_said_and_leaves_nothing_behind() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let flags = [&EVENTS[..], &["--canary-every", "2s"]].concat();
    let watcher = Agent::start(&node, "watch", &flags);
    let sung = || agent::events(&node).iter().filter(|event| event["drift.canary"] == true).count();
    until(SOON, "three of them", || sung() >= 3);
    assert!((metric(&watcher, "driftline_canary_interval_seconds") - 2.).abs() < 0.1);
    let series = "driftline_canary_last_success_timestamp_seconds{sink=\"file\"}";
    let before = metric(&watcher, series);
    until(SOON, "the next", || metric(&watcher, series) > before);
    watcher.stop();
    let history = agent::history(&node);
    let is_canary = |name: &Option<String>| name.as_deref() == Some("driftline-canary");
    let mut rows = history.containers.iter();
    assert!(rows.all(|row| !is_canary(&row.identity.name)), "a canary is nobody's container");
    // The agent sees what others run on this machine, too.
    let known = history.events.iter().filter(|event| event["drift.canary"].is_null());
    let known: Vec<_> = known
        .filter(|event| !event["drift.kind"].is_null() && event["container.id"].is_null())
        .collect();
    assert!(known.is_empty(), "its start is no drift: {known:#?}");
}
