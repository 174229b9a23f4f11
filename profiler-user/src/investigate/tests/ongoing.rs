//! What began before it is asked about, grew since, or is hidden by noise.

use jiff::SignedDuration;
use tempfile::TempDir;

use super::super::*;
use super::history::{at, entry, events};
use super::spread::intrusion;
use crate::drift::kind::DriftKind;
use crate::drift::{Severity, sample};
use crate::incident::Chains;
use crate::store::{LedgerEntry, Store, Write};

const WINDOW: SignedDuration = SignedDuration::from_mins(10);

async fn store(entries: &[&LedgerEntry], drift: Vec<crate::drift::Event>) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let container = |entry: &&LedgerEntry| Write::Container(Box::new((*entry).clone()));
    let mut writes: Vec<Write> = entries.iter().map(container).collect();
    writes.extend(drift.into_iter().map(|event| Write::Event(Box::new(event))));
    store.commit(writes).await.unwrap();
    store.close().await;
    dir
}

#[tokio::test]
async fn what_began_earlier_and_goes_on_is_told() {
    let web = entry("web-new", "web", "web", "node-1", 0);
    let mut drift = events(&web, DriftKind::FileRead, sample::read("/etc/passwd"), 10, 500);
    drift.extend(events(&web, DriftKind::FileRead, sample::read("/etc/group"), 20, 1));
    let dir = store(&[&web], drift).await;
    let mut history = History::open(dir.path()).await.unwrap();
    let selector = Selector { from: Some(at(300)), ..Selector::default() };
    let told = timeline(&mut history, &selector, 10).await.unwrap().entries;
    let [Entry::Drift(told)] = told.as_slice() else { panic!("{told:#?}") };
    assert_eq!((told.object.as_str(), told.count, told.time), ("/etc/passwd", 500, at(10)));
    let over = Selector { from: Some(at(600)), ..Selector::default() };
    assert!(timeline(&mut history, &over, 10).await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn an_incident_is_told_as_it_has_grown() {
    let dir = intrusion(false).await;
    let mut history = History::open(dir.path()).await.unwrap();
    let found = lateral(&mut history, &Selector::default(), WINDOW).await.unwrap();
    history.close().await;
    let first = Lateral { hops: vec![found.hops[0].clone()], chains: Vec::new(), cut: false };
    let mut chains = Chains::default();
    let mut told = chains.grow(&first, "node-2");
    told.extend(chains.grow(&found, "node-1"));
    let told = told.into_iter().map(|(_, sighting)| sighting.event(&sample::context()));
    let dir = store(&[], told.collect()).await;
    let mut history = History::open(dir.path()).await.unwrap();
    let grave = Selector { severity: Some(Severity::Critical), ..Selector::default() };
    for selector in [grave, Selector::default()] {
        let told = timeline(&mut history, &selector, 10).await.unwrap().entries;
        let [Entry::Drift(told)] = told.as_slice() else { panic!("{told:#?}") };
        assert_eq!(told.severity, "critical");
        assert_eq!(told.object, "shop/web-new -> shop/db-0 -> shop/files-0");
        let one = history.event(&told.id).await.unwrap();
        assert_eq!((one.severity.as_str(), &one.object), ("critical", &told.object));
    }
}

#[tokio::test]
async fn a_hop_is_seen_through_noise() {
    let web = entry("web-new", "web", "web", "node-1", 0);
    let files = entry("files-0", "files", "files", "node-1", 0);
    let connect = sample::connect("/bin/sh", "10.0.0.11:22");
    let accept = sample::accept("10.0.0.11:22", "10.0.0.7:40000");
    let mut drift = events(&web, DriftKind::NetConnect, connect, 10, 1);
    drift.extend(events(&files, DriftKind::NetAccept, accept, 10, 1));
    let shell = sample::exec("/bin/sh", &["sh"], Some("/usr/sbin/sshd"));
    drift.extend(events(&files, DriftKind::Exec, shell, 11, 1));
    for (number, severity) in [(250, Severity::Info), (250, Severity::Low)] {
        for object in 0..number {
            let read = sample::read(&format!("/noise/{}/{object}", severity.name()));
            let mut noise = events(&files, DriftKind::FileRead, read, 12, 1);
            noise[0].severity = severity;
            drift.extend(noise);
        }
    }
    let dir = store(&[&web, &files], drift).await;
    let mut history = History::open(dir.path()).await.unwrap();
    let found = lateral(&mut history, &Selector::default(), WINDOW).await.unwrap();
    assert_eq!(found.hops.len(), 1);
    assert_eq!(found.hops[0].confidence, Confidence::High);
}

#[tokio::test]
async fn many_ways_between_the_same_pods_hide_no_other_chain() {
    let web = entry("web-new", "web", "web", "node-1", 0);
    let database = entry("db-0", "db", "postgres", "node-2", 0);
    let files = entry("files-0", "files", "files", "node-1", 0);
    let talker = entry("talker-0", "talker", "talker", "node-2", 0);
    let old = entry("web-old", "old", "web", "node-1", 0);
    let mut drift = Vec::new();
    let mut hop = |from: &LedgerEntry, to: &LedgerEntry, address: &str, port: u16, seconds: i64| {
        let connect = sample::connect("/bin/sh", &format!("{address}:{port}"));
        drift.extend(events(from, DriftKind::NetConnect, connect, seconds, 1));
        let wrote = sample::write(&format!("/tmp/{port}"));
        drift.extend(events(to, DriftKind::FileWrite, wrote, seconds + 1, 1));
    };
    for port in 1..=20 {
        hop(&web, &database, "10.0.0.9", port, i64::from(port));
        hop(&database, &files, "10.0.0.11", 100 + port, 100 + i64::from(port));
    }
    hop(&old, &talker, "10.0.0.13", 200, 3000);
    let dir = store(&[&web, &database, &files, &talker, &old], drift).await;
    let mut history = History::open(dir.path()).await.unwrap();
    let found = lateral(&mut history, &Selector::default(), WINDOW).await.unwrap();
    let mut pods: Vec<_> = found.chains.iter().map(|chain| chain.pods.join(" ")).collect();
    pods.sort();
    assert_eq!(pods, ["shop/web-new shop/db-0 shop/files-0", "shop/web-old shop/talker-0"]);
    assert!(!found.cut);
}

/// Members of a group are in no row of events.
#[tokio::test]
async fn who_did_what_a_group_tells_of_is_found_within_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.commit(crate::store::testing::flood("/srv", 40)).await.unwrap();
    let lines = store.evidence_after(0, 1).await.unwrap();
    store.close().await;
    let member: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    let fingerprint = member["drift.fingerprint"].as_str().map(str::to_owned);
    let mut history = History::open(dir.path()).await.unwrap();
    let selector = Selector { fingerprint, from: Some(at(-86_400)), ..Selector::default() };
    assert_eq!(scope(&mut history, &selector).await.unwrap().containers.len(), 1);
}
