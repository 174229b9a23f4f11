//! A month of events, in the order of their time, written as an agent writes them.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use profiler_user::drift::event::Drift;
use profiler_user::drift::fingerprint::Fingerprint;
use profiler_user::drift::{
    Action, Confidence, Context, Event, Incident, IncidentHop, Party, Sighting,
};
use profiler_user::store::{Store, Write};
use ulid::Ulid;

use super::node;

/// Of the image of one workload in forty.
pub(super) const DIGEST: &str =
    "sha256:00000000000000000000000000000000000000000000000000000000000000f8";

/// First occurrences of one container.
const DEEDS: u64 = 160;

/// Containers that run at a time.
const AT_ONCE: u64 = 170;

/// Events of one transaction.
const BATCH: usize = 512;

const DAYS: i64 = 30;

/// Of four events one counts what another told before; once in so many there is a chain from pod to pod.
const CHAIN: u64 = 50_000;

/// Writes so many events into a new store.
pub(super) async fn write(directory: &Path, events: u64) -> anyhow::Result<()> {
    let store = Store::open(directory).await?;
    let mut month = Month::new(events)?;
    let mut batch = Vec::with_capacity(BATCH);
    while let Some(writes) = month.step()? {
        batch.extend(writes);
        if batch.len() >= BATCH {
            store.commit(std::mem::take(&mut batch)).await?;
        }
    }
    store.commit(batch).await?;
    store.close().await;
    Ok(())
}

struct Month {
    events: u64,
    /// Told so far.
    told: u64,
    /// First occurrences so far.
    firsts: u64,
    begin: Timestamp,
    /// Events that will be counted again.
    open: VecDeque<Event>,
}

impl Month {
    fn new(events: u64) -> anyhow::Result<Self> {
        let begin = "2026-10-01T00:00:00Z".parse()?;
        Ok(Self { events, told: 0, firsts: 0, begin, open: VecDeque::new() })
    }

    fn time(&self, told: u64) -> Timestamp {
        let nanoseconds = i128::from(DAYS) * 86_400_000_000_000 * i128::from(told);
        let since = nanoseconds / i128::from(self.events.max(1));
        self.begin + SignedDuration::from_nanos_i128(since)
    }

    /// None when the month is over.
    fn step(&mut self) -> anyhow::Result<Option<Vec<Write>>> {
        if self.told >= self.events {
            return Ok(None);
        }
        let now = self.time(self.told);
        self.told += 1;
        if self.told.is_multiple_of(CHAIN) {
            return Ok(Some(vec![Write::Event(Box::new(chain(self.firsts / DEEDS, now)))]));
        }
        if self.told.is_multiple_of(4)
            && self.open.len() > 1000
            && let Some(event) = self.open.pop_front()
        {
            return Ok(Some(vec![Write::Event(Box::new(again(event, now)))]));
        }
        let (container, deed) = self.next();
        let mut writes = Vec::new();
        if deed == 0 {
            let life = SignedDuration::from_hours(24);
            let entry = node::entry(container, now, now + life).context("an id is 64 digits")?;
            writes.push(Write::Container(Box::new(entry)));
        }
        let (observation, finding) = node::deed(container, deed, now);
        let context = Context {
            recorded_runs: 5,
            ..Context::unjudged(Arc::new(node::origin(container)), "full")
        };
        let drift = Drift {
            id: ulid(now),
            fingerprint: Fingerprint::of(&observation, &finding),
            observation,
            finding,
            last: now,
            count: 1,
        };
        let event =
            Event { before: node::before(now), ..Event::new(&context, &drift, Action::Created) };
        if self.told.is_multiple_of(3) {
            self.open.push_back(event.clone());
        }
        writes.push(Write::Event(Box::new(event)));
        Ok(Some(writes))
    }

    /// Who does what next: those that run take turns.
    fn next(&mut self) -> (u64, u64) {
        let first = self.firsts;
        self.firsts += 1;
        let (wave, within) = (first / (AT_ONCE * DEEDS), first % (AT_ONCE * DEEDS));
        (wave * AT_ONCE + within % AT_ONCE, within / AT_ONCE)
    }
}

fn ulid(time: Timestamp) -> Ulid {
    let milliseconds = u64::try_from(time.as_millisecond()).unwrap_or_default();
    Ulid::from_parts(milliseconds, Ulid::new().random())
}

fn again(event: Event, now: Timestamp) -> Event {
    Event {
        action: Action::Updated,
        last: now,
        count: event.count + 3,
        before: Vec::new(),
        ..event
    }
}

fn chain(container: u64, now: Timestamp) -> Event {
    let party = |number: u64| {
        let origin = node::origin(number);
        Party {
            namespace: origin.namespace,
            pod: origin.pod,
            uid: origin.pod_uid.unwrap_or_default(),
            container: origin.container_id,
            node: origin.node,
        }
    };
    let hop = IncidentHop {
        from: party(container),
        to: party(container + 1),
        address: "10.0.0.7".to_owned(),
        port: Some(5432),
        time: now,
        last: now,
        confidence: Confidence::High,
        then: "ran /bin/sh there 0.8 s later".to_owned(),
        events: vec![ulid(now).to_string()],
    };
    let sighting = Sighting {
        id: Incident::id(&hop),
        action: Action::Created,
        fingerprint: Incident::fingerprint("web", "api", hop.port),
        incident: Incident { confidence: Confidence::High, hops: vec![hop] },
        techniques: vec!["T1059.004".to_owned()],
    };
    sighting.event(&Context::unjudged(Arc::new(node::origin(container + 1)), "full"))
}
