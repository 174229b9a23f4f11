//! Containers that come and go by the thousand keep their names.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{
    agent::{self, Agent, EVENTS},
    churned::{
        LIFE, TASK, assert_in_ledger, assert_labelled, can_run, churn, count, node, recorded, task,
        until,
    },
    pods::BUSYBOX,
};

#[test]
fn churned_containers_are_all_in_the_ledger_and_in_the_baseline() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = node();
    let recorder = Agent::start(&node, "record", &[]);
    let begun = Instant::now();
    let truth = node.churn(count(200));
    let took = begun.elapsed();
    let waited = Instant::now();
    recorded(&node, recorder, BUSYBOX, &truth);
    eprintln!("{} containers in {took:?}, recorded {:?} later", truth.len(), waited.elapsed());
    let history = agent::history(&node);
    assert_in_ledger(&history, &truth);
}

#[test]
fn churned_containers_have_their_events_and_nobody_elses() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = node();
    let recorder = Agent::start(&node, "record", &[]);
    let usual = churn(&node, 4, "", &task(LIFE));
    recorded(&node, recorder, TASK, &usual);

    let watcher = Agent::start(&node, "watch", &EVENTS);
    let begun = Instant::now();
    let script = format!("cat /etc/shadow; {LIFE}; exit 3");
    let truth = churn(&node, count(60), "", &task(&script));
    let took = begun.elapsed();
    let is_theft = |event: &Value| {
        event["drift.kind"] == "file.read" && event["drift.object"] == "/etc/shadow"
    };
    let ids: BTreeSet<_> = truth.iter().map(|ended| ended.id.as_str()).collect();
    let waited = Instant::now();
    until("an event of each container", &watcher, Duration::from_secs(30), || {
        let events = agent::events(&node);
        let told = events.iter().filter(|event| is_theft(event));
        told.filter_map(|event| event["container.id"].as_str())
            .collect::<BTreeSet<_>>()
            .is_superset(&ids)
    });
    eprintln!("{} containers in {took:?}, told {:?} later", truth.len(), waited.elapsed());
    let said = watcher.stop();
    let history = agent::history(&node);
    assert_in_ledger(&history, &truth);
    for events in [&agent::events(&node), &history.events] {
        let found = assert_labelled(events, &truth, &said);
        assert_eq!(found.keys().copied().collect::<BTreeSet<_>>(), ids);
        for events in found.values() {
            assert!(events.iter().any(|event| is_theft(event)), "{events:#?}");
            assert!(
                events.iter().all(|event| event["baseline.status"] == "exact"),
                "{events:#?}\n{said}"
            );
        }
    }
}
