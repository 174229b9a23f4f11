//! A port scan and a flood of files are each told by one event that counts exactly, what is graver stands beside it, and the
//! store has every first occurrence.

use std::{collections::BTreeMap, fs, time::Duration};

use serde_json::Value;
use support::{
    agent::{self, Agent, EVENTS},
    pods::{Node, Pod, PodSpec},
    told::{busybox, can_run, events_of, until},
    worker::WORK,
};

const SOON: Duration = Duration::from_secs(40);

/// Does what the file says, once it is there.
const TASK: &str = "until [ -e /share/go ]; do sleep 0.1; done; . /share/work";

/// One of each sort of deed, so that of a scan and of a flood the objects alone are new.
const ROUTINE: &str = ": > /share/data/routine; : > /etc/shadow; nc -w 1 127.0.0.1 7 </dev/null; sleep 0.1; echo x > /share/done";

const SCAN: &str = "p=20000; while [ $p -lt 20150 ]; do nc -w 1 127.0.0.1 $p </dev/null; p=$((p+1)); done; \
    sleep 0.1; echo x > /share/done";

/// 15 to the third: names that nothing generalises.
const FLOOD: &str = ": > /etc/shadow; all='ba be bi bo bu da de di do du ka ke ki ko ku'; \
    for a in $all; do for b in $all; do for c in $all; do : > /share/data/$a$b$c; done; done; \
    if [ $a = di ]; then read secret < /etc/shadow; echo x > /share/done; until [ -e /share/on ]; do sleep 0.1; done; fi; done";
const FILES: u64 = 15 * 15 * 15;

fn task(node: &Node, name: &str, work: &str) -> Pod {
    let share = node.outside(WORK);
    fs::create_dir_all(share.join("data")).expect("the node's directory is writable");
    for old in ["go", "on", "done"] {
        let _absent = fs::remove_file(share.join(old));
    }
    fs::write(share.join("work"), work).expect("writable");
    let container = busybox("task", TASK).mount(WORK, "/share", false);
    node.run(PodSpec::new("shop", name).label("app", name).container(container))
}

fn say(node: &Node, word: &str) {
    fs::write(node.outside(WORK).join(word), "").expect("writable");
}

fn is_done(node: &Node) -> bool {
    node.outside(WORK).join("done").exists()
}

fn text<'a>(event: &'a Value, key: &str) -> &'a str {
    event[key].as_str().unwrap_or_default()
}

/// The newest word about each, by `event.id`: every id was first told as created.
fn newest(events: &[Value], kind: &str) -> Vec<Value> {
    let mut newest = BTreeMap::new();
    for event in events.iter().filter(|event| event["drift.kind"] == kind) {
        let known = newest.insert(text(event, "event.id"), event.clone()).is_some();
        assert_eq!(event["event.action"] == "created", !known, "{event:#}");
    }
    newest.into_values().collect()
}

fn counted(events: &[Value]) -> u64 {
    events.iter().filter_map(|event| event["drift.count"].as_u64()).sum()
}

/// Of Debian's Alertmanager, the alerts of a workload and kind.
fn alerts(node: &Node, workload: &str, kind: &str) -> Vec<Value> {
    let (_, alerts) = node.get("127.0.0.1:9093", "/api/v2/alerts");
    let mut alerts: Vec<Value> = serde_json::from_str(&alerts).expect("Alertmanager answers JSON");
    alerts.retain(|alert| {
        alert["labels"]["workload"] == workload && alert["labels"]["drift_kind"] == kind
    });
    alerts
}

fn record(node: &Node) {
    let recorder = Agent::start(node, "record", &[]);
    for name in ["one", "two"] {
        let pod = task(node, name, ROUTINE);
        say(node, "go");
        until(SOON, "the routine", || is_done(node));
        assert_eq!(pod.container("task").wait(), 0);
        pod.remove();
    }
    recorder.stop();
}

/// 150 ports are three events and one alert.
fn scan(node: &Node) -> Pod {
    let pod = task(node, "scan", SCAN);
    say(node, "go");
    until(SOON, "the scan", || is_done(node));
    assert_eq!(pod.container("task").wait(), 0);
    let all = || newest(&events_of(node, &pod), "net.connect");
    until(SOON, "the end of the scan's group", || {
        all().iter().any(|event| event["event.action"] == "closed")
    });
    let told = all();
    assert!((1..=3).contains(&told.len()), "{told:#?}");
    assert_eq!(counted(&told), 150, "{told:#?}");
    let group = told.iter().find(|event| event["drift.group.by"] == "address");
    let group = group.unwrap_or_else(|| panic!("{told:#?}"));
    assert_eq!(group["drift.object"], "tcp 127.0.0.1:*");
    assert_eq!(group["drift.group.objects"], 148);
    assert_eq!(group["drift.count"], 148);
    assert!(group["drift.group.examples"].as_array().is_some_and(|some| some.len() == 10));
    let others: Vec<_> = events_of(node, &pod)
        .into_iter()
        .filter(|event| event["event.action"] == "created" && event["drift.kind"] != "net.connect")
        .collect();
    assert!(others.is_empty(), "{others:#?}");
    until(SOON, "the alert's count", || {
        alerts(node, "scan", "net.connect")
            .iter()
            .any(|alert| alert["annotations"]["count"] == "150")
    });
    let alerts = alerts(node, "scan", "net.connect");
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    pod
}

/// Thousands of files are one group, and what an intruder does meanwhile is told by itself.
fn flood(node: &Node) -> Pod {
    let pod = task(node, "flood", FLOOD);
    say(node, "go");
    until(SOON, "the middle of the flood", || is_done(node));
    assert_eq!(pod.container("task").exec(&["/bin/sh", "-c", "id"]).code, 0);
    let is_theft = |event: &Value| {
        event["drift.kind"] == "file.read" && event["drift.object"] == "/etc/shadow"
    };
    // While it goes on.
    until(Duration::from_secs(2), "the theft and the shell", || {
        let told = events_of(node, &pod);
        told.iter().any(is_theft) && told.iter().any(|event| event["drift.kind"] == "exec.injected")
    });
    say(node, "on");
    assert_eq!(pod.container("task").wait(), 0);
    let writes = || newest(&events_of(node, &pod), "file.write");
    let is_group = |event: &&Value| event.get("drift.group.objects").is_some();
    until(SOON, "the end of the flood's group", || {
        writes().iter().filter(is_group).any(|event| event["event.action"] == "closed")
    });
    let writes: Vec<_> =
        writes().into_iter().filter(|event| event["drift.object"] != "/share/done").collect();
    let groups: Vec<_> = writes.iter().filter(is_group).collect();
    let [group] = groups[..] else { panic!("{groups:#?}") };
    assert_eq!(counted(&writes), FILES, "{writes:#?}");
    assert!(writes.len() <= 9, "{writes:#?}");
    assert_eq!(group["drift.object"], "/share/data/*");
    assert_eq!(group["drift.count"], FILES - (writes.len() as u64 - 1));
    let told = events_of(node, &pod);
    let theft: Vec<_> = told.iter().filter(|event| is_theft(event)).collect();
    let [theft] = theft[..] else { panic!("{theft:#?}") };
    assert_eq!(theft["drift.severity"], "high");
    assert!(theft.get("drift.group.objects").is_none() && theft["drift.count"] == 1);
    let injected = newest(&told, "exec.injected");
    assert!(
        injected.iter().any(|event| text(event, "drift.object").starts_with("/bin/")),
        "{told:#?}"
    );
    let count = FILES.to_string();
    until(SOON, "the alert's count", || {
        alerts(node, "flood", "file.write")
            .iter()
            .any(|alert| alert["annotations"]["count"] == *count)
    });
    assert_eq!(alerts(node, "flood", "file.write").len(), 1);
    for kind in ["file.read", "exec.injected"] {
        let alerts = alerts(node, "flood", kind);
        let high = alerts.iter().filter(|alert| alert["labels"]["severity"] == "high");
        assert_eq!(high.count(), 1, "{alerts:#?}");
    }
    pod
}

#[test]
fn a_scan_and_a_flood_are_one_alert_each_and_an_attack_in_it_is_its_own() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let alertmanager = node.alertmanager(&[(
        "alertmanager.yml",
        "route: { receiver: none, group_by: [alertname, namespace] }\nreceivers: [{ name: none }]\n",
    )]);
    fs::create_dir_all(node.outside(WORK)).expect("the node's directory is writable");
    record(&node);
    let flags = [EVENTS[0], EVENTS[1], "--alertmanager", "http://127.0.0.1:9093"];
    let watcher = Agent::start(&node, "watch", &flags);
    let pods = [scan(&node), flood(&node)];
    let metrics = watcher.metrics();
    let series = |line: &&str| {
        line.starts_with("driftline_drift_events_total{") && line.contains("kind=\"net.connect\"")
    };
    let values = metrics.lines().filter(series).filter_map(|line| line.rsplit(' ').next());
    let metric: f64 = values.filter_map(|value| value.parse::<f64>().ok()).sum();
    assert!((metric - 150.0).abs() < 0.5, "each is counted once: {metric} in {metrics}");
    let said = watcher.stop();
    eprintln!("{said}");
    drop(alertmanager);
    let history = agent::history(&node);
    for (pod, kind, count) in [(&pods[0], "net.connect", 150), (&pods[1], "file.write", FILES)] {
        let own = |event: &&Value| {
            event["k8s.pod.uid"] == pod.spec.uid.as_str()
                && event["drift.kind"] == kind
                && event["event.action"] == "created"
                && event.get("drift.group.objects").is_none()
                && event["drift.object"] != "/share/done"
        };
        let firsts = history.events.iter().chain(&history.evidence).filter(own).count();
        assert_eq!(firsts as u64, count, "the store has each first occurrence of {kind}");
    }
    let proved = std::process::Command::new(support::driftline())
        .args(["investigate", "verify-log", "--json", "--store"])
        .arg(node.outside("/var/lib/driftline"))
        .output()
        .expect("driftline runs");
    let verdict: Value = serde_json::from_slice(&proved.stdout).expect("a verdict");
    assert!(verdict["whole"] == true, "{verdict:#}");
    assert_eq!(verdict["evidence"], history.evidence.len(), "{verdict:#}");
    pods.into_iter().for_each(Pod::remove);
}
