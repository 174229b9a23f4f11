//! The ledger: one row for every container that ever ran on this node.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::de::{IntoDeserializer as _, value};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

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

/// From [`CONTAINERS_FROM`].
impl sqlx::FromRow<'_, SqliteRow> for LedgerRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let time = |column| row.try_get::<Option<i64>, _>(column)?.map(timestamp).transpose();
        Ok(Self {
            identity: Identity {
                id: ContainerId::parse(row.try_get("id")?)
                    .ok_or_else(|| decode("the container's id is not one"))?,
                source: name(row.try_get("source")?)?,
                role: name(row.try_get("role")?)?,
                runtime: row.try_get("runtime")?,
                name: row.try_get("name")?,
                attempt: row.try_get("attempt")?,
                pod: pod(row)?,
                image: image(row)?,
                pid: row.try_get("pid")?,
                log_path: row.try_get("log_path")?,
                created: time("created")?,
                started: time("started")?,
                finished: time("ended")?,
                exit_code: row.try_get("exit_code")?,
                reason: row.try_get("reason")?,
            },
            workload: row.try_get("workload")?,
            cgroup: row.try_get("cgroup")?,
            node: row.try_get("node")?,
            first_seen: timestamp(row.try_get("first_seen")?)?,
            restarts: row.try_get("restarts")?,
            capture: capture(row.try_get("capture")?)?,
            lost: json(row.try_get("lost")?)?,
            tier: row.try_get("tier")?,
            baseline_id: row.try_get("baseline_id")?,
            baseline_status: row.try_get("baseline_status")?,
            provenance: json(row.try_get("provenance")?)?,
        })
    }
}

fn pod(row: &SqliteRow) -> sqlx::Result<Option<Pod>> {
    let Some(uid) = row.try_get::<Option<String>, _>("pod_uid")? else { return Ok(None) };
    let ip: Option<String> = row.try_get("pod_ip")?;
    Ok(Some(Pod {
        uid,
        name: row.try_get("pod_name")?,
        namespace: row.try_get("namespace")?,
        labels: json(row.try_get("labels")?)?,
        ip: ip
            .map(|ip| ip.parse().map_err(|_| decode("the pod's address is not one")))
            .transpose()?,
    }))
}

fn image(row: &SqliteRow) -> sqlx::Result<Option<ImageIdentity>> {
    let Some(name) = row.try_get::<Option<String>, _>("image_name")? else { return Ok(None) };
    Ok(Some(ImageIdentity {
        id: row.try_get("image_id")?,
        reference: row.try_get("image_reference")?,
        name,
        tags: json(row.try_get("image_tags")?)?,
        repo_digests: json(row.try_get("image_digests")?)?,
        architecture: row.try_get("image_architecture")?,
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
