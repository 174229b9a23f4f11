//! Events as they are in the store.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Error as _, IntoDeserializer as _, value};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::commit::{nanoseconds, timestamp};
use super::record::{self, CHAIN};
use crate::drift::{Action, Event, Severity};

/// An event as it was committed. `line` is the record; the rest is what most readers ask of it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    pub seq: i64,
    /// One JSON object, without a newline: exactly what every sink shall carry.
    pub line: String,
    pub action: Action,
    /// The value of `drift.kind`. Text, so that a kind that this version does not know passes through.
    pub kind: String,
    pub severity: Severity,
    /// Of the first occurrence.
    pub time: Timestamp,
    /// Of the newest occurrence.
    pub last: Timestamp,
}

impl StoredEvent {
    /// Whether it tells of drift; else it is a word about the chain, `driftline.chain/v1`.
    pub fn is_drift(&self) -> bool {
        self.kind != CHAIN
    }
}

/// What is kept beside the line to be searched for.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Keys {
    pub(super) id: String,
    pub(super) action: String,
    pub(super) kind: String,
    pub(super) severity: String,
    pub(super) fingerprint: String,
    pub(super) container: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) time: i64,
    pub(super) last: i64,
}

/// The keys of a line; which of them must be there depends on its schema.
#[derive(Deserialize)]
struct Line {
    schema_version: String,
    #[serde(rename = "event.id")]
    id: String,
    #[serde(rename = "event.action")]
    action: String,
    #[serde(rename = "drift.kind")]
    kind: Option<String>,
    #[serde(rename = "drift.severity")]
    severity: Option<String>,
    #[serde(rename = "drift.fingerprint")]
    fingerprint: Option<String>,
    #[serde(rename = "container.id")]
    container: Option<String>,
    #[serde(rename = "k8s.namespace.name")]
    namespace: Option<String>,
    time: Timestamp,
    #[serde(rename = "time.last")]
    last: Timestamp,
    #[serde(rename = "event.seq")]
    seq: Option<i64>,
    #[serde(rename = "event.prev_hash")]
    previous: Option<String>,
    #[serde(rename = "chain.removal.hash")]
    removal: Option<String>,
    #[serde(rename = "drift.group.evidence")]
    evidence: Option<i64>,
    #[serde(rename = "drift.group.evidence_hash")]
    evidence_hash: Option<String>,
}

/// What a line says of the chain.
pub(super) struct Links {
    pub(super) seq: Option<i64>,
    pub(super) previous: Option<String>,
    /// Of a record of the chain: the hash over the rows that retention took.
    pub(super) removal: Option<String>,
    /// Where the evidence stood.
    pub(super) evidence: Option<i64>,
    pub(super) evidence_hash: Option<String>,
}

impl Keys {
    pub(super) fn of(line: &[u8]) -> Result<Self, serde_json::Error> {
        Self::and_links(line).map(|(keys, _)| keys)
    }

    pub(super) fn and_links(line: &[u8]) -> Result<(Self, Links), serde_json::Error> {
        let line: Line = serde_json::from_slice(line)?;
        let is_chain = line.schema_version == record::SCHEMA_VERSION;
        let key = |value: Option<String>, name: &'static str, of_chain: &str| match value {
            Some(value) => Ok(value),
            None if is_chain => Ok(of_chain.to_owned()),
            None => Err(serde_json::Error::missing_field(name)),
        };
        let links = Links {
            seq: line.seq,
            previous: line.previous,
            removal: line.removal.filter(|_| is_chain),
            evidence: line.evidence,
            evidence_hash: line.evidence_hash,
        };
        let keys = Self {
            id: line.id,
            action: line.action,
            kind: key(line.kind, "drift.kind", CHAIN)?,
            severity: key(line.severity, "drift.severity", Severity::Info.name())?,
            fingerprint: key(line.fingerprint, "drift.fingerprint", "")?,
            container: line.container,
            namespace: line.namespace,
            time: nanoseconds(line.time),
            last: nanoseconds(line.last),
        };
        Ok((keys, links))
    }

    /// As they are in the event's line.
    pub(super) fn of_event(event: &Event) -> Self {
        Self {
            id: event.id.to_string(),
            action: event.action.name().to_owned(),
            kind: event.kind.name().to_owned(),
            severity: event.severity.name().to_owned(),
            fingerprint: event.fingerprint.clone(),
            container: event.origin.container_id.clone(),
            namespace: event.origin.namespace.clone(),
            time: nanoseconds(event.time),
            last: nanoseconds(event.last),
        }
    }

    pub(super) async fn insert(
        &self,
        connection: &mut sqlx::SqliteConnection,
        seq: i64,
        line: &str,
    ) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO events (seq, line, id, action, kind, severity, fingerprint, container, \
             namespace, time, last) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(seq)
        .bind(line)
        .bind(&self.id)
        .bind(&self.action)
        .bind(&self.kind)
        .bind(&self.severity)
        .bind(&self.fingerprint)
        .bind(&self.container)
        .bind(&self.namespace)
        .bind(self.time)
        .bind(self.last)
        .execute(connection)
        .await
        .map(|_| ())
    }
}

pub(super) const COLUMNS_FROM: &str =
    "SELECT seq, line, action, kind, severity, time, last FROM events";

/// From a row of [`COLUMNS_FROM`].
impl sqlx::FromRow<'_, SqliteRow> for StoredEvent {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            seq: row.try_get("seq")?,
            line: row.try_get("line")?,
            action: match row.try_get("action")? {
                "created" => Action::Created,
                "updated" => Action::Updated,
                "closed" => Action::Closed,
                other => return Err(unknown("action", other)),
            },
            kind: row.try_get("kind")?,
            severity: severity(row.try_get("severity")?)?,
            time: timestamp(row.try_get("time")?)?,
            last: timestamp(row.try_get("last")?)?,
        })
    }
}

fn severity(name: &str) -> sqlx::Result<Severity> {
    let name: value::StrDeserializer<'_, value::Error> = name.into_deserializer();
    Severity::deserialize(name).map_err(|error| sqlx::Error::Decode(error.into()))
}

pub(super) fn unknown(what: &str, value: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("{what} {value:?} is not one this version knows").into())
}
