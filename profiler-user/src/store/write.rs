//! What is written into the history.

use jiff::Timestamp;

use super::append::Counted;
use super::commit::nanoseconds;
use super::{HeadNote, LedgerEntry, SilenceNote};
use crate::container::ContainerId;
use crate::drift::{Event, Repeated, Told};

/// The reason of an end that nobody saw: whoever tells of it later is believed.
pub const UNOBSERVED: &str = "Unobserved";

#[derive(Clone, Debug)]
pub enum Write {
    /// Numbered and chained when it is committed; what its `seq` and `prev_hash` hold before does not matter.
    Event(Box<Event>),
    /// A first occurrence that a group's event tells of: kept, and not for sinks.
    Evidence(Box<Event>),
    /// One of those was repeated; the group's event counts it as well.
    Repeated(Box<Repeated>),
    /// A container that was seen, or of which more is known by now.
    Container(Box<LedgerEntry>),
    /// A container's end. The first that is told of stays; what it left open may be told later.
    Ended {
        id: ContainerId,
        at: Timestamp,
        exit_code: Option<i32>,
        /// The runtime's word, such as `OOMKilled`.
        reason: Option<String>,
    },
    /// Events of a container that the sensor could not deliver.
    Lost {
        id: ContainerId,
        kind: &'static str,
        /// In all, so far.
        total: u64,
    },
    /// Where the chain stands, for every sink to carry; nothing where nothing happened since it was last told.
    Head(Box<HeadNote>),
    /// A silence began or is over; nothing where that was told before.
    Silence(Box<SilenceNote>),
    /// The agent is alive.
    Heartbeat(Timestamp),
    /// Nobody watched; without a container, the whole node.
    Gap {
        container: Option<ContainerId>,
        from: Timestamp,
        to: Timestamp,
        why: String,
        /// What is told of it: both are written, or none.
        event: Option<Box<Event>>,
    },
}

impl From<Told> for Write {
    fn from(told: Told) -> Self {
        match told {
            Told::Event(event) => Self::Event(event),
            Told::Evidence(event) => Self::Evidence(event),
            Told::Repeated(repeated) => Self::Repeated(repeated),
        }
    }
}

impl Write {
    /// The event that this adds to the history.
    pub fn event(&self) -> Option<&Event> {
        match self {
            Self::Event(event) | Self::Gap { event: Some(event), .. } => Some(event),
            _ => None,
        }
    }

    pub(crate) fn event_mut(&mut self) -> Option<&mut Event> {
        match self {
            Self::Event(event) | Self::Gap { event: Some(event), .. } => Some(event),
            _ => None,
        }
    }
}

/// What a commit added.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Committed {
    pub events: u64,
    /// `event.seq` of the newest event in the store, 0 where there is none.
    pub newest: i64,
}

impl Repeated {
    /// `seq`: of the newest event.
    pub(super) fn counted(&self, seq: i64) -> Counted<'_> {
        Counted {
            container: self.container.as_deref().unwrap_or_default(),
            fingerprint: &self.fingerprint,
            id: &self.id,
            count: i64::try_from(self.count).unwrap_or(i64::MAX),
            time: nanoseconds(self.last),
            last: nanoseconds(self.last),
            seq,
            is_repeat: false,
        }
    }
}
