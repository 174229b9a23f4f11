//! The ledger: one row for every container that ever ran on this node.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::de::{IntoDeserializer as _, value};
use sqlx::any::AnyRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{ColumnIndex, Decode, Row, Type};

use super::commit::timestamp;
use crate::container::{ContainerId, Identity, ImageIdentity, Pod};
use crate::drift::BaselineStatus;
use crate::provenance::Provenance;

/// What is known of a container now. What is unknown takes nothing away from what was known before.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerEntry {
    pub identity: Identity,
    /// As the kernel has it, from the hierarchy's root on.
    pub cgroup: Option<String>,
    pub node: String,
    /// When this agent saw it; of several, the first stays.
    pub seen: Timestamp,
    pub capture: Capture,
    /// Of the sensor: `full`, `restricted`.
    pub tier: Option<String>,
    pub baseline: Option<(Option<String>, BaselineStatus)>,
    pub provenance: Option<Arc<Provenance>>,
}

/// How complete the view of a container is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Capture {
    /// From its first instruction on.
    FromStart,
    /// It ran before the agent did.
    Partial,
    /// The agent was away in between.
    Gaps,
    /// Never observed: only the runtime tells of it.
    Listed,
}

impl Capture {
    const ALL: [Self; 4] = [Self::FromStart, Self::Partial, Self::Gaps, Self::Listed];

    /// As it is in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FromStart => "from_start",
            Self::Partial => "partial",
            Self::Gaps => "gaps",
            Self::Listed => "listed",
        }
    }
}

/// A container as the ledger has it.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerRow {
    /// With `finished`, `exit_code` and `reason` where it has ended.
    pub identity: Identity,
    pub workload: Option<String>,
    pub cgroup: Option<String>,
    pub node: Option<String>,
    pub first_seen: Timestamp,
    /// Started again under the same id, which then has an end only if that run has.
    pub restarts: u32,
    pub capture: Capture,
    /// Events that the sensor could not deliver, by kind.
    pub lost: BTreeMap<String, u64>,
    pub tier: Option<String>,
    pub baseline_id: Option<String>,
    /// `exact`, `provisional`, `none`.
    pub baseline_status: Option<String>,
    /// Of its image, at its start.
    pub provenance: Option<Arc<Provenance>>,
}

/// Which containers; what is absent does not restrict.
#[derive(Clone, Debug, Default)]
pub struct LedgerFilter {
    pub namespace: Option<String>,
    pub pod: Option<String>,
    pub workload: Option<String>,
    /// The config digest.
    pub image_id: Option<String>,
    pub running: Option<bool>,
    /// Not those that had ended by then.
    pub from: Option<Timestamp>,
    /// Not those that were first seen later.
    pub until: Option<Timestamp>,
    /// At most so many; the newest come first.
    pub limit: Option<u32>,
}

impl LedgerRow {
    pub fn out_of_memory(&self) -> bool {
        self.identity.reason.as_deref() == Some("OOMKilled")
    }
}

/// All columns of `containers`, and what was lost of each.
pub(crate) const CONTAINERS_FROM: &str = "SELECT *, \
    (SELECT json_group_object(kind, lost) FROM losses WHERE container = containers.id) AS lost FROM containers";

/// The same for PostgreSQL.
pub(crate) const CONTAINERS_FROM_POSTGRES: &str = "SELECT *, \
    (SELECT json_object_agg(kind, lost)::text FROM losses WHERE container = containers.id AND agent = containers.agent) \
    AS lost FROM containers";

/// From [`CONTAINERS_FROM`].
impl sqlx::FromRow<'_, SqliteRow> for LedgerRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        from_row(row)
    }
}

impl sqlx::FromRow<'_, AnyRow> for LedgerRow {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        from_row(row)
    }
}

/// A row that texts and numbers can be read from by their names.
trait Columns: Row {
    fn text(&self, column: &str) -> sqlx::Result<Option<String>>;
    fn number(&self, column: &str) -> sqlx::Result<Option<i64>>;
    fn known(&self, column: &str) -> sqlx::Result<String> {
        self.text(column)?.ok_or_else(|| sqlx::Error::ColumnNotFound(column.to_owned()))
    }
    fn small<T: TryFrom<i64>>(&self, column: &str) -> sqlx::Result<Option<T>> {
        let out_of_range = |_| decode("a number is out of its range");
        self.number(column)?.map(T::try_from).transpose().map_err(out_of_range)
    }
    fn counted<T: TryFrom<i64>>(&self, column: &str) -> sqlx::Result<T> {
        self.small(column)?.ok_or_else(|| sqlx::Error::ColumnNotFound(column.to_owned()))
    }
}

impl<R: Row> Columns for R
where
    for<'a> &'a str: ColumnIndex<R>,
    for<'r> Option<String>: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
{
    fn text(&self, column: &str) -> sqlx::Result<Option<String>> {
        self.try_get(column)
    }

    fn number(&self, column: &str) -> sqlx::Result<Option<i64>> {
        self.try_get(column)
    }
}

fn from_row(row: &impl Columns) -> sqlx::Result<LedgerRow> {
    let time = |column| row.number(column)?.map(timestamp).transpose();
    Ok(LedgerRow {
        identity: Identity {
            id: ContainerId::parse(&row.known("id")?)
                .ok_or_else(|| decode("the container's id is not one"))?,
            source: name(&row.known("source")?)?,
            role: name(&row.known("role")?)?,
            runtime: row.text("runtime")?,
            name: row.text("name")?,
            attempt: row.counted("attempt")?,
            pod: pod(row)?,
            image: image(row)?,
            pid: row.small("pid")?,
            log_path: row.text("log_path")?,
            created: time("created")?,
            started: time("started")?,
            finished: time("ended")?,
            exit_code: row.small("exit_code")?,
            reason: row.text("reason")?,
        },
        workload: row.text("workload")?,
        cgroup: row.text("cgroup")?,
        node: row.text("node")?,
        first_seen: timestamp(row.counted("first_seen")?)?,
        restarts: row.counted("restarts")?,
        capture: capture(&row.known("capture")?)?,
        lost: json(row.text("lost")?)?,
        tier: row.text("tier")?,
        baseline_id: row.text("baseline_id")?,
        baseline_status: row.text("baseline_status")?,
        provenance: json(row.text("provenance")?)?,
    })
}

fn pod(row: &impl Columns) -> sqlx::Result<Option<Pod>> {
    let Some(uid) = row.text("pod_uid")? else { return Ok(None) };
    let ip: Option<String> = row.text("pod_ip")?;
    Ok(Some(Pod {
        uid,
        name: row.text("pod_name")?,
        namespace: row.text("namespace")?,
        labels: json(row.text("labels")?)?,
        ip: ip
            .map(|ip| ip.parse().map_err(|_| decode("the pod's address is not one")))
            .transpose()?,
    }))
}

fn image(row: &impl Columns) -> sqlx::Result<Option<ImageIdentity>> {
    let Some(name) = row.text("image_name")? else { return Ok(None) };
    Ok(Some(ImageIdentity {
        id: row.text("image_id")?,
        reference: row.text("image_reference")?,
        name,
        tags: json(row.text("image_tags")?)?,
        repo_digests: json(row.text("image_digests")?)?,
        architecture: row.text("image_architecture")?,
    }))
}

fn json<T: DeserializeOwned + Default>(text: Option<String>) -> sqlx::Result<T> {
    text.map_or_else(|| Ok(T::default()), |text| serde_json::from_str(&text))
        .map_err(|error| sqlx::Error::Decode(error.into()))
}

/// A value by its serialised name.
fn name<T: DeserializeOwned>(name: &str) -> sqlx::Result<T> {
    let name: value::StrDeserializer<'_, value::Error> = name.into_deserializer();
    T::deserialize(name).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn capture(name: &str) -> sqlx::Result<Capture> {
    let known = Capture::ALL.into_iter().find(|capture| capture.name() == name);
    known.ok_or_else(|| super::event::unknown("capture", name))
}

fn decode(why: &str) -> sqlx::Error {
    sqlx::Error::Decode(why.into())
}
