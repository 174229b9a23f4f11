//! The runs that a baseline was recorded in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::seen::{Moment, Phases, WINDOW, Windows, to_second};
use crate::container::ContainerId;

/// What a container does until then belongs to its start.
pub(super) const START_SECONDS: i64 = 60;

/// What it does from so long before its end on belongs to its stop. Nobody tells when a container was asked to end; most
/// obey within seconds.
pub(super) const STOP_SECONDS: i64 = 10;

/// Unique without asking anybody: a ULID, sorted by time; of a container the beginning of its id, so that a
/// recording which was interrupted goes on as the same run.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct RunId(Arc<str>);

/// Entries name runs in a line of words: what is none there could be written, but not read again.
impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let id = String::deserialize(from)?;
        if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Ok(Self::new(id));
        }
        Err(D::Error::custom(format_args!("{id:?} names no run: it must be letters and digits")))
    }
}

/// One recording of one container or command.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Run {
    pub started: Timestamp,
    /// None when the recording broke off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    pub host: String,
    /// The version of driftline that recorded it; of the first one, which did not say, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observer: Option<String>,
    /// `full` or `restricted`: what the kernel allowed to be seen.
    pub tier: String,
    /// Behaviours that no probe saw.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub blind: BTreeSet<String>,
    /// Not seen from its start, or not all of the time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// Events that were lost, by kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lost: BTreeMap<String, u64>,
    /// Redacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
}

/// The number of the window that a time is in. Windows are of the clock, the same for every run: so the kernel can be told
/// once for all containers to let everything cross again.
pub(crate) fn window_of(time: Timestamp) -> i64 {
    time.as_second().div_euclid(WINDOW.as_secs().cast_signed())
}

impl RunId {
    pub fn new(ulid: impl AsRef<str>) -> Self {
        Self(ulid.as_ref().into())
    }

    pub fn of_container(id: &ContainerId) -> Self {
        Self(id.as_str()[..26].into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Run {
    /// A run by this driftline.
    pub fn new(started: Timestamp, host: impl Into<String>, tier: impl Into<String>) -> Self {
        Self {
            started,
            ended: None,
            host: host.into(),
            observer: Some(env!("CARGO_PKG_VERSION").to_owned()),
            tier: tier.into(),
            blind: BTreeSet::new(),
            partial: false,
            lost: BTreeMap::new(),
            command: None,
        }
    }

    /// Where in the run a time is. What comes late in a run may turn out to belong to its stop, see
    /// [`Baseline::end_run`](super::Baseline::end_run).
    pub(super) fn moment(&self, time: Timestamp) -> Moment {
        let into = time.as_second() - self.started.as_second();
        let phase = if into < START_SECONDS { Phases::START } else { Phases::STEADY };
        Moment { time: to_second(time), phase, window: self.window(time) }
    }

    fn window(&self, time: Timestamp) -> u8 {
        let passed = (window_of(time) - window_of(self.started)).clamp(0, i64::from(Windows::LAST));
        u8::try_from(passed).unwrap_or(Windows::LAST)
    }

    /// How many whole windows it had by `time`, beside the one that it started in.
    pub(super) fn whole_windows(&self, time: Timestamp) -> u8 {
        self.window(time).saturating_sub(1)
    }
}
