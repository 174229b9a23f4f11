//! A store without room: the metrics go on and say so, and what waited is there once there is room.

use std::{process::Output, time::Duration};

use serde_json::Value;
use support::{
    agent::{self, Agent},
    driftline,
    pods::{Node, Pod, PodSpec},
    told::{busybox, can_run, metric, until},
};

const SOON: Duration = Duration::from_secs(20);
const STORE: &str = "/var/lib/driftline";

/// On the node, whose store is a disk of its own.
fn on(node: &Node, program: &str, args: &[&str]) -> Output {
    node.command(program).args(args).output().expect("it runs")
}

/// Objects of drift that the history holds, asked while the agent is at work.
fn history(node: &Node) -> Vec<String> {
    let args = ["investigate", "timeline", "--json", "--store", STORE];
    let output = node.command(driftline()).args(args).output().expect("driftline runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let timeline: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let entries = timeline["entries"].as_array().expect("a list").iter();
    entries.filter_map(|entry| Some(entry["drift.object"].as_str()?.to_owned())).collect()
}

fn told(agent: &Agent<'_>, kind: &str) -> f64 {
    let kind = format!("kind=\"{kind}\"");
    let metrics = agent.metrics();
    let lines = metrics.lines().filter(|line| line.starts_with("driftline_drift_events_total{"));
    let values =
        lines.filter(|line| line.contains(&kind)).filter_map(|line| line.rsplit(' ').next());
    values.filter_map(|value| value.parse::<f64>().ok()).sum()
}

#[test]
fn a_full_disk_leaves_the_metrics_which_say_so_and_loses_nothing() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    assert!(on(&node, "mkdir", &["-p", STORE]).status.success());
    let mounted = on(&node, "mount", &["-t", "tmpfs", "-o", "size=4m", "tmpfs", STORE]);
    assert!(mounted.status.success(), "{mounted:?}");
    let watcher = Agent::start(&node, "watch", &[]);
    let pod = node.run(PodSpec::new("shop", "job").container(busybox("app", "sleep 1000")));
    until(SOON, "the container in the history", || !history(&node).is_empty());

    let fill = format!("cat /dev/zero > {STORE}/fill");
    assert!(!on(&node, "sh", &["-c", &fill]).status.success(), "it is not full");
    let before = (told(&watcher, "exec.injected"), told(&watcher, "file.write"));
    let script = "echo > /etc/ld.so.preload";
    assert_eq!(pod.container("app").exec(&["/bin/sh", "-c", script]).code, 0);
    until(SOON, "the shell in the metrics", || told(&watcher, "exec.injected") > before.0);
    until(SOON, "the file in the metrics", || told(&watcher, "file.write") > before.1);
    until(SOON, "the failure", || metric(&watcher, "driftline_store_failures_total") > 0.5);
    until(SOON, "the free space", || metric(&watcher, "driftline_store_free_bytes") < 100_000.);
    until(SOON, "the word", || watcher.said().contains("make room on its disk"));
    assert!(!history(&node).iter().any(|object| object == "/etc/ld.so.preload"));

    let fill = format!("{STORE}/fill");
    assert!(on(&node, "rm", &[&fill]).status.success());
    until(SOON, "what waited", || {
        history(&node).iter().any(|object| object == "/etc/ld.so.preload")
    });
    until(SOON, "the room", || metric(&watcher, "driftline_store_free_bytes") > 100_000.);
    // All of it is there, in its order.
    let proof = on(
        &node,
        driftline().to_str().expect("UTF-8"),
        &["investigate", "verify-log", "--store", STORE],
    );
    assert_eq!(proof.status.code(), Some(0), "{}", String::from_utf8_lossy(&proof.stderr));
    Pod::remove(pod);
    watcher.stop();
}
