//! How much drift the store takes in a second.

use std::time::Instant;

use super::*;
use crate::drift::aggregate::{Aggregator, CAPACITY};
use crate::drift::kind::{DriftKind, Novelty};
use crate::drift::{Action, Event, Told};

/// Occurrences of one container, of which one in `of` is a first; the rest repeat. How many there were in a second, and how
/// many of the firsts a group told of.
async fn occurrences(count: u64, of: u64) -> (f64, u64) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let (writer, task) = StoreWriter::new(store.clone());
    let task = tokio::spawn(task);
    let mut aggregator = Aggregator::new(CAPACITY);
    let context = sample::context();
    let begun = Instant::now();
    let (mut own, mut members) = (0, 0);
    for number in 0..count {
        let observation = sample::read(&format!("/srv/{}", number / of));
        let finding = sample::finding(DriftKind::FileRead, Novelty::Container, &observation);
        for told in aggregator.observe(&context, &observation, finding, |_| None) {
            own += u64::from(matches!(told, Told::Event(_)));
            members += u64::from(matches!(told, Told::Evidence(_)));
            writer.write(told.into()).await;
        }
    }
    for told in aggregator.close(&context) {
        writer.write(told.into()).await;
    }
    drop(writer);
    assert_eq!(task.await.unwrap(), 0);
    let took = begun.elapsed().as_secs_f64();
    let events = verified(&store).await;
    assert_eq!(own + members, count / of);
    // Each that was told on its own and repeated is closed, and the group is created and closed.
    let repeated = u64::from(of > 1);
    assert_eq!(events.len() as u64, own * (1 + repeated) + 2);
    let counted: u64 = events
        .iter()
        .filter(|event| {
            event.action == Action::Closed || repeated == 0 && event.seq.unsigned_abs() <= own
        })
        .map(|event| {
            serde_json::from_str::<serde_json::Value>(&event.line).unwrap()["drift.count"]
                .as_u64()
                .unwrap()
        })
        .sum();
    assert_eq!(counted, count);
    let totals: (i64, i64) = sqlx::query_as(
        "SELECT COUNT(*), SUM(count) FROM drifts WHERE fingerprint NOT IN \
            (SELECT fingerprint FROM events WHERE line LIKE '%drift.group.objects%')",
    )
    .fetch_one(&store.inner.readers)
    .await
    .unwrap();
    let exact = |number: u64| i64::try_from(number).unwrap();
    assert_eq!(totals, (exact(count / of), exact(count)), "by container and fingerprint");
    assert_eq!(whole(dir.path()).await.evidence, members);
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    let rate = count as f64 / took;
    (rate, members)
}

#[tokio::test]
async fn what_repeats_is_taken_by_the_thousands_a_second() {
    let (rate, _) = occurrences(50_000, 50).await;
    eprintln!("{rate:.0} occurrences a second, one in 50 a first");
    // Of an unoptimised build on a machine that others use.
    assert!(rate > 2_000.0, "{rate}");
}

#[tokio::test]
async fn a_flood_is_kept_as_evidence_line_by_line() {
    let (rate, members) = occurrences(5_000, 1).await;
    eprintln!("{rate:.0} first occurrences a second, {members} of them told by a group");
    assert_eq!(members, 5_000 - 8);
}

/// As when every one is told on its own: of many containers, say.
#[tokio::test]
async fn first_occurrences_are_taken_by_the_thousands_a_second() {
    const EVENTS: usize = 10_000;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let one = sample::event(DriftKind::FileRead, &sample::read("/srv/1"));
    let event = |number: usize| Event {
        id: ulid::Ulid::from_parts(1, number as u128),
        fingerprint: format!("{number:016x}"),
        ..one.clone()
    };
    let (writer, task) = StoreWriter::new(store.clone());
    let task = tokio::spawn(task);
    let begun = Instant::now();
    for number in 0..EVENTS {
        writer.write(Write::Event(Box::new(event(number)))).await;
    }
    drop(writer);
    assert_eq!(task.await.unwrap(), 0);
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    let rate = EVENTS as f64 / begun.elapsed().as_secs_f64();
    assert_eq!(verified(&store).await.len(), EVENTS);
    eprintln!("{rate:.0} first occurrences a second");
    // Of an unoptimised build on a machine that others use.
    assert!(rate > 1_000.0, "{rate}");
}
