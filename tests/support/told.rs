//! What an agent tells of one pod, waited for.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    agent::{self, Agent},
    pods::{self, BUSYBOX, ContainerSpec, Node, Pod},
};

pub fn can_run() -> bool {
    pods::can_run() && crate::can_load()
}

/// Waits for something that comes.
pub fn until(limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !is_so() {
        assert!(Instant::now() < end, "{what}: not within {limit:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The drift events of a pod: the agent sees other nodes' as well.
pub fn events_of(node: &Node, pod: &Pod) -> Vec<Value> {
    let mut events = agent::events(node);
    events.retain(|event| event["k8s.pod.uid"] == pod.spec.uid.as_str());
    events
}

pub fn wait_for_event(node: &Node, pod: &Pod, kind: &str, limit: Duration) -> Value {
    let mut found = None;
    until(limit, kind, || {
        found = events_of(node, pod).into_iter().find(|event| event["drift.kind"] == kind);
        found.is_some()
    });
    found.expect("it was found")
}

/// The value of a series, 0 where there is none yet.
pub fn metric(agent: &Agent<'_>, series: &str) -> f64 {
    let metrics = agent.metrics();
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0., |value| value.parse().expect("a number"))
}

pub fn busybox(name: &str, script: &str) -> ContainerSpec {
    ContainerSpec::new(name, BUSYBOX).command(&["/bin/sh", "-c", script])
}
