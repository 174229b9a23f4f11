//! A drift as the history tells it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::behaviour::Ancestor;
use crate::drift::DriftKind;
use crate::store::timestamp;

/// One drift: its first event's keys, under the names that they have in events, and what the newest event counts.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Told {
    #[serde(rename = "event.id")]
    pub id: String,
    /// Of one that a group tells of, that of the newest event when it came.
    #[serde(default, rename = "event.seq")]
    pub seq: i64,
    /// Of the first occurrence.
    pub time: Timestamp,
    /// Of the newest occurrence.
    #[serde(rename = "time.last")]
    pub last: Timestamp,
    #[serde(rename = "drift.count")]
    pub count: u64,
    #[serde(rename = "drift.kind")]
    pub kind: String,
    #[serde(rename = "drift.object")]
    pub object: String,
    #[serde(rename = "drift.severity")]
    pub severity: String,
    #[serde(rename = "drift.sentence")]
    pub sentence: String,
    #[serde(rename = "drift.fingerprint")]
    pub fingerprint: String,
    #[serde(default, rename = "threat.technique.id", skip_serializing_if = "Vec::is_empty")]
    pub techniques: Vec<String>,
    #[serde(rename = "host.name")]
    pub host: String,
    #[serde(rename = "k8s.node.name", skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    #[serde(rename = "k8s.namespace.name", skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(rename = "k8s.pod.name", skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    #[serde(rename = "k8s.container.name", skip_serializing_if = "Option::is_none")]
    pub pod_container: Option<String>,
    #[serde(rename = "container.name", skip_serializing_if = "Option::is_none")]
    pub container_name: Option<String>,
    #[serde(rename = "container.id", skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    #[serde(rename = "container.image.name", skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(rename = "container.image.id", skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    #[serde(rename = "driftline.workload", skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    #[serde(rename = "process.executable.path", skip_serializing_if = "Option::is_none")]
    pub executable: Option<String>,
    /// Redacted.
    #[serde(default, rename = "process.command_args", skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    #[serde(rename = "process.pid", skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    #[serde(rename = "process.user.id", skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    #[serde(default, rename = "process.ancestry", skip_serializing_if = "Vec::is_empty")]
    pub ancestry: Vec<Ancestor>,
    /// The ends of a connection, to find the other pod by.
    #[serde(default, rename = "source.address", skip_serializing)]
    pub(super) source: Option<String>,
    #[serde(default, rename = "destination.address", skip_serializing)]
    pub(super) destination: Option<String>,
    #[serde(rename = "baseline.status", skip_serializing_if = "Option::is_none")]
    pub baseline_status: Option<String>,
    /// Of an event that tells of many drifts: how many different objects there were.
    #[serde(rename = "drift.group.objects", skip_serializing_if = "Option::is_none")]
    pub objects: Option<u64>,
    /// Of one that such an event tells of: that event's id.
    #[serde(rename = "drift.group.id", skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// What changes from one event of a drift to the next; of a group also what it tells.
#[derive(Deserialize)]
struct Newest {
    #[serde(rename = "time.last")]
    last: Timestamp,
    #[serde(rename = "drift.count")]
    count: u64,
    #[serde(rename = "drift.group.objects")]
    objects: Option<u64>,
    #[serde(rename = "drift.sentence")]
    sentence: String,
}

impl Told {
    /// Where it happened, as short as a person would say it: `namespace/pod/container`, or what there is of it.
    pub fn place(&self) -> String {
        let name = self.pod_container.as_ref().or(self.container_name.as_ref()).cloned();
        place([&self.namespace, &self.pod, &name], self.container.as_ref())
            .or_else(|| self.image.clone())
            .unwrap_or_else(|| self.host.clone())
    }

    /// As Kubernetes calls the machine, else as it calls itself.
    pub fn machine(&self) -> &str {
        self.node.as_deref().unwrap_or(&self.host)
    }
}

/// The names that there are, with slashes between; else the beginning of the container's id.
pub(super) fn place(names: [&Option<String>; 3], container: Option<&String>) -> Option<String> {
    let known: Vec<&str> = names.into_iter().flatten().map(String::as_str).collect();
    if known.is_empty() {
        return container.map(|id| id.chars().take(12).collect());
    }
    Some(known.join("/"))
}

/// From `seq`, `line` of the first event, and `newest`, the line of the newest where there is another; `counted` and `counted_last` may be there.
impl sqlx::FromRow<'_, AnyRow> for Told {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let decode = |error: serde_json::Error| sqlx::Error::Decode(error.into());
        let line: &str = row.try_get("line")?;
        let mut told: Self = serde_json::from_str(line).map_err(decode)?;
        let newest: Option<&str> = row.try_get("newest")?;
        // An incident is told by its newest event as it is; what another node numbered higher may be older.
        let newest = newest.filter(|_| told.kind != DriftKind::IncidentLateral.name());
        if let Some(newest) = newest.filter(|newest| *newest != line) {
            let newest: Newest = serde_json::from_str(newest).map_err(decode)?;
            (told.last, told.count) = (newest.last, newest.count);
            if newest.objects.is_some() {
                (told.objects, told.sentence) = (newest.objects, newest.sentence);
            }
        }
        told.seq = row.try_get("seq")?;
        // What is kept of one that a group tells of counts once; how often it came is kept beside it.
        if let Ok(Some(count)) = row.try_get::<Option<i64>, _>("counted") {
            told.count = count.unsigned_abs();
            told.last = timestamp(row.try_get("counted_last")?)?;
        }
        Ok(told)
    }
}
