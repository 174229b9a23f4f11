//! From pod to pod: an intrusion through three of them, beside two that merely talk.

use jiff::SignedDuration;
use tempfile::TempDir;

use super::super::*;
use super::history::{at, entry, events};
use crate::drift::kind::DriftKind;
use crate::drift::sample;
use crate::store::{LedgerEntry, Store, Write};

const WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// What each does, in seconds: `talks` has another pod connect to the last one as well, which does nothing after that.
pub(crate) async fn intrusion(talks: bool) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let web = entry("web-new", "web", "web", "node-1", 0);
    let database = entry("db-0", "db", "postgres", "node-2", 0);
    let files = entry("files-0", "files", "files", "node-1", 0);
    let talker = entry("talker-0", "talker", "talker", "node-2", 0);
    let all = [&web, &database, &files, &talker];
    let mut writes: Vec<Write> =
        all.iter().map(|entry| Write::Container(Box::new((*entry).clone()))).collect();
    let mut told = |entry: &LedgerEntry, kind, observation, seconds| {
        let events = events(entry, kind, observation, seconds, 1);
        writes.extend(events.into_iter().map(|event| Write::Event(Box::new(event))));
    };
    let shell = || sample::exec("/bin/sh", &["sh"], Some("/usr/sbin/nginx"));
    told(&web, DriftKind::Exec, shell(), 10);
    told(&web, DriftKind::NetConnect, sample::connect("/bin/sh", "10.0.0.9:5432"), 20);
    told(&database, DriftKind::Exec, shell(), 30);
    told(&database, DriftKind::NetConnect, sample::connect("/bin/sh", "10.0.0.11:22"), 40);
    told(&files, DriftKind::NetAccept, sample::accept("10.0.0.11:22", "10.0.0.9:40000"), 40);
    told(&files, DriftKind::FileWrite, sample::write("/root/.ssh/authorized_keys"), 50);
    // Long after, and with nobody's help.
    told(&web, DriftKind::FileWrite, sample::write("/etc/passwd"), 5000);
    if talks {
        told(&talker, DriftKind::NetConnect, sample::connect("/bin/app", "10.0.0.7:80"), 1000);
    }
    for entry in all {
        let (id, exit_code, reason) = (entry.identity.id.clone(), None, None);
        writes.push(Write::Ended { id, at: at(6000), exit_code, reason });
    }
    store.commit(writes).await.unwrap();
    store.close().await;
    dir
}

async fn found(dir: &TempDir) -> Lateral {
    let mut history = History::open(dir.path()).await.unwrap();
    lateral(&mut history, &Selector::default(), WINDOW).await.unwrap()
}

#[tokio::test]
async fn an_intrusion_through_three_pods_is_one_chain() {
    let found = found(&intrusion(false).await).await;
    let hops: Vec<_> = found
        .hops
        .iter()
        .map(|hop| (hop.from.name.as_str(), hop.to.name.as_str(), hop.confidence))
        .collect();
    assert_eq!(
        hops,
        [
            ("shop/web-new", "shop/db-0", Confidence::Medium),
            ("shop/db-0", "shop/files-0", Confidence::High),
        ]
    );
    assert_eq!(found.hops[1].after[0].object, "/root/.ssh/authorized_keys");
    assert_eq!(found.chains.len(), 1);
    assert_eq!(found.chains[0].pods, ["shop/web-new", "shop/db-0", "shop/files-0"]);
    assert_eq!(found.chains[0].confidence, Confidence::Medium);
}

#[tokio::test]
async fn who_merely_talks_is_in_no_chain() {
    let found = found(&intrusion(true).await).await;
    assert_eq!((found.hops.len(), found.chains.len()), (2, 1), "{:#?}", found.chains);
}

#[tokio::test]
async fn hops_against_the_order_of_time_are_no_chain() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let web = entry("web-new", "web", "web", "node-1", 0);
    let database = entry("db-0", "db", "postgres", "node-2", 0);
    let files = entry("files-0", "files", "files", "node-1", 0);
    let mut writes: Vec<Write> = [&web, &database, &files]
        .into_iter()
        .map(|entry| Write::Container(Box::new(entry.clone())))
        .collect();
    for (entry, kind, observation, seconds) in [
        (&database, DriftKind::NetConnect, sample::connect("/bin/sh", "10.0.0.11:22"), 10),
        (&files, DriftKind::FileWrite, sample::write("/etc/cron.d/x"), 11),
        (&web, DriftKind::NetConnect, sample::connect("/bin/sh", "10.0.0.9:5432"), 900),
        (&database, DriftKind::FileWrite, sample::write("/etc/cron.d/x"), 901),
    ] {
        let events = events(entry, kind, observation, seconds, 1);
        writes.extend(events.into_iter().map(|event| Write::Event(Box::new(event))));
    }
    store.commit(writes).await.unwrap();
    store.close().await;
    let found = found(&dir).await;
    let mut chains: Vec<_> = found.chains.iter().map(|chain| chain.pods.join(" ")).collect();
    chains.sort();
    assert_eq!(chains, ["shop/db-0 shop/files-0", "shop/web-new shop/db-0"]);
}

#[tokio::test]
async fn the_pictures_are_well_formed() {
    let found = found(&intrusion(false).await).await;
    let picture = svg(&found);
    for wanted in ["shop/web-new", "shop/db-0", "shop/files-0", "10.0.0.11", "on node-2"] {
        assert!(picture.contains(wanted), "{wanted} in {picture}");
    }
    assert_eq!(picture.matches("<line ").count(), 2);
    let dot = dot(&found);
    assert_eq!(dot.matches(" -> ").count(), 2, "{dot}");
    assert!(svg(&Lateral { hops: Vec::new(), chains: Vec::new(), cut: false }).contains("</svg>"));
}
