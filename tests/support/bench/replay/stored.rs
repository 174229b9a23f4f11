//! How much drift the store takes in a second, from the finding to the disk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use profiler_user::behaviour::{Behaviour, Observation};
use profiler_user::drift::event::Drift;
use profiler_user::drift::fingerprint::Fingerprint;
use profiler_user::drift::{Action, Aggregator, Context, Event, Finding, Origin, aggregate};
use profiler_user::store::{Store, StoreWriter, Write, verify_store};
use tokio::time::{MissedTickBehavior, interval};

/// How long each is measured.
const TIME: Duration = Duration::from_secs(3);

/// What is offered all the time, and for how long.
const OFFERED: u64 = 10_000;
const SUSTAINED: Duration = Duration::from_secs(20);

/// A store and who writes to it.
struct Place {
    directory: tempfile::TempDir,
    store: Store,
    writer: StoreWriter,
    task: tokio::task::JoinHandle<u64>,
}

impl Place {
    async fn new() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let store = Store::open(directory.path()).await?;
        let (writer, task) = StoreWriter::new(store.clone());
        Ok(Self { directory, store, writer, task: tokio::spawn(task) })
    }

    /// Waits until all is on disk, and sees that it is.
    async fn end(self) -> anyhow::Result<tempfile::TempDir> {
        drop(self.writer);
        let not_written = self.task.await?;
        ensure!(not_written == 0, "{not_written} events were not written");
        self.store.close().await;
        Ok(self.directory)
    }
}

fn context(container: u64) -> Context {
    let mut origin = Origin::of_command("here".to_owned(), "replay");
    origin.container_id = Some(format!("{container:064x}"));
    Context { recorded_runs: 1, ..Context::unjudged(origin.into(), "full") }
}

/// First occurrences of which each is told on its own: every container does all of it once.
struct Firsts {
    events: Vec<Event>,
    next: usize,
    containers: u64,
    origin: Arc<Origin>,
}

impl Firsts {
    fn new(drift: &[(Observation, Finding)]) -> Self {
        let event = |(observation, finding): &(Observation, Finding)| {
            let drift = Drift {
                id: ulid::Ulid::new(),
                fingerprint: Fingerprint::of(observation, finding),
                observation: observation.clone(),
                finding: finding.clone(),
                last: observation.time,
                count: 1,
            };
            Event::new(&context(0), &drift, Action::Created)
        };
        let events = drift.iter().map(event).collect();
        Self { events, next: 0, containers: 0, origin: context(0).origin }
    }

    fn next(&mut self) -> Write {
        if self.next == self.events.len() {
            self.next = 0;
            self.containers += 1;
            self.origin = context(self.containers).origin;
        }
        let mut event = self.events[self.next].clone();
        self.next += 1;
        event.id = ulid::Ulid::new();
        event.origin = Arc::clone(&self.origin);
        Write::Event(Box::new(event))
    }
}

/// As fast as the store takes them.
pub(super) async fn firsts(drift: &[(Observation, Finding)]) -> anyhow::Result<f64> {
    let place = Place::new().await?;
    let mut firsts = Firsts::new(drift);
    let begun = Instant::now();
    let mut events = 0.0;
    while begun.elapsed() < TIME {
        events += 1.0;
        place.writer.write(firsts.next()).await;
    }
    let _removed = place.end().await?;
    Ok(events / begun.elapsed().as_secs_f64())
}

/// Containers that each do all of it `times` over, one after the other.
pub(super) async fn occurrences(
    drift: &[(Observation, Finding)],
    times: usize,
) -> anyhow::Result<f64> {
    let place = Place::new().await?;
    let begun = Instant::now();
    let (mut occurrences, mut containers) = (0.0, 0);
    while begun.elapsed() < TIME {
        containers += 1;
        let context = context(containers);
        let mut aggregator = Aggregator::new(aggregate::CAPACITY);
        for _ in 0..times {
            for (observation, finding) in drift {
                occurrences += 1.0;
                for told in aggregator.observe(&context, observation, finding.clone(), |_| None) {
                    place.writer.write(told.into()).await;
                }
            }
        }
        for told in aggregator.close(&context) {
            place.writer.write(told.into()).await;
        }
    }
    let _removed = place.end().await?;
    Ok(occurrences / begun.elapsed().as_secs_f64())
}

/// One container that reads ever other files: one event tells of them, and each is kept.
pub(super) async fn flood(drift: &[(Observation, Finding)]) -> anyhow::Result<f64> {
    let is_file = |observation: &Observation| matches!(observation.behaviour, Behaviour::File(_));
    let found = drift.iter().find(|(observation, _)| is_file(observation));
    let Some((observation, finding)) = found else { anyhow::bail!("no file is new") };
    let place = Place::new().await?;
    let context = context(0);
    let mut aggregator = Aggregator::new(aggregate::CAPACITY);
    let begun = Instant::now();
    let mut number = 0_u32;
    while begun.elapsed() < TIME {
        number += 1;
        let object = format!("/flood/{number}");
        let finding = Finding { pattern: object.clone(), object, ..finding.clone() };
        for told in aggregator.observe(&context, observation, finding, |_| None) {
            place.writer.write(told.into()).await;
        }
    }
    for told in aggregator.close(&context) {
        place.writer.write(told.into()).await;
    }
    let directory = place.end().await?;
    let took = begun.elapsed().as_secs_f64();
    let verdict = verify_store(directory.path(), &[]).await?;
    ensure!(verdict.whole && verdict.evidence > u64::from(number) * 9 / 10, "{verdict:?}");
    Ok(f64::from(number) / took)
}

pub(super) struct Sustained {
    /// Events a second that were on disk when the time was over.
    pub(super) rate: f64,
    /// How far the disk was behind, in milliseconds: seen a hundred times a second.
    pub(super) median: f64,
    pub(super) worst: f64,
}

/// So many first occurrences a second, for so long that nothing can hide in a queue; all of them have to be there in the end.
pub(super) async fn sustained(drift: &[(Observation, Finding)]) -> anyhow::Result<Sustained> {
    let place = Place::new().await?;
    let newest = place.store.newest();
    let mut firsts = Firsts::new(drift);
    let mut ticks = interval(Duration::from_millis(10));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let begun = Instant::now();
    // When each hundred was handed in, and how old the oldest was that was not on disk.
    let mut handed: Vec<Instant> = Vec::new();
    let mut behind = Vec::new();
    let step = OFFERED / 100;
    while begun.elapsed() < SUSTAINED {
        ticks.tick().await;
        handed.push(Instant::now());
        for _ in 0..step {
            place.writer.write(firsts.next()).await;
        }
        let done = usize::try_from(newest.borrow().unsigned_abs() / step)?;
        behind.push(handed.get(done).map_or(Duration::ZERO, Instant::elapsed));
    }
    let took = begun.elapsed().as_secs_f64();
    let there = *newest.borrow();
    let offered = handed.len() as u64 * step;
    let directory = place.end().await?;
    let verdict = verify_store(directory.path(), &[]).await?;
    ensure!(verdict.whole && verdict.events == offered, "of {offered}: {verdict:?}");
    behind.sort_unstable();
    let millis = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1000.0);
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    Ok(Sustained {
        rate: there as f64 / took,
        median: millis(behind.get(behind.len() / 2)),
        worst: millis(behind.last()),
    })
}
