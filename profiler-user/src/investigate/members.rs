//! What one event tells of many drifts: each of them.

use serde::Serialize;

use super::Told;
use super::history::{History, HistoryError};
use super::statement::Statement;

/// A group's event, and what it tells of.
#[derive(Debug, Serialize)]
pub struct Members {
    pub event: Told,
    /// In the order in which they came; each with its own count.
    pub members: Vec<Told>,
    /// There are more, later ones.
    pub cut: bool,
}

/// The first `limit` drifts that the event of this id tells of; none where it is one drift alone.
pub async fn members(
    history: &mut History,
    event: &str,
    limit: u32,
) -> Result<Members, HistoryError> {
    let event = history.event(event).await?;
    let mut query = Statement::new(
        history.dialect,
        "SELECT v.seq, v.line, v.line AS newest, d.count AS counted, d.last AS counted_last FROM evidence v \
         LEFT JOIN drifts d ON d.id = v.id AND d.container = ",
    );
    query.either(
        "COALESCE(json_extract(v.line, '$.\"container.id\"'), '') \
             AND d.fingerprint = json_extract(v.line, '$.\"drift.fingerprint\"')",
        // Not every line is JSON to it: a NUL in a value is none.
        "COALESCE(substring(v.line from '\"container\\.id\":\"([^\"]*)\"'), '') \
             AND d.fingerprint = substring(v.line from '\"drift\\.fingerprint\":\"([^\"]*)\"')",
    );
    query.push(" WHERE v.\"of\" = ").push_bind(event.id.as_str());
    query.push(" ORDER BY v.number LIMIT ").push_bind(i64::from(limit) + 1);
    let found = query.all(&mut history.connection).await;
    let mut members: Vec<Told> = history.failed(found)?;
    let cut = members.len() > limit as usize;
    members.truncate(limit as usize);
    Ok(Members { event, members, cut })
}
