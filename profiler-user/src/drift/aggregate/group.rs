//! Many drifts of one family, told by one event.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ulid::Ulid;

use super::UPDATE_INTERVAL;
use super::family::{By, Family};
use crate::behaviour::Observation;
use crate::drift::event::{Action, Context, Drift, Event, Group as Keys, accept};
use crate::drift::fingerprint::Fingerprint;
use crate::drift::kind::{Finding, Novelty};
use crate::drift::sentence;
use crate::drift::show::cut;

/// A group that nothing was added to for so long is closed.
pub(super) const IDLE: SignedDuration = SignedDuration::from_mins(5);

/// Objects that an event names, and how much of each.
const EXAMPLES: usize = 10;
const EXAMPLE_MAX: usize = 256;

/// Network Service Discovery: what many ports of one address, or one port of many addresses, come to.
const SCAN: &str = "T1046";

#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: Ulid,
    family: Arc<Family>,
    /// Whom it begins with; also what is said of the process.
    first: Drift,
    objects: u64,
    count: u64,
    last: Timestamp,
    examples: Vec<String>,
    /// What the objects begin with, all of them.
    prefix: String,
    novelty: Novelty,
    /// Told on their own before.
    follows: Vec<Ulid>,
    /// What the last event about it said, and when; none before the first.
    written: Option<(u64, Timestamp)>,
}

impl Group {
    pub(super) fn new(family: Arc<Family>, first: Drift, follows: Vec<Ulid>) -> Self {
        Self {
            id: Ulid::from_datetime(first.observation.time.into()),
            family,
            objects: 0,
            count: 0,
            last: first.last,
            examples: Vec::new(),
            prefix: first.finding.object.clone(),
            novelty: first.finding.novelty,
            follows,
            written: None,
            first,
        }
    }

    /// A new object.
    pub(super) fn join(&mut self, observation: &Observation, finding: &Finding) {
        self.objects += 1;
        self.again(observation.time);
        self.novelty = self.novelty.max(finding.novelty);
        if self.examples.len() < EXAMPLES {
            self.examples.push(cut(finding.object.clone(), EXAMPLE_MAX));
        }
        let same = |(a, b): &(char, char)| a == b;
        let both = self.prefix.chars().zip(finding.object.chars());
        let length = both.take_while(same).map(|(a, _)| a.len_utf8()).sum();
        self.prefix.truncate(length);
    }

    /// A member was repeated.
    pub(super) fn again(&mut self, time: Timestamp) {
        self.count += 1;
        self.last = self.last.max(time);
    }

    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        now.duration_since(self.last) >= IDLE
    }

    /// Where something is to be told by now: the first event at the first call, which says what has gathered by then.
    pub(super) fn update(&mut self, context: &Context, now: Timestamp) -> Option<Event> {
        let action = match self.written {
            None => Action::Created,
            Some((count, at))
                if count != self.count && now.duration_since(at) >= UPDATE_INTERVAL =>
            {
                Action::Updated
            }
            Some(_) => return None,
        };
        self.written = Some((self.count, now));
        Some(self.event(context, action))
    }

    /// The last words: always one, and before it the first, where that was not said.
    pub(super) fn close(mut self, context: &Context) -> Vec<Event> {
        let mut events = Vec::with_capacity(2);
        if self.written.is_none() {
            self.written = Some((self.count, self.last));
            events.push(self.event(context, Action::Created));
        }
        events.push(self.event(context, Action::Closed));
        events
    }

    fn event(&self, context: &Context, action: Action) -> Event {
        let family = &*self.family;
        let mut event = Event::new(context, &self.first, action);
        event.id = self.id;
        event.last = self.last;
        event.count = self.count;
        event.object = self.object();
        event.pattern = None;
        event.novelty = self.novelty;
        event.nearest = None;
        event.relearn = None;
        let fingerprint = Fingerprint::of_group(&family.parts());
        event.accept = accept(context, self.id, fingerprint);
        event.fingerprint = fingerprint.to_string();
        keep_of_group(&mut event, family.by, context);
        event.sentence = sentence::group(
            context,
            &sentence::Many {
                kind: family.kind,
                by: family.by,
                executable: family.executable.as_deref(),
                object: &event.object,
                objects: self.objects,
                count: self.count,
                examples: &self.examples,
                is_over: action == Action::Closed,
            },
        );
        event.group = Some(Box::new(Keys {
            by: family.by,
            objects: self.objects,
            examples: self.examples.clone(),
            follows: self.follows.iter().map(ToString::to_string).collect(),
            evidence: None,
            evidence_hash: None,
        }));
        event
    }

    /// What all the objects have in common.
    fn object(&self) -> String {
        if let Some(place) = &self.family.place {
            return place.clone();
        }
        match self.prefix.rsplit_once('/') {
            Some((directory, _)) if self.prefix.starts_with('/') => format!("{directory}/*"),
            _ => "*".to_owned(),
        }
    }
}

/// Leaves what is true of all members, of what is said of the first.
fn keep_of_group(event: &mut Event, by: By, context: &Context) {
    if by == By::Kind || event.kind.name().starts_with("exec") {
        event.process = None;
    }
    event.subject.keep_of_group(by);
    if matches!(by, By::Address | By::Port) && !event.techniques.iter().any(|id| id == SCAN) {
        event.techniques.push(SCAN.to_owned());
        event.framework_version = Some(context.rules.framework_version().to_owned());
    }
}
