//! What is kept of every entry: when it was seen, in which phases of a run, in which runs and in which of their windows.

mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::run::{RunId, STOP_SECONDS};

/// A run counts once for each such piece of the clock: ten minutes.
pub const WINDOW: Duration = Duration::from_mins(10);

/// When and how often, to the second.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Seen {
    pub first: Timestamp,
    pub last: Timestamp,
    /// In which phases of a run: `start`, `steady`, `stop`; none where it was recorded before they were told apart.
    #[serde(default, skip_serializing_if = "Phases::is_empty")]
    #[cfg_attr(test, schemars(with = "String", regex(pattern = text::PHASES)))]
    pub phase: Phases,
    /// Of an entry that stands for many names of one shape: some of them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub siblings: BTreeSet<String>,
    /// `all` where once in each run; else for each run the end of its id, `@` and its windows where not the first alone,
    /// `*` and how often where more than once: `9f3k@0-3,5*4 77ab`. Formerly a number for each run's id.
    #[serde(with = "text")]
    #[cfg_attr(test, schemars(schema_with = "text::schema"))]
    pub runs: BTreeMap<RunId, Sighting>,
}

/// Of one entry in one run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sighting {
    /// At least so often: what the kernel told of once, it need not tell again.
    pub count: u64,
    pub windows: Windows,
}

/// Which windows of a run, of the first 64; the last one goes on to the run's end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Windows(pub(super) u64);

/// A set of phases.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Phases(u8);

/// A time, and where in its run it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) time: Timestamp,
    pub(super) phase: Phases,
    pub(super) window: u8,
}

impl Seen {
    pub(super) fn once(run: &RunId, moment: Moment) -> Self {
        let Moment { time, phase, .. } = moment;
        let runs = BTreeMap::from([(run.clone(), Sighting::once(moment))]);
        Self { first: time, last: time, phase, runs, ..Self::default() }
    }

    pub(super) fn again(&mut self, run: &RunId, moment: Moment) {
        self.first = self.first.min(moment.time);
        self.last = self.last.max(moment.time);
        // What was only ever seen at stops may be at one again: the run's end will tell.
        if self.phase != Phases::STOP || moment.phase != Phases::STEADY {
            self.phase = self.phase.and(moment.phase);
        }
        match self.runs.get_mut(run) {
            Some(sighting) => sighting.again(moment),
            None => {
                self.runs.insert(run.clone(), Sighting::once(moment));
            }
        }
    }

    /// A run that had outlived its start ended: what was new in its last seconds belongs to the stop alone.
    pub(super) fn stopped(&mut self, run: &RunId, ended: Timestamp) {
        if !self.runs.contains_key(run) {
            return;
        }
        let is_late = |time: Timestamp| ended.as_second() - time.as_second() <= STOP_SECONDS;
        if is_late(self.first) && !self.phase.has(Phases::START) {
            self.phase = Phases::STOP;
        } else if is_late(self.last) {
            self.phase = self.phase.and(Phases::STOP);
        } else if self.phase == Phases::STOP {
            self.phase = self.phase.and(Phases::STEADY);
        }
    }

    /// In how many runs.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// How often in all.
    pub fn count(&self) -> u64 {
        let counts = self.runs.values().map(|sighting| sighting.count);
        counts.fold(0, u64::saturating_add)
    }
}

impl Sighting {
    /// Seen once, when the run started.
    pub const ONCE: Self = Self { count: 1, windows: Windows::FIRST };

    fn once(moment: Moment) -> Self {
        Self { count: 1, windows: Windows::one(moment.window) }
    }

    fn again(&mut self, moment: Moment) {
        self.count = self.count.saturating_add(1);
        self.windows = self.windows.and(Windows::one(moment.window));
    }
}

impl Windows {
    /// The one that a run starts in.
    pub const FIRST: Self = Self(1);
    pub(super) const LAST: u8 = 63;

    pub fn one(window: u8) -> Self {
        Self(1 << window.min(Self::LAST))
    }

    pub fn has(self, window: u8) -> bool {
        self.0 & Self::one(window).0 != 0
    }

    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Phases {
    pub const START: Self = Self(1);
    pub const STEADY: Self = Self(2);
    pub const STOP: Self = Self(4);

    pub fn is_empty(&self) -> bool {
        self.0 == 0
    }

    pub fn has(self, phase: Self) -> bool {
        self.0 & phase.0 == phase.0
    }

    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Nanoseconds would make every line of a diff longer and say nothing.
pub(super) fn to_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests;
