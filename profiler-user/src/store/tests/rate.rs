//! How much drift the store takes in a second.

use std::time::Instant;

use super::*;
use crate::drift::aggregate::{Aggregator, CAPACITY};
use crate::drift::kind::{DriftKind, Novelty};

/// Occurrences of one container, of which one in `of` is a first; the rest repeat.
async fn occurrences(count: u64, of: u64) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let (writer, task) = StoreWriter::new(store.clone());
    let task = tokio::spawn(task);
    let mut aggregator = Aggregator::new(CAPACITY);
    let context = sample::context();
    let begun = Instant::now();
    for number in 0..count {
        let observation = sample::read(&format!("/srv/{}", number / of));
        let finding = sample::finding(DriftKind::FileRead, Novelty::Container, &observation);
        for event in aggregator.observe(&context, &observation, finding, |_| None) {
            writer.write(Write::Event(Box::new(event))).await;
        }
    }
    for event in aggregator.close(&context) {
        writer.write(Write::Event(Box::new(event))).await;
    }
    drop(writer);
    assert_eq!(task.await.unwrap(), 0);
    let took = begun.elapsed().as_secs_f64();
    let events = verified(&store).await;
    assert_eq!(events.len() as u64, 2 * count / of);
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    let rate = count as f64 / took;
    rate
}

#[tokio::test]
async fn what_repeats_is_taken_by_the_thousands_a_second() {
    let rate = occurrences(50_000, 50).await;
    eprintln!("{rate:.0} occurrences a second, one in 50 a first");
    // Of an unoptimised build on a machine that others use.
    assert!(rate > 2_000.0, "{rate}");
}
