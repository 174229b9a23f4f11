//! A history of two nodes: a rollout, a break-in into the new web server, and from there into the database.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use crate::container::{ContainerId, Identity, ImageIdentity, Pod, Role, Source};
use crate::drift::aggregate::{self, Aggregator, Told};
use crate::drift::event::{Context, Event, Node, Origin};
use crate::drift::kind::{DriftKind, Novelty};
use crate::drift::sample;
use crate::store::{Capture, LedgerEntry, Store, Write};

/// The alert's place among the events.
pub(super) const ALERT: usize = 1;

pub(super) fn at(seconds: i64) -> Timestamp {
    sample::start() + SignedDuration::from_secs(seconds)
}

/// When it happened, in seconds.
pub(super) fn after(what: &str) -> i64 {
    match what {
        "passwd" => 200,
        "shell" => 220,
        "connect" => 240,
        "gap" => 250,
        "db" => 300,
        "end" => 400,
        other => panic!("nothing is called {other}"),
    }
}

/// The address of a pod.
pub(super) fn address(pod: &str) -> &'static str {
    match pod {
        "web-old" | "web-new" => "10.0.0.7",
        "db-0" => "10.0.0.9",
        "files-0" => "10.0.0.11",
        _ => "10.0.0.13",
    }
}

/// The id of a pod's container.
pub(super) fn of(pod: &str) -> String {
    let number = match pod {
        "web-old" => 1,
        "web-new" => 2,
        "db-0" => 3,
        "files-0" => 4,
        "talker-0" => 5,
        other => panic!("no pod is called {other}"),
    };
    // The first digits tell them apart.
    format!("{number:02}{}", "ab".repeat(31))
}

pub(crate) fn entry(
    pod: &str,
    workload: &str,
    image: &str,
    node: &str,
    started: i64,
) -> LedgerEntry {
    let version = if pod == "web-old" { "1" } else { "2" };
    let digest = format!("{image}{version}");
    let identity = Identity {
        id: ContainerId::parse(&of(pod)).unwrap(),
        source: Source::Runtime,
        role: Role::Container,
        runtime: Some("containerd".to_owned()),
        name: Some(workload.to_owned()),
        attempt: 0,
        pod: Some(Pod {
            uid: format!("uid-{pod}"),
            name: Some(pod.to_owned()),
            namespace: Some("shop".to_owned()),
            labels: [("app".to_owned(), workload.to_owned())].into(),
            ip: Some(address(pod).parse().unwrap()),
        }),
        image: Some(ImageIdentity {
            id: Some(format!("sha256:{digest}")),
            reference: Some(format!("registry/{image}:{version}")),
            name: format!("registry/{image}"),
            tags: vec![version.to_owned()],
            repo_digests: vec![format!("registry/{image}@sha256:manifest-{digest}")],
            architecture: None,
        }),
        pid: Some(100),
        log_path: None,
        created: None,
        started: Some(at(started)),
        finished: None,
        exit_code: None,
        reason: None,
    };
    LedgerEntry {
        identity,
        cgroup: None,
        node: node.to_owned(),
        seen: at(started),
        capture: Capture::FromStart,
        tier: Some("full".to_owned()),
        baseline: None,
        provenance: None,
    }
}

/// The first event, and where it was repeated, the word about that.
pub(crate) fn events(
    entry: &LedgerEntry,
    kind: DriftKind,
    mut observation: crate::behaviour::Observation,
    seconds: i64,
    count: u64,
) -> Vec<Event> {
    observation.time = at(seconds);
    let node = Node { host_name: entry.node.clone(), ..Node::default() };
    let context = Context {
        origin: Arc::new(Origin::of_container(&node, &entry.identity)),
        ..sample::context()
    };
    let finding = sample::finding(kind, Novelty::Container, &observation);
    let mut aggregator = Aggregator::new(aggregate::CAPACITY);
    let mut told = Vec::new();
    for _ in 0..count {
        told.extend(aggregator.observe(&context, &observation, finding.clone(), |_| None));
        observation.time += SignedDuration::from_secs(1);
    }
    told.extend(aggregator.close(&context));
    let events = told.into_iter().map(|told| match told {
        Told::Event(event) => *event,
        other => panic!("so few are told on their own: {other:?}"),
    });
    events.collect()
}

/// The store's directory, and the `event.id` of each drift in the order in which they happened.
pub(crate) async fn laboratory() -> (TempDir, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let old = entry("web-old", "web", "web", "node-1", 0);
    let new = entry("web-new", "web", "web", "node-1", 100);
    let database = entry("db-0", "db", "postgres", "node-2", 150);
    let ended = |entry: &LedgerEntry, seconds, exit_code, reason: Option<&str>| Write::Ended {
        id: entry.identity.id.clone(),
        at: at(seconds),
        exit_code,
        reason: reason.map(str::to_owned),
    };
    let mut writes = vec![
        Write::Container(Box::new(old.clone())),
        ended(&old, 90, Some(0), None),
        Write::Container(Box::new(new.clone())),
        Write::Container(Box::new(database.clone())),
    ];
    let mut ids: Vec<String> = Vec::new();
    let shell = || sample::exec("/bin/sh", &["sh", "-c", "id"], Some("/usr/sbin/nginx"));
    for told in [
        events(&new, DriftKind::FileRead, sample::read("/etc/passwd"), after("passwd"), 1),
        events(&new, DriftKind::Exec, shell(), after("shell"), 1),
        events(
            &new,
            DriftKind::NetConnect,
            sample::connect("/bin/sh", "10.0.0.9:5432"),
            after("connect"),
            1,
        ),
        events(&database, DriftKind::Exec, shell(), after("db"), 7),
    ] {
        ids.push(told[0].id.to_string());
        writes.extend(told.into_iter().map(|event| Write::Event(Box::new(event))));
    }
    writes.push(Write::Gap {
        container: None,
        from: at(after("gap")),
        to: at(after("gap") + 10),
        why: "the agent was away".to_owned(),
        event: None,
    });
    writes.push(Write::Lost { id: new.identity.id.clone(), kind: "exec", total: 3 });
    writes.push(ended(&new, after("end"), Some(137), Some("OOMKilled")));
    store.commit(writes).await.unwrap();
    store.close().await;
    (dir, ids)
}
