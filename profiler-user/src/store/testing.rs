//! For the tests of this module and of what reads from it.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::{Store, StoredEvent, Write};
use crate::drift::kind::{DriftKind, Novelty};
use crate::drift::{Aggregator, aggregate, sample};

pub(crate) fn write(object: &str) -> Write {
    Write::Event(Box::new(sample::event(DriftKind::FileRead, &sample::read(object))))
}

/// Every event, after a look at what holds it together: numbers without gaps, and the hash of the line before.
pub(crate) async fn verified(store: &Store) -> Vec<StoredEvent> {
    let events = store.events_after(0, u32::MAX).await.unwrap();
    let mut previous = None;
    for (index, event) in events.iter().enumerate() {
        let value: serde_json::Value = serde_json::from_str(&event.line).unwrap();
        assert_eq!(event.seq, i64::try_from(index).unwrap() + 1);
        assert_eq!(value["event.seq"].as_i64(), Some(event.seq));
        let stated = value.get("event.prev_hash").map(|hash| hash.as_str().unwrap().to_owned());
        assert_eq!(stated, previous, "event {}", event.seq);
        let mut hash = String::from("sha256:");
        for byte in Sha256::digest(&event.line) {
            write!(hash, "{byte:02x}").unwrap();
        }
        previous = Some(hash);
    }
    events
}

/// The verdict on a store that nobody has touched.
pub(crate) async fn whole(directory: &std::path::Path) -> super::Verdict {
    let verdict = super::verify_store(directory, &[]).await.unwrap();
    assert!(verdict.whole, "{verdict:?}");
    verdict
}

/// A flood of so many files as a container's aggregator tells of it: what was told on its own, the evidence, and the group.
pub(crate) fn flood(directory: &str, files: usize) -> Vec<Write> {
    let context = sample::context();
    let mut aggregator = Aggregator::new(aggregate::CAPACITY);
    let mut writes = Vec::new();
    for number in 0..files {
        let observation = sample::read(&format!("{directory}/{number}"));
        let finding = sample::finding(DriftKind::FileRead, Novelty::Container, &observation);
        writes.extend(aggregator.observe(&context, &observation, finding, |_| None));
    }
    writes.extend(aggregator.close(&context));
    writes.into_iter().map(Write::from).collect()
}

/// What time retention believes it is: so many nanoseconds from now.
pub(crate) async fn clock_is(store: &Store, ahead: i64) {
    let now = super::nanoseconds(jiff::Timestamp::now());
    let mut writers = store.inner.writers.lock().await;
    let query = sqlx::query("UPDATE retention SET clock = ?").bind(now + ahead);
    query.execute(&mut writers.durable).await.unwrap();
}
