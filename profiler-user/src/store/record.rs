//! What the store tells of its own chain: one line like an event's, `driftline.chain/v1`, numbered and chained among
//! them, and carried by every sink. It is no drift: nobody counts it, and no alert is made of it.

use jiff::Timestamp;
use serde::Serialize;
use ulid::Ulid;

use crate::drift::Action;
pub(super) use crate::drift::Node as Machine;

pub(super) const SCHEMA_VERSION: &str = "driftline.chain/v1";

/// In the place of `drift.kind`, for [`StoredEvent::kind`](super::StoredEvent::kind).
pub const CHAIN: &str = "driftline.chain";

/// Where the chain stands: for whoever wants to know later that nothing before was changed.
#[derive(Clone, Debug)]
pub struct HeadNote {
    /// One series per agent: its first is `created`, the others `updated`, and the last of several, at
    /// a clean end, `closed`.
    pub id: Ulid,
    pub action: Action,
    pub machine: Machine,
}

/// What is told.
#[derive(Clone, Copy)]
pub(super) enum Told<'a> {
    Head(&'a HeadNote),
    Removed(&'a Removal),
}

/// What retention took in one transaction.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Removal {
    #[serde(rename = "chain.removal.why")]
    pub(super) why: &'static str,
    #[serde(rename = "chain.removal.rows")]
    pub(super) rows: i64,
    #[serde(rename = "chain.removal.first")]
    pub(super) first: i64,
    #[serde(rename = "chain.removal.last")]
    pub(super) last: i64,
    #[serde(rename = "chain.removal.ranges")]
    pub(super) ranges: usize,
    /// Over the rows in `checkpoints`.
    #[serde(rename = "chain.removal.hash")]
    pub(super) hash: String,
    /// Rows that some sink had not taken.
    #[serde(rename = "chain.removal.undelivered")]
    pub(super) undelivered: i64,
}

#[derive(Serialize)]
pub(super) struct Record<'a> {
    schema_version: &'static str,
    #[serde(rename = "event.id")]
    id: String,
    #[serde(rename = "event.seq")]
    seq: u64,
    #[serde(rename = "event.prev_hash", skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
    #[serde(rename = "event.action")]
    action: Action,
    time: String,
    #[serde(rename = "time.last")]
    last: String,
    #[serde(rename = "observer.version")]
    observer_version: &'static str,
    #[serde(rename = "host.name")]
    host: &'a str,
    #[serde(rename = "k8s.node.name", skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
    #[serde(rename = "k8s.cluster.name", skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
    #[serde(rename = "chain.record")]
    about: &'static str,
    /// The newest event before this one, and its hash: the head.
    #[serde(rename = "chain.seq")]
    head: u64,
    #[serde(rename = "chain.hash", skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    /// Rows up to the head that are in the store.
    #[serde(rename = "chain.events")]
    events: u64,
    /// Rows that retention took, in all.
    #[serde(rename = "chain.removed")]
    removed: i64,
    #[serde(flatten)]
    removal: Option<&'a Removal>,
}

impl<'a> Record<'a> {
    pub(super) fn new(
        told: Told<'a>,
        machine: &'a Machine,
        now: Timestamp,
        seq: u64,
        previous: Option<String>,
        removed: i64,
    ) -> Self {
        let (id, action, about, removal) = match told {
            Told::Head(note) => (note.id, note.action, "head", None),
            Told::Removed(removal) => {
                (Ulid::from_datetime(now.into()), Action::Created, "removal", Some(removal))
            }
        };
        let time = format!("{now:.9}");
        Self {
            schema_version: SCHEMA_VERSION,
            id: id.to_string(),
            seq,
            hash: previous.clone(),
            previous,
            action,
            last: time.clone(),
            time,
            observer_version: env!("CARGO_PKG_VERSION"),
            host: &machine.host_name,
            node: machine.name.as_deref(),
            cluster: machine.cluster.as_deref(),
            about,
            head: seq - 1,
            events: (seq - 1).saturating_sub(removed.unsigned_abs()),
            removed,
            removal,
        }
    }

    pub(super) fn line(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}
