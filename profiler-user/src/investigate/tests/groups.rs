//! Drift that one event tells of: each of it has its answers as well.

use std::sync::Arc;

use jiff::SignedDuration;

use super::super::*;
use super::history::{at, entry};
use crate::drift::aggregate::{self, Aggregator};
use crate::drift::event::{Context, Node, Origin};
use crate::drift::kind::{DriftKind, Novelty};
use crate::drift::sample;
use crate::store::{Store, Write};

const PORTS: u16 = 50;

#[tokio::test]
async fn each_port_of_a_scan_can_be_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let web = entry("web-new", "web", "web", "node-1", 0);
    let node = Node { host_name: "node-1".to_owned(), ..Node::default() };
    let origin = Arc::new(Origin::of_container(&node, &web.identity));
    let context = Context { origin, ..sample::context() };
    let mut aggregator = Aggregator::new(aggregate::CAPACITY);
    let mut writes = vec![Write::Container(Box::new(web))];
    // The last one twice.
    for port in (0..PORTS).chain([PORTS - 1]) {
        let mut observation = sample::connect("/bin/nmap", &format!("10.0.0.9:{}", 1000 + port));
        observation.time = at(10) + SignedDuration::from_millis(port.into());
        let finding = sample::finding(DriftKind::NetConnect, Novelty::Container, &observation);
        let told = aggregator.observe(&context, &observation, finding, |_| None);
        writes.extend(told.into_iter().map(Write::from));
    }
    writes.extend(aggregator.updates(&context, at(12)).into_iter().map(Write::from));
    writes.extend(aggregator.close(&context).into_iter().map(Write::from));
    store.commit(writes).await.unwrap();
    store.close().await;

    let mut history = History::open(dir.path()).await.unwrap();
    let all = timeline(&mut history, &Selector::default(), 100).await.unwrap().entries;
    let drifts: Vec<&Told> = all
        .iter()
        .filter_map(|entry| if let Entry::Drift(told) = entry { Some(&**told) } else { None })
        .collect();
    let group = drifts.iter().find(|told| told.objects.is_some()).expect("a group");
    let alone = drifts.len() - 1;
    let found = members(&mut history, &group.id, 1000).await.unwrap();
    assert!(!found.cut);
    assert_eq!(found.members.len() + alone, usize::from(PORTS));
    assert_eq!(group.objects, Some(found.members.len() as u64));
    assert_eq!(group.count, found.members.iter().map(|told| told.count).sum::<u64>());
    let last = found.members.last().unwrap();
    assert_eq!((last.object.as_str(), last.count), ("tcp 10.0.0.9:1049", 2));
    assert_eq!(last.group.as_ref(), Some(&group.id));

    for name in [&last.id, &last.fingerprint] {
        let seen = seen(&mut history, name).await.unwrap();
        assert_eq!((seen.count, &seen.example.object), (2, &last.object));
        assert_eq!(scope_of(&mut history, name).await.unwrap().containers.len(), 1);
    }
    let window = SignedDuration::from_mins(1);
    let before = before(&mut history, &last.id, window, 10).await.unwrap();
    assert_eq!(before.first_ever.len(), before.drift.len() + 1);
    assert!(members(&mut history, drifts[0].id.as_str(), 10).await.unwrap().members.is_empty());
    let few = members(&mut history, &group.id, 3).await.unwrap();
    assert!(few.cut && few.members.len() == 3);
}
