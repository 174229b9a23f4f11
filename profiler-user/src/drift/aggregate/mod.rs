//! The first occurrence of a drift is an event, its repeats are a number.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::{SignedDuration, Timestamp};
use ulid::Ulid;

use super::event::{Action, Context, Drift, Event};
use super::fingerprint::Fingerprint;
use super::kind::Finding;
use crate::behaviour::Observation;

/// Fingerprints that one container's aggregator remembers: at about 600 bytes each, 10 MB.
pub const CAPACITY: usize = 16_384;

/// An `updated` event follows the last one about the same drift no sooner than this.
pub const UPDATE_INTERVAL: SignedDuration = SignedDuration::from_mins(1);

/// Counts the drift of one container.
///
/// **Invariant:** it may write a first occurrence twice, it never hides one. When there are more
/// fingerprints than it may remember, it closes those that were quiet longest; should one of them
/// come back, it is a first occurrence again. [`Self::forgotten`] says how often that happened.
#[derive(Debug)]
pub struct Aggregator {
    open: HashMap<Fingerprint, Open>,
    capacity: usize,
    forgotten: u64,
}

#[derive(Debug)]
struct Open {
    drift: Drift,
    /// What the last event about it said, and when.
    written: u64,
    written_at: Timestamp,
}

impl Aggregator {
    /// Remembers at least one fingerprint, whatever `capacity` says.
    pub fn new(capacity: usize) -> Self {
        Self { open: HashMap::new(), capacity: capacity.max(1), forgotten: 0 }
    }

    /// Takes a drift in. Returns its `created` event where it is new, and before it the `closed`
    /// events of those that had to make room. `nearest` says what the baseline holds instead, and is asked only then.
    pub fn observe(
        &mut self,
        context: &Context,
        observation: &Observation,
        finding: Finding,
        nearest: impl FnOnce(&Finding) -> Option<String>,
    ) -> Vec<Event> {
        let fingerprint = Fingerprint::of(observation, &finding);
        if let Some(open) = self.open.get_mut(&fingerprint) {
            open.drift.count += 1;
            open.drift.last = open.drift.last.max(observation.time);
            return Vec::new();
        }
        let mut events = self.make_room(context);
        let finding = Finding { nearest: nearest(&finding), ..finding };
        let open = Open {
            drift: Drift {
                id: Ulid::from_datetime(observation.time.into()),
                fingerprint,
                observation: observation.clone(),
                finding,
                last: observation.time,
                count: 1,
            },
            written: 1,
            written_at: observation.time,
        };
        events.push(Event::new(context, &open.drift, Action::Created));
        self.open.insert(fingerprint, open);
        events
    }

    /// The drift that was repeated since the last event about it, where that is a minute ago. Call
    /// it every few seconds.
    pub fn updates(&mut self, context: &Context, now: Timestamp) -> Vec<Event> {
        let due = |open: &&mut Open| {
            open.drift.count != open.written
                && now.duration_since(open.written_at) >= UPDATE_INTERVAL
        };
        let mut events = Vec::new();
        for open in self.open.values_mut().filter(due) {
            open.written = open.drift.count;
            open.written_at = now;
            events.push(Event::new(context, &open.drift, Action::Updated));
        }
        in_order(events)
    }

    /// The end of the container: a last event for each drift whose count has changed since it was
    /// written. Nothing is remembered afterwards.
    pub fn close(&mut self, context: &Context) -> Vec<Event> {
        in_order(self.open.drain().filter_map(|(_, open)| open.close(context)).collect())
    }

    /// Different drifts that are remembered.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Drifts that were closed early to make room for others.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Closes an eighth of what is remembered, the quietest first: one sort for many newcomers.
    fn make_room(&mut self, context: &Context) -> Vec<Event> {
        if self.open.len() < self.capacity {
            return Vec::new();
        }
        let mut quiet: Vec<_> =
            self.open.iter().map(|(key, open)| (open.drift.last, *key)).collect();
        quiet.sort_by_key(|(last, _)| *last);
        quiet.truncate(self.capacity.div_ceil(8));
        let mut events = Vec::new();
        for (_, key) in quiet {
            if let Entry::Occupied(entry) = self.open.entry(key) {
                self.forgotten += 1;
                events.extend(entry.remove().close(context));
            }
        }
        events
    }
}

impl Open {
    fn close(self, context: &Context) -> Option<Event> {
        (self.drift.count != self.written).then(|| Event::new(context, &self.drift, Action::Closed))
    }
}

/// In the order in which they first happened: a hash map has none.
fn in_order(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by_key(|event| (event.time, event.id));
    events
}

#[cfg(test)]
mod tests;
