//! What the store tells of its own chain: one line like an event's, `driftline.chain/v1`, numbered and chained among
//! them, and carried by every sink. It is no drift: nobody counts it, and no alert is made of it.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::SqliteConnection;
use ulid::Ulid;

use crate::drift::Action;
pub(super) use crate::drift::Node as Machine;
use crate::silence::Silence;

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

/// A silence that holds from now on, or that holds no more.
#[derive(Clone, Debug)]
pub struct SilenceNote {
    pub silence: Silence,
    /// Why it is over; none where it begins.
    pub over: Option<&'static str>,
    pub machine: Machine,
}

impl SilenceNote {
    fn action(&self) -> Action {
        if self.over.is_some() { Action::Closed } else { Action::Created }
    }

    /// Each is told once, also by an agent that was started again; of one that never held here nothing is told.
    pub(super) async fn is_news(&self, connection: &mut SqliteConnection) -> sqlx::Result<bool> {
        let told: Vec<String> =
            sqlx::query_scalar("SELECT action FROM events WHERE id = ? AND kind = ?")
                .bind(self.silence.id.to_string())
                .bind(CHAIN)
                .fetch_all(connection)
                .await?;
        let has = |action: &str| told.iter().any(|told| told == action);
        Ok(match self.action() {
            Action::Created => told.is_empty(),
            _ => has("created") && !has("closed"),
        })
    }
}

/// What is told.
#[derive(Clone, Copy)]
pub(super) enum Told<'a> {
    Head(&'a HeadNote),
    Removed(&'a Removal),
    Silence(&'a SilenceNote),
}

/// What is told of a silence.
#[derive(Serialize)]
struct Silenced<'a> {
    #[serde(rename = "silence.reason")]
    reason: &'a str,
    #[serde(rename = "silence.by")]
    by: &'a str,
    #[serde(rename = "silence.until")]
    until: Timestamp,
    /// What is graver is told all the same.
    #[serde(rename = "silence.severity")]
    severity: &'static str,
    /// What it is about, for people.
    #[serde(rename = "silence.match")]
    selector: String,
    /// `ended`, `expired`, `removed`; none where it begins.
    #[serde(rename = "silence.over", skip_serializing_if = "Option::is_none")]
    over: Option<&'static str>,
    #[serde(rename = "silence.ended_by", skip_serializing_if = "Option::is_none")]
    ended_by: Option<&'a str>,
}

impl<'a> Silenced<'a> {
    fn of(note: &'a SilenceNote) -> Self {
        let Silence { reason, by, until, severity, selector, ended, .. } = &note.silence;
        Self {
            reason,
            by,
            until: *until,
            severity: severity.name(),
            selector: selector.to_string(),
            over: note.over,
            ended_by: ended.as_ref().map(|ended| ended.by.as_str()),
        }
    }
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
    #[serde(flatten)]
    silence: Option<Silenced<'a>>,
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
        let (id, action, about) = match told {
            Told::Head(note) => (note.id, note.action, "head"),
            Told::Removed(_) => (Ulid::from_datetime(now.into()), Action::Created, "removal"),
            Told::Silence(note) => (note.silence.id, note.action(), "silence"),
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
            removal: if let Told::Removed(removal) = told { Some(removal) } else { None },
            silence: if let Told::Silence(note) = told { Some(Silenced::of(note)) } else { None },
        }
    }

    pub(super) fn line(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}
