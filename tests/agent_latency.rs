//! How long it takes from a deed in a container to the line in the events file and to the request at Alertmanager.
//!
//! `DRIFTLINE_LATENCY` says how many deeds, 25 by default; `cargo xtask bench --suite latency` asks for 200.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::Value;
use support::{
    agent::{self, Agent, EVENTS},
    pods::{Node, Pod},
    receiver::Receiver,
    told::{can_run, until},
    worker::{WORK, worker},
};

const PODS: usize = 5;

/// So far apart that nothing is told together: each is an event of its own.
const TASK: &str = "until [ -e /share/go ]; do usleep 50000; done; n=0; \
    while [ $n -lt $DEEDS ]; do n=$((n+1)); drift $n; sleep 2.1; done; sleep 600";

/// Each line with when it was there: looked for a thousand times a second.
fn lines(path: &std::path::Path, stop: &AtomicBool) -> Vec<(Timestamp, Value)> {
    let mut file = None;
    let (mut text, mut found) = (Vec::new(), Vec::new());
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(1));
        if file.is_none() {
            file = fs::File::open(path).ok();
        }
        let Some(file) = &mut file else { continue };
        file.read_to_end(&mut text).expect("readable");
        let now = Timestamp::now();
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            found.push((now, serde_json::from_slice(&line).expect("whole lines")));
        }
    }
    found
}

/// Milliseconds.
fn millis(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() * 1000.0
}

fn report(what: &str, mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |share: usize| values[(values.len() * share / 100).min(values.len() - 1)];
    let (median, high) = (at(50), at(99));
    // Past the harness's capture: the bench reads it.
    let line = format!("latency {what} {} {median:.3} {high:.3}", values.len());
    let _stderr_may_be_gone = writeln!(std::io::stderr(), "{line}");
    median
}

#[test]
fn a_deed_is_in_the_file_at_once_and_at_alertmanager_soon() {
    if !can_run() {
        return;
    }
    let asked = std::env::var("DRIFTLINE_LATENCY").ok().and_then(|count| count.parse().ok());
    let deeds = asked.unwrap_or(25_usize).div_ceil(PODS);
    let _alone = agent::alone();
    let node = Node::start();
    let alertmanager = Receiver::start(&node, 9093, 200);
    let flags = [EVENTS[0], EVENTS[1], "--alertmanager", "http://127.0.0.1:9093"];
    let watcher = Agent::start(&node, "watch", &flags);
    fs::create_dir_all(node.outside(WORK)).expect("the node's directory is writable");
    let pods: Vec<Pod> = (0..PODS)
        .map(|number| {
            let mut spec = worker(&format!("deeds{number}"), TASK);
            let container = spec.containers.remove(0).env("DEEDS", &deeds.to_string());
            node.run(spec.container(container))
        })
        .collect();
    let stop = AtomicBool::new(false);
    let path = node.outside(EVENTS[1]);
    let found = thread::scope(|scope| {
        let lines = scope.spawn(|| lines(&path, &stop));
        fs::write(node.outside(WORK).join("go"), "").expect("writable");
        let limit = Duration::from_secs(30)
            + Duration::from_millis(2500) * u32::try_from(deeds).expect("few");
        let begun = Instant::now();
        until(limit, "all deeds", || {
            let told = agent::events(&node);
            let ours = told.iter().filter(|event| event["drift.kind"] == "file.write");
            ours.count() >= deeds * PODS
        });
        eprintln!("{deeds} deeds of {PODS} pods in {:?}", begun.elapsed());
        // Until the last is at Alertmanager.
        thread::sleep(Duration::from_secs(3));
        stop.store(true, Ordering::Relaxed);
        lines.join().expect("no panic")
    });
    let is_deed = |event: &Value| {
        event["drift.kind"] == "file.write"
            && event["event.action"] == "created"
            && pods.iter().any(|pod| event["k8s.pod.uid"] == pod.spec.uid.as_str())
    };
    let ours: Vec<_> = found.iter().filter(|(_, event)| is_deed(event)).collect();
    assert_eq!(ours.len(), deeds * PODS, "each is told by itself");
    let when = |event: &Value| -> Timestamp {
        event["time"].as_str().expect("a time").parse().expect("a time")
    };
    // The kernel's own word on when it was: the file's time, which goes by ticks of some milliseconds.
    for pod in &pods {
        let own = ours.iter().filter(|(_, event)| event["k8s.pod.uid"] == pod.spec.uid.as_str());
        for (_, event) in own.take(3) {
            let path = event["drift.object"].as_str().expect("a path");
            let root = format!("/proc/{}/root{path}", pod.containers()[0].pid());
            let made: Timestamp = fs::metadata(root)
                .expect("it is there")
                .modified()
                .expect("a time")
                .try_into()
                .expect("in range");
            assert!(millis(made, when(event)).abs() < 20.0, "{made} {}", when(event));
        }
    }
    let to_file = ours.iter().map(|(came, event)| millis(when(event), *came)).collect();
    // An alert tells how many came: the first request that counts an event tells of it.
    let mut requests = BTreeMap::<String, Vec<(Timestamp, u64)>>::new();
    for (came, body) in alertmanager.bodies() {
        // Trying it out has no body.
        let alerts: Value = serde_json::from_str(&body).unwrap_or_default();
        for alert in alerts.as_array().into_iter().flatten() {
            if alert["labels"]["drift_kind"] == "file.write" {
                let workload = alert["labels"]["workload"].as_str().unwrap_or_default().to_owned();
                let count =
                    alert["annotations"]["count"].as_str().and_then(|count| count.parse().ok());
                requests.entry(workload).or_default().push((came, count.expect("a count")));
            }
        }
    }
    let mut to_alertmanager = Vec::new();
    let mut counts = BTreeMap::<&str, u64>::new();
    for (_, event) in &ours {
        let workload = event["driftline.workload"].as_str().expect("a workload");
        let number = counts.entry(workload).or_default();
        *number += 1;
        let told = requests.get(workload).into_iter().flatten().find(|(_, count)| count >= number);
        let (came, _) = told.unwrap_or_else(|| panic!("{workload} {number}: {requests:#?}"));
        to_alertmanager.push(millis(when(event), *came));
    }
    let file = report("file", to_file);
    let alert = report("alertmanager", to_alertmanager);
    assert!(file <= 50.0, "drift is on disk within 50 ms: {file} ms");
    assert!(alert <= 2000.0, "{alert} ms");
    watcher.stop();
    pods.into_iter().for_each(Pod::remove);
}
