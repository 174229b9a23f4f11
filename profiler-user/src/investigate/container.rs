//! The full life of one container, from the ledger.

use serde::Serialize;
use sqlx::AssertSqlSafe;

use super::history::{History, HistoryError};
use super::statement::Dialect;
use super::timeline::{Gap, drifts, gaps};
use super::{Selector, Told};
use crate::container::Identity;
use crate::provenance::Provenance;
use crate::store::{CONTAINERS_FROM, CONTAINERS_FROM_POSTGRES, LedgerRow};

/// Everything that the history knows of a container.
#[derive(Debug, Serialize)]
pub struct Life {
    pub identity: Identity,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    pub first_seen: jiff::Timestamp,
    pub restarts: u32,
    /// How completely it was seen: `from_start`, `partial`, `gaps`, `listed`.
    pub capture: &'static str,
    /// By kind, what the sensor could not deliver.
    pub lost: std::collections::BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline_status: Option<String>,
    /// Of its image, at its start; with the keys of events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<std::sync::Arc<Provenance>>,
    /// The same in a line; none where no image is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance_line: Option<String>,
    /// What it did beyond its baseline, the oldest first.
    pub drift: Vec<Told>,
    /// There was more of that, earlier.
    pub cut: bool,
    pub gaps: Vec<Gap>,
}

/// The life of the container whose id `name` is, or begins; at most `limit` of its drift.
pub async fn container(
    history: &mut History,
    name: &str,
    limit: u32,
) -> Result<Life, HistoryError> {
    let id = history.container_id(name).await?;
    let Some(row) = history.row(&id).await? else {
        return Err(history.unknown_container(name));
    };
    let selector = Selector { container: Some(id), ..Selector::default() };
    let (mut drift, cut) = drifts(history, &selector, limit).await?;
    drift.sort_by_key(|told| (told.time, told.seq));
    let gaps = gaps(history, &selector, limit).await?;
    let provenance_line = match &row.provenance {
        Some(provenance) => Some(provenance.line()),
        None => row.identity.image.as_ref().map(|_| Provenance::default().line()),
    };
    Ok(Life {
        capture: row.capture.name(),
        identity: row.identity,
        workload: row.workload,
        cgroup: row.cgroup,
        node: row.node,
        first_seen: row.first_seen,
        restarts: row.restarts,
        lost: row.lost,
        tier: row.tier,
        baseline_id: row.baseline_id,
        baseline_status: row.baseline_status,
        provenance_line,
        provenance: row.provenance,
        drift,
        cut,
        gaps,
    })
}

impl History {
    pub(super) async fn row(&mut self, id: &str) -> Result<Option<LedgerRow>, HistoryError> {
        let query = sqlx::query_as(AssertSqlSafe(format!(
            "{} WHERE id = $1 ORDER BY first_seen LIMIT 1",
            history_columns(self.dialect)
        )));
        let row = query.bind(id).fetch_optional(&mut self.connection);
        let row = self.dialect.answer(row).await;
        self.failed(row)
    }
}

fn history_columns(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => CONTAINERS_FROM,
        Dialect::Postgres => CONTAINERS_FROM_POSTGRES,
    }
}
