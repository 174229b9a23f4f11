//! What a bundle says of itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::container::Identity;
use crate::evidence::Missing;

pub const SCHEMA_VERSION: &str = "driftline.evidence/v1";

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub schema_version: String,
    /// A ULID; the file is called so.
    pub id: String,
    pub time: Timestamp,
    pub why: Why,
    pub node: String,
    /// None where the node itself was looked at.
    pub container: Option<Identity>,
    pub observer_version: String,
    /// In the order in which they are in the archive.
    pub pieces: Vec<Entry>,
    /// What belongs here and is not there, or not whole.
    pub missing: Vec<Missing>,
}

/// What it was made for.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Why {
    /// `event.id` of the drift.
    Drift { event: String },
    /// The container's end; the drift it was kept for before.
    End { event: String },
    /// Somebody asked.
    Demand {},
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// In hexadecimal digits.
    pub sha256: String,
}

impl Why {
    /// The drift's event, where one is the reason.
    pub fn event(&self) -> Option<&str> {
        match self {
            Self::Drift { event } | Self::End { event } => Some(event),
            Self::Demand {} => None,
        }
    }
}
