use std::sync::Arc;

use serde_json::Value;

use super::*;
use crate::drift::sample;
use crate::drift::{DriftKind, Origin};
use crate::store::Store;
use crate::store::testing::flood;

fn event_of(container: &str, object: &str) -> Write {
    let mut event = sample::event(DriftKind::FileRead, &sample::read(object));
    let origin = Origin { container_id: Some(container.to_owned()), ..sample::origin() };
    event.origin = Arc::new(origin);
    Write::Event(Box::new(event))
}

async fn seen(store: &Store) -> Vec<Value> {
    let events = store.events_after(0, u32::MAX).await.unwrap();
    let line = |line: &str| serde_json::from_str::<Value>(line).unwrap()["drift.seen"].clone();
    events.iter().map(|event| line(&event.line)).collect()
}

#[tokio::test]
async fn an_event_says_what_was_known_before_it_and_not_itself() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).await.unwrap();
    // In one commit, in the next, and by another agent.
    store
        .commit(vec![event_of("a", "/x"), event_of("b", "/x"), event_of("b", "/y")])
        .await
        .unwrap();
    store.commit(vec![event_of("b", "/x")]).await.unwrap();
    store.close().await;
    let store = Store::open(directory.path()).await.unwrap();
    store.commit(vec![event_of("c", "/x"), event_of("c", "/z")]).await.unwrap();
    let seen = seen(&store).await;
    let counts: Vec<_> =
        seen.iter().map(|one| (one["count"].as_u64(), one["containers"].as_u64())).collect();
    let of = |count, containers| (Some(count), Some(containers));
    assert_eq!(counts, [(None, None), of(1, 1), (None, None), of(2, 2), of(3, 2), (None, None)]);
    assert_eq!(seen[1]["first"], "2026-11-21T20:59:01.123456789Z");
    store.close().await;
}

#[tokio::test]
async fn members_of_groups_are_known_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).await.unwrap();
    store.commit(flood("/srv", 40)).await.unwrap();
    store.commit(flood("/srv", 40)).await.unwrap();
    let evidence = store.evidence_after(0, u32::MAX).await.unwrap();
    let has = |line: &String| line.contains("\"drift.seen\"");
    assert!(evidence.len() > 20);
    let (first, second) = evidence.split_at(evidence.len() / 2);
    assert!(!first.iter().any(has) && second.iter().all(has));
    store.close().await;
}

/// What one commit counts of others is known to the next.
#[tokio::test]
async fn a_later_count_beside_a_first_occurrence_is_not_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).await.unwrap();
    let first = event_of("a", "/x");
    let Write::Event(mut again) = event_of("a", "/x") else { unreachable!() };
    let Write::Event(told) = &first else { unreachable!() };
    (again.id, again.action, again.count) = (told.id, crate::drift::Action::Updated, 500);
    store.commit(vec![first]).await.unwrap();
    store.commit(vec![Write::Event(again), event_of("b", "/x")]).await.unwrap();
    store.commit(vec![event_of("c", "/x")]).await.unwrap();
    let seen = seen(&store).await;
    assert_eq!(seen[3]["count"], 501, "{seen:?}");
    store.close().await;
}
