//! The first occurrence of a drift is an event, its repeats are a number; and where many of one sort come at once, one event
//! tells of all of them.

mod family;
mod group;
mod room;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ulid::Ulid;

pub use self::family::By;
use self::family::{Allowance, Family};
use self::group::Group;
use super::event::{Action, Context, Drift, Event, Repeated};
use super::fingerprint::Fingerprint;
use super::kind::Finding;
use crate::behaviour::Observation;
use crate::flight::Recent;

/// Fingerprints told on their own that one container's aggregator remembers: at about 600 bytes each, 10 MB.
pub const CAPACITY: usize = 16_384;

/// An `updated` event follows the last one about the same drift no sooner than this.
pub const UPDATE_INTERVAL: SignedDuration = SignedDuration::from_mins(1);

/// What there is to write down.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// For the record and every sink.
    Event(Box<Event>),
    /// A first occurrence that a group's event tells of: for the record alone, which loses none.
    Evidence(Box<Event>),
    /// One of those was repeated; the group's event counts that as well.
    Repeated(Box<Repeated>),
}

/// Counts the drift of one container.
///
/// **Invariant:** it may write a first occurrence twice, it never hides one. When there are more
/// fingerprints than it may remember, it closes those that were quiet longest; should one of them
/// come back, it is a first occurrence again. [`Self::forgotten`] says how often that happened.
///
/// **Invariant:** the newest counts of all events sum up to what was observed: a group counts what joined it, and not
/// what was told on its own before.
#[derive(Debug)]
pub struct Aggregator {
    known: HashMap<Fingerprint, Known>,
    /// How many of them were told on their own.
    own: usize,
    allowances: HashMap<Arc<Family>, Allowance>,
    groups: HashMap<Arc<Family>, Group>,
    capacity: usize,
    forgotten: u64,
}

#[derive(Debug)]
enum Known {
    Own(Box<Open>),
    Member(Member),
}

#[derive(Debug)]
struct Open {
    drift: Drift,
    /// What the last event about it said, and when.
    written: u64,
    written_at: Timestamp,
}

#[derive(Debug)]
struct Member {
    of: Arc<Family>,
    id: Ulid,
    count: u64,
    written: u64,
    last: Timestamp,
}

impl Told {
    /// Tells what the container did before, where it is a first occurrence.
    pub(crate) fn set_before(&mut self, recent: &Recent) {
        if let Self::Event(event) | Self::Evidence(event) = self
            && event.action == Action::Created
            && event.group.is_none()
        {
            event.before = recent.before(event.time);
        }
    }
}

impl Aggregator {
    /// Remembers at least one fingerprint, whatever `capacity` says.
    pub fn new(capacity: usize) -> Self {
        Self {
            known: HashMap::new(),
            own: 0,
            allowances: HashMap::new(),
            groups: HashMap::new(),
            capacity: capacity.max(1),
            forgotten: 0,
        }
    }

    /// Takes a drift in. Returns what is to be said where it is new: its `created` event, or that a group has one more; and
    /// before that the `closed` events of those that had to make room. `nearest` says what the baseline holds
    /// instead, and is asked only then.
    pub fn observe(
        &mut self,
        context: &Context,
        observation: &Observation,
        finding: Finding,
        nearest: impl FnOnce(&Finding) -> Option<String>,
    ) -> Vec<Told> {
        let fingerprint = Fingerprint::of(observation, &finding);
        match self.known.get_mut(&fingerprint) {
            Some(Known::Own(open)) => {
                open.drift.count += 1;
                open.drift.last = open.drift.last.max(observation.time);
                return Vec::new();
            }
            Some(Known::Member(member)) => {
                member.count += 1;
                member.last = member.last.max(observation.time);
                if let Some(group) = self.groups.get_mut(&member.of) {
                    group.again(observation.time);
                }
                return Vec::new();
            }
            None => {}
        }
        let verdict = context.rules.verdict(observation, &finding);
        let families = Family::of(observation, &finding, verdict);
        let finding = Finding { nearest: nearest(&finding), ..finding };
        let id = Ulid::from_datetime(observation.time.into());
        let drift = Drift {
            id,
            fingerprint,
            observation: observation.clone(),
            finding,
            last: observation.time,
            count: 1,
        };
        if let Some(family) = self.group_for(&families, &drift) {
            return self.join(context, family, &drift);
        }
        for family in families {
            let by = family.by;
            if let Some(allowance) = self.allowances.get_mut(&family) {
                allowance.note(by, id);
            }
        }
        let mut told = self.make_room(context);
        told.push(Told::Event(Box::new(Event::new(context, &drift, Action::Created))));
        let open = Open { drift, written: 1, written_at: observation.time };
        self.known.insert(fingerprint, Known::Own(Box::new(open)));
        self.own += 1;
        told
    }

    /// The group that it belongs to: one that is open, or one that begins with it since too many of its family came.
    fn group_for(&mut self, families: &[Family], drift: &Drift) -> Option<Arc<Family>> {
        for family in families {
            if let Some((family, _)) = self.groups.get_key_value(family) {
                return Some(Arc::clone(family));
            }
        }
        let now = drift.observation.time;
        self.forget_families(now);
        for family in families {
            let by = family.by;
            if !self.allowances.contains_key(family) {
                self.allowances.insert(Arc::new(family.clone()), Allowance::new(by, now));
            }
            let allowance = self.allowances.get_mut(family)?;
            if !allowance.take(by, now) {
                let follows = allowance.told.drain(..).collect();
                let family = Arc::new(family.clone());
                let group = Group::new(Arc::clone(&family), drift.clone(), follows);
                self.groups.insert(Arc::clone(&family), group);
                return Some(family);
            }
        }
        None
    }

    fn join(&mut self, context: &Context, of: Arc<Family>, drift: &Drift) -> Vec<Told> {
        let mut told = self.make_room_for_members(context);
        let mut event = Event::new(context, drift, Action::Created);
        if let Some(group) = self.groups.get_mut(&of) {
            group.join(&drift.observation, &drift.finding);
            event.member_of = Some(group.id);
        }
        told.push(Told::Evidence(Box::new(event)));
        let member = Member { of, id: drift.id, count: 1, written: 1, last: drift.last };
        self.known.insert(drift.fingerprint, Known::Member(member));
        told
    }

    /// The drift that was repeated since the last event about it, where that is a minute ago; the groups that began since
    /// the last call; and the end of those to which nothing was added for a while. Call it every second.
    pub fn updates(&mut self, context: &Context, now: Timestamp) -> Vec<Told> {
        let mut told = Vec::new();
        for known in self.known.values_mut() {
            let Known::Own(open) = known else { continue };
            if open.drift.count != open.written
                && now.duration_since(open.written_at) >= UPDATE_INTERVAL
            {
                open.written = open.drift.count;
                open.written_at = now;
                told.push(Event::new(context, &open.drift, Action::Updated));
            }
        }
        let mut due = Vec::new();
        for (family, group) in &mut self.groups {
            let event = group.update(context, now);
            if event.is_some() || group.is_idle(now) {
                due.push(Arc::clone(family));
            }
            told.extend(event);
        }
        if due.is_empty() {
            return in_order(told);
        }
        let mut words = self.repeated(context, &due);
        let idle = |group: &mut Group| group.is_idle(now);
        let closed: Vec<_> = self.groups.extract_if(|_, group| idle(group)).collect();
        if !closed.is_empty() {
            self.known.retain(|_, known| match known {
                Known::Own(_) => true,
                Known::Member(member) => !closed.iter().any(|(family, _)| *family == member.of),
            });
            told.extend(closed.into_iter().flat_map(|(_, group)| group.close(context)));
        }
        words.extend(in_order(told));
        words
    }

    /// The end of the container: a last event for each drift whose count has changed since it was
    /// written, and for each group. Nothing is remembered afterwards.
    pub fn close(&mut self, context: &Context) -> Vec<Told> {
        let families: Vec<_> = self.groups.keys().cloned().collect();
        let mut words = self.repeated(context, &families);
        let own = self.known.drain().filter_map(|(_, known)| match known {
            Known::Own(open) => open.close(context),
            Known::Member(_) => None,
        });
        let mut told: Vec<_> = own.collect();
        told.extend(self.groups.drain().flat_map(|(_, group)| group.close(context)));
        self.own = 0;
        self.allowances.clear();
        words.extend(in_order(told));
        words
    }

    /// Different drifts that are remembered.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Drifts that were closed early to make room for others.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// What was repeated of these groups' members since it was last said.
    fn repeated(&mut self, context: &Context, of: &[Arc<Family>]) -> Vec<Told> {
        let members = self.known.iter_mut().filter_map(|(fingerprint, known)| match known {
            Known::Member(member) if of.contains(&member.of) => {
                member.repeated(context, fingerprint)
            }
            _ => None,
        });
        members.collect()
    }
}

impl Open {
    fn close(self, context: &Context) -> Option<Event> {
        (self.drift.count != self.written).then(|| Event::new(context, &self.drift, Action::Closed))
    }
}

impl Member {
    fn repeated(&mut self, context: &Context, fingerprint: &Fingerprint) -> Option<Told> {
        if std::mem::replace(&mut self.written, self.count) == self.count {
            return None;
        }
        Some(Told::Repeated(Box::new(Repeated {
            container: context.origin.container_id.clone(),
            fingerprint: fingerprint.to_string(),
            id: self.id.to_string(),
            count: self.count,
            last: self.last,
        })))
    }
}

/// In the order in which they first happened: a hash map has none.
fn in_order(mut events: Vec<Event>) -> Vec<Told> {
    events.sort_by_key(|event| (event.time, event.id, event.action == Action::Closed));
    events.into_iter().map(|event| Told::Event(Box::new(event))).collect()
}

#[cfg(test)]
mod tests;
