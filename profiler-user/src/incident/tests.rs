//! Chains are told once, grow under one id, and are nobody's where pods merely talk.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::mpsc;

use super::{Chains, Finder};
use crate::drift::severity::Table;
use crate::drift::{Action, Confidence, Node, Severity, sample};
use crate::investigate::tests::spread::intrusion;
use crate::investigate::{History, Lateral, Selector, lateral};
use crate::store::{Store, Write};

async fn hops(talks: bool) -> Lateral {
    let dir = intrusion(talks).await;
    let mut history = History::open(dir.path()).await.unwrap();
    lateral(&mut history, &Selector::default(), SignedDuration::from_mins(10)).await.unwrap()
}

fn only(hop: usize, all: &Lateral) -> Lateral {
    Lateral { hops: vec![all.hops[hop].clone()], chains: Vec::new(), cut: false }
}

#[tokio::test]
async fn an_intrusion_is_one_incident_that_is_told_once() {
    let found = hops(false).await;
    let mut chains = Chains::default();
    let told = chains.grow(&found, "node-1");
    assert_eq!(told.len(), 1, "{told:#?}");
    let sighting = &told[0].1;
    assert_eq!((sighting.action, sighting.incident.hops.len()), (Action::Created, 2));
    assert_eq!(sighting.incident.confidence, Confidence::High, "one hop led on to the next");
    let id = sighting.id;
    let event = told.into_iter().next().unwrap().1.event(&sample::context());
    assert_eq!((event.severity, event.count), (Severity::Critical, 2));
    assert!(
        event.sentence.starts_with(
            "shop/web-new reached shop/db-0 by 10.0.0.9:5432 and ran /bin/sh there 10.0 s later (one of 2 drifts); \
             then shop/db-0 reached shop/files-0 by 10.0.0.11:22 and wrote /root/.ssh/authorized_keys there 10.0 s later: "
        ),
        "{}",
        event.sentence
    );
    assert_eq!(event.object, "shop/web-new -> shop/db-0 -> shop/files-0");
    assert!(event.techniques.contains(&"T1021".to_owned()));
    assert!(event.techniques.contains(&"T1098.004".to_owned()), "{:?}", event.techniques);
    assert!(chains.grow(&found, "node-1").is_empty(), "it was told");

    // Another agent, or the same started again, knows it by what the event says, and by its id without that.
    let mut again = Chains::default();
    assert!(again.recall(&serde_json::to_string(&event).unwrap()));
    assert!(again.grow(&found, "node-1").is_empty());
    assert_eq!(Chains::default().grow(&found, "node-1")[0].1.id, id);
}

#[tokio::test]
async fn a_chain_that_grows_keeps_its_id() {
    let found = hops(false).await;
    let mut chains = Chains::default();
    let first = chains.grow(&only(0, &found), "node-2").remove(0).1;
    assert_eq!((first.action, first.incident.confidence), (Action::Created, Confidence::Medium));
    assert_eq!(first.clone().event(&sample::context()).severity, Severity::High);
    let grown = chains.grow(&found, "node-1").remove(0).1;
    assert_eq!((grown.action, grown.id), (Action::Updated, first.id));
    assert_eq!((grown.incident.hops.len(), grown.fingerprint), (2, first.fingerprint));
    // Found the other way about, it is still one.
    let mut chains = Chains::default();
    let second = chains.grow(&only(1, &found), "node-1").remove(0).1;
    let both = chains.grow(&found, "node-2").remove(0).1;
    assert_eq!((both.action, both.id, both.incident.hops.len()), (Action::Updated, second.id, 2));
}

#[tokio::test]
async fn where_a_chain_ends_says_who_tells_of_it() {
    let found = hops(false).await;
    assert!(Chains::default().grow(&only(0, &found), "node-1").is_empty());
    assert_eq!(Chains::default().grow(&only(0, &found), "node-2").len(), 1);
}

#[tokio::test]
async fn an_address_of_two_pods_names_neither_and_a_mere_connection_is_no_incident() {
    let found = hops(false).await;
    let mut shared = only(0, &found);
    let mut other = shared.hops[0].clone();
    other.to.pod_uid = "uid-other".to_owned();
    shared.hops.push(other);
    assert!(Chains::default().grow(&shared, "node-2").is_empty());
    let mut low = only(0, &found);
    low.hops[0].confidence = Confidence::Low;
    assert!(Chains::default().grow(&low, "node-2").is_empty());
}

async fn found_in(store: &Store, directory: &std::path::Path, patience: Duration) -> usize {
    let (out, mut events) = mpsc::channel(16);
    let machine =
        Node { host_name: "node-1".to_owned(), name: Some("node-1".to_owned()), cluster: None };
    let rules = Arc::clone(Table::builtin());
    let finder = Finder::new(
        store.clone(),
        directory.to_owned(),
        None,
        machine,
        rules,
        "full".to_owned(),
        out,
    );
    let task = tokio::spawn(finder.run());
    let mut count = 0;
    while let Ok(Some(event)) = tokio::time::timeout(patience, events.recv()).await {
        assert_eq!(event.origin.pod.as_deref(), Some("db-0"), "the first that was reached");
        store.commit(vec![Write::Event(event)]).await.unwrap();
        count += 1;
    }
    task.abort();
    let _aborted = task.await;
    count
}

#[tokio::test]
async fn an_agent_finds_it_by_itself_and_not_again_when_it_is_started_again() {
    for (talks, expected) in [(false, 1), (true, 1)] {
        let dir = intrusion(talks).await;
        let store = Store::open(dir.path()).await.unwrap();
        // As if all of it had come while the finder followed.
        store.advance("incident.lateral", 0).await.unwrap();
        assert_eq!(found_in(&store, dir.path(), Duration::from_secs(4)).await, expected);
        assert_eq!(found_in(&store, dir.path(), Duration::from_secs(2)).await, 0);
        // Nor where it has lost its place.
        store.advance("incident.lateral", 0).await.unwrap();
        assert_eq!(found_in(&store, dir.path(), Duration::from_secs(2)).await, 0);
        store.close().await;
    }
}
