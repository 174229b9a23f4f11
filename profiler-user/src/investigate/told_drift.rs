//! The drift that a history holds of a time, for `driftline replay` to compare with.

use jiff::Timestamp;
use serde::Deserialize;

use super::history::{History, HistoryError};
use crate::store::nanoseconds;

/// Of one container and fingerprint.
#[derive(Clone, Debug)]
pub(crate) struct ToldDrift {
    pub(crate) container: String,
    pub(crate) fingerprint: String,
    pub(crate) count: i64,
    pub(crate) last: i64,
    pub(crate) line: DriftLine,
}

/// What is compared and shown of an event.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DriftLine {
    pub(crate) time: Timestamp,
    #[serde(rename = "event.id")]
    pub(crate) id: String,
    #[serde(rename = "container.id")]
    container: Option<String>,
    #[serde(rename = "drift.fingerprint")]
    fingerprint: Option<String>,
    #[serde(rename = "drift.group.by")]
    group: Option<String>,
    #[serde(rename = "drift.kind")]
    pub(crate) kind: String,
    #[serde(rename = "drift.object")]
    pub(crate) object: String,
    #[serde(rename = "drift.severity")]
    pub(crate) severity: String,
    #[serde(rename = "drift.sentence")]
    pub(crate) sentence: String,
    #[serde(rename = "process.executable.path")]
    pub(crate) executable: Option<String>,
    #[serde(rename = "container.image.name")]
    pub(crate) image: Option<String>,
    #[serde(rename = "k8s.namespace.name")]
    pub(crate) namespace: Option<String>,
    #[serde(rename = "k8s.pod.name")]
    pub(crate) pod: Option<String>,
}

/// What drifted between the two, groups' members each by itself. Not what no container did: gaps, images without a baseline.
pub(crate) async fn told_drift(
    history: &mut History,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<ToldDrift>, HistoryError> {
    let counted = sqlx::query_as(
        "SELECT d.container, d.fingerprint, d.count, d.last, e.line FROM drifts d LEFT JOIN events e ON e.seq = d.first_seq \
         WHERE d.last >= $1 AND d.first <= $2 AND d.container <> '' ORDER BY d.container, d.fingerprint",
    )
    .bind(nanoseconds(from))
    .bind(nanoseconds(until))
    .fetch_all(&mut history.connection)
    .await;
    let counted: Vec<(String, String, i64, i64, Option<String>)> = history.failed(counted)?;
    let lines = sqlx::query_scalar("SELECT line FROM evidence ORDER BY number");
    let lines = lines.fetch_all(&mut history.connection).await;
    let lines: Vec<String> = history.failed(lines)?;
    let read = |line: &String| serde_json::from_str::<DriftLine>(line).ok();
    let key = |line: &DriftLine| Some((line.container.clone()?, line.fingerprint.clone()?));
    let members: std::collections::HashMap<_, _> =
        lines.iter().filter_map(read).filter_map(|line| Some((key(&line)?, line))).collect();
    let mut all = Vec::new();
    for (container, fingerprint, count, last, line) in counted {
        let own = (container, fingerprint);
        // Of a group's member the event is another's.
        let line = line.as_ref().and_then(read).filter(|line| key(line).as_ref() == Some(&own));
        let Some(line) = line.or_else(|| members.get(&own).cloned()) else { continue };
        let (container, fingerprint) = own;
        all.push(ToldDrift { container, fingerprint, count, last, line });
    }
    let done_by_none = ["image.unprofiled", "sensor.gap", "incident.lateral"];
    all.retain(|told| !done_by_none.contains(&told.line.kind.as_str()));
    // The event of a group counts what its members do.
    all.retain(|told| told.line.group.is_none());
    Ok(all)
}
