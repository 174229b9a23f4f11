//! Exceptions for a time: drift that is known, looked at or being worked on, and calls nobody until a moment that is said.
//!
//! A silence changes nothing of what is seen: its drift is judged, stored, counted and written into the events file, marked with the
//! silence and its reason. It is only not sent to those who are called. Whatever is to be allowed for good belongs into the
//! baseline (`driftline baseline approve`).
//!
//! **Invariant:** a silence has an end, a reason and somebody who made it, and says what it is about: a kind, an object or a
//! fingerprint. Where a container is allowed is no answer to what it may do.

mod file;
mod selector;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

pub use self::file::{FILE, Silences, SilencesError};
pub use self::selector::Selector;
use crate::drift::{Event, Severity};

/// No silence is longer. What is still wanted after that was decided by nobody for a long time.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(90 * 24);

/// By how much the clock of whoever wrote the file may be ahead.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// Characters of a reason: it goes into each event.
const REASON_MAX: usize = 300;

/// One exception.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    pub id: Ulid,
    pub reason: String,
    /// Who made it.
    pub by: String,
    pub created: Timestamp,
    pub until: Timestamp,
    /// Drift that is graver is told all the same.
    pub severity: Severity,
    #[serde(rename = "match")]
    pub selector: Selector,
    /// Somebody ended it before its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    pub at: Timestamp,
    pub by: String,
}

/// What an event says of the silence that it fell under.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mark {
    #[serde(rename = "drift.silence.id", serialize_with = "as_text")]
    pub id: Ulid,
    #[serde(rename = "drift.silence.reason")]
    pub reason: String,
    #[serde(rename = "drift.silence.by")]
    pub by: String,
    #[serde(rename = "drift.silence.until")]
    pub until: Timestamp,
}

/// How it stands with a silence.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Active,
    Ended,
    Expired,
}

impl Silence {
    /// What is wrong with it, as a sentence without a full stop.
    pub fn check(&self, now: Timestamp) -> Result<(), String> {
        let reason = self.reason.trim();
        if reason.is_empty() {
            return Err("it has no reason".to_owned());
        }
        if reason.chars().count() > REASON_MAX {
            return Err(format!("its reason is longer than {REASON_MAX} characters"));
        }
        if self.by.trim().is_empty() {
            return Err("it does not say who made it".to_owned());
        }
        if self.until <= self.created {
            return Err("it ends before it begins".to_owned());
        }
        if self.until.duration_since(self.created) > LONGEST {
            return Err(format!("it is longer than {} days", LONGEST.as_hours() / 24));
        }
        // What begins in ten years would otherwise be a silence of ten years.
        if self.created.duration_since(now) > AHEAD {
            return Err("it was made at a time that is to come".to_owned());
        }
        self.selector.check()
    }

    pub fn state(&self, now: Timestamp) -> State {
        match self.ended {
            Some(_) => State::Ended,
            None if now >= self.until => State::Expired,
            None => State::Active,
        }
    }

    /// Whether it holds for this event.
    pub fn covers(&self, event: &Event, now: Timestamp) -> bool {
        self.state(now) == State::Active
            && event.severity <= self.severity
            && self.selector.fits(event)
    }

    pub fn mark(&self) -> Mark {
        let Self { id, reason, by, until, .. } = self;
        Mark { id: *id, reason: reason.clone(), by: by.clone(), until: *until }
    }

    /// Why somebody who is called may regret it; empty where it is as narrow as it should be.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.selector.warnings();
        if self.severity == Severity::Critical {
            warnings.push("critical drift is silenced as well: nobody is called for it".to_owned());
        }
        let days = self.until.duration_since(self.created).as_hours() / 24;
        if days > 7 {
            warnings.push(format!(
                "it lasts {days} days: what is allowed for good belongs into the baseline (driftline baseline approve)"
            ));
        }
        warnings
    }
}

fn as_text<S: serde::Serializer>(id: &Ulid, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(id)
}
