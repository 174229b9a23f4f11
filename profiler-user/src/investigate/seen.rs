//! Has this happened before: when, where, how often?

use jiff::Timestamp;
use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, FromRow, Row as _};

use super::Told;
use super::history::{History, HistoryError};
use super::told::place;
use crate::store::timestamp;

/// Everything that is known of one fingerprint.
#[derive(Debug, Serialize)]
pub struct Seen {
    #[serde(rename = "drift.fingerprint")]
    pub fingerprint: String,
    /// Of the first occurrence that the history holds.
    pub first: Timestamp,
    pub last: Timestamp,
    /// In all, repeats whose rows retention took among them.
    pub count: u64,
    /// The newest event of it, for what it is.
    pub example: Told,
    /// By container, in the order of their first times.
    pub occurrences: Vec<Occurrence>,
}

/// One drift in one container.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Occurrence {
    pub first: Timestamp,
    pub last: Timestamp,
    pub count: u64,
    /// `event.id` of the newest event.
    #[serde(rename = "event.id")]
    pub event: String,
    /// None where it was no container's.
    #[serde(rename = "container.id", skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    #[serde(rename = "container.name", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(rename = "k8s.namespace.name", skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(rename = "k8s.pod.name", skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    #[serde(rename = "driftline.workload", skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    #[serde(rename = "k8s.node.name", skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    #[serde(rename = "container.image.name", skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(rename = "container.image.id", skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    /// When the container ended; none while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}

impl Occurrence {
    /// As [`Told::place`].
    pub fn place(&self) -> String {
        place([&self.namespace, &self.pod, &self.name], self.container.as_ref())
            .unwrap_or_else(|| "this machine".to_owned())
    }
}

/// What the history knows of the fingerprint, or of the drift of the event, that `name` names.
pub async fn seen(history: &mut History, name: &str) -> Result<Seen, HistoryError> {
    let fingerprint = history.fingerprint(name).await?;
    let occurrences = occurrences(history, &fingerprint).await?;
    // Between its being named and its being read nothing can go: both are of one moment.
    let Some(earliest) = occurrences.first() else {
        return Err(history.unknown_fingerprint(&fingerprint));
    };
    let first = earliest.first;
    let example = example(history, &occurrences).await?;
    let example = example.ok_or_else(|| history.unknown_fingerprint(&fingerprint))?;
    Ok(Seen {
        first,
        last: occurrences.iter().map(|one| one.last).max().unwrap_or(first),
        count: occurrences.iter().map(|one| one.count).sum(),
        fingerprint,
        example,
        occurrences,
    })
}

/// The newest that is there: of what still goes on, retention may have taken the event.
async fn example(
    history: &mut History,
    occurrences: &[Occurrence],
) -> Result<Option<Told>, HistoryError> {
    let mut newest: Vec<&Occurrence> = occurrences.iter().collect();
    newest.sort_by_key(|one| std::cmp::Reverse(one.last));
    for one in newest {
        match history.event(&one.event).await {
            Err(HistoryError::Unknown { .. }) => {}
            found => return found.map(Some),
        }
    }
    Ok(None)
}

pub(super) async fn occurrences(
    history: &mut History,
    fingerprint: &str,
) -> Result<Vec<Occurrence>, HistoryError> {
    // A container that two histories tell of is in each by itself.
    let same = history.dialect.of_one_node("c", "d");
    let query = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT d.first, d.last, d.count, d.id AS event, d.container, c.name, c.namespace, c.pod_name, c.workload, \
             c.node, c.image_name, c.image_id, c.ended \
         FROM drifts d \
         LEFT JOIN containers c ON c.id = d.container{same} WHERE d.fingerprint = $1 ORDER BY d.first, d.container, c.node",
    )));
    let query = query.bind(super::statement::storable(fingerprint));
    let found = history.dialect.answer(query.fetch_all(&mut history.connection)).await;
    history.failed(found)
}

impl FromRow<'_, AnyRow> for Occurrence {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let container: String = row.try_get("container")?;
        let ended: Option<i64> = row.try_get("ended")?;
        Ok(Self {
            first: timestamp(row.try_get("first")?)?,
            last: timestamp(row.try_get("last")?)?,
            count: row.try_get::<i64, _>("count")?.unsigned_abs(),
            event: row.try_get("event")?,
            container: Some(container).filter(|id| !id.is_empty()),
            name: row.try_get("name")?,
            namespace: row.try_get("namespace")?,
            pod: row.try_get("pod_name")?,
            workload: row.try_get("workload")?,
            node: row.try_get("node")?,
            image: row.try_get("image_name")?,
            image_id: row.try_get("image_id")?,
            ended: ended.map(timestamp).transpose()?,
        })
    }
}
