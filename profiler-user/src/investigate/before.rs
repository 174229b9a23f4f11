//! What changed in the behaviour before the alert?

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use super::history::{History, HistoryError};
use super::statement::storable;
use super::timeline::{Gap, drifts, gaps};
use super::{Selector, Told};
use crate::store::{LedgerRow, nanoseconds, timestamp};

/// What led to one event.
#[derive(Debug, Serialize)]
pub struct Before {
    /// The alert.
    pub event: Told,
    /// From here on was looked.
    pub from: Timestamp,
    /// What the same container did anew before it, the oldest first.
    pub drift: Vec<Told>,
    /// There was more of that, earlier.
    pub cut: bool,
    /// Of the drift: `event.id` of what no other container of this history had done before.
    pub first_ever: Vec<String>,
    /// When the container began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    pub restarts: u32,
    /// The image that the same workload ran before, where it was another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_before: Option<Image>,
    /// In which nobody watched: something may be missing.
    pub gaps: Vec<Gap>,
    /// Events of the container that the sensor could not deliver, in all its life.
    pub lost: u64,
}

/// What a container was made from.
#[derive(Debug, Serialize)]
pub struct Image {
    #[serde(rename = "container.id")]
    pub container: String,
    #[serde(rename = "container.image.reference", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(rename = "container.image.id", skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When the last container of it began.
    pub started: Timestamp,
}

/// What happened in the container of the event within `window` before it, at most `limit` of it.
pub async fn before(
    history: &mut History,
    event: &str,
    window: SignedDuration,
    limit: u32,
) -> Result<Before, HistoryError> {
    let event = history.event(event).await?;
    let from = event.time.checked_sub(window).unwrap_or(Timestamp::MIN);
    let (from, until) = (Some(from), Some(event.time));
    let selector =
        Selector { from, until, container: event.container.clone(), ..Selector::default() };
    let (mut drift, cut) = drifts(history, &selector, limit).await?;
    drift.retain(|told| told.seq < event.seq);
    drift.sort_by_key(|told| (told.time, told.seq));
    let mut first_ever = Vec::new();
    for told in drift.iter().chain([&event]) {
        if is_first(history, told).await? {
            first_ever.push(told.id.clone());
        }
    }
    let row = match &event.container {
        Some(id) => history.row(id).await?,
        None => None,
    };
    let started = row.as_ref().map(|row| row.identity.started.unwrap_or(row.first_seen));
    let image_before = match &row {
        Some(row) => image_before(history, row).await?,
        None => None,
    };
    Ok(Before {
        from: from.unwrap_or(Timestamp::MIN),
        gaps: gaps(history, &selector, limit).await?,
        drift,
        cut,
        first_ever,
        started,
        restarts: row.as_ref().map_or(0, |row| row.restarts),
        image_before,
        lost: row.as_ref().map_or(0, |row| row.lost.values().sum()),
        event,
    })
}

/// No container of the history had done it before.
async fn is_first(history: &mut History, told: &Told) -> Result<bool, HistoryError> {
    let query = "SELECT 1 FROM drifts WHERE fingerprint = $1 AND first < $2 LIMIT 1";
    let query = sqlx::query(query).bind(storable(&told.fingerprint)).bind(nanoseconds(told.time));
    let earlier = history.dialect.answer(query.fetch_optional(&mut history.connection)).await;
    Ok(history.failed(earlier)?.is_none())
}

async fn image_before(
    history: &mut History,
    row: &LedgerRow,
) -> Result<Option<Image>, HistoryError> {
    let (Some(pod), Some(workload), Some(image)) =
        (&row.identity.pod, &row.workload, &row.identity.image)
    else {
        return Ok(None);
    };
    let query = sqlx::query_as(
        "SELECT id, image_reference, image_id, COALESCE(started, created, first_seen) AS at FROM containers \
         WHERE namespace = $1 AND workload = $2 AND name IS NOT DISTINCT FROM $3 AND image_id <> $4 AND first_seen < $5 \
         ORDER BY first_seen DESC LIMIT 1",
    );
    let query = query
        .bind(&pod.namespace)
        .bind(workload)
        .bind(&row.identity.name)
        .bind(&image.id)
        .bind(nanoseconds(row.first_seen));
    let found = history.dialect.answer(query.fetch_optional(&mut history.connection)).await;
    history.failed(found)
}

impl FromRow<'_, AnyRow> for Image {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            container: row.try_get("id")?,
            reference: row.try_get("image_reference")?,
            id: row.try_get("image_id")?,
            started: timestamp(row.try_get("at")?)?,
        })
    }
}
