//! Reading the history.

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use tokio::sync::watch;

use super::commit::{nanoseconds, timestamp};
use super::event::COLUMNS_FROM;
use super::ledger::CONTAINERS_FROM;
use super::{LedgerFilter, LedgerRow, Store, StoreError, StoredEvent};
use crate::container::ContainerId;

const CONTAINERS: &str = "
WHERE (?1 IS NULL OR namespace = ?1) AND (?2 IS NULL OR pod_name = ?2)
    AND (?3 IS NULL OR workload = ?3) AND (?4 IS NULL OR image_id = ?4)
    AND (?5 IS NULL OR (ended IS NULL) = ?5)
    AND (?6 IS NULL OR ended IS NULL OR ended >= ?6) AND (?7 IS NULL OR first_seen <= ?7)
ORDER BY first_seen DESC, id LIMIT ?8";

impl Store {
    /// `event.seq` of the newest event that is on disk; 0 where there is none.
    pub fn newest(&self) -> watch::Receiver<i64> {
        self.inner.newest.subscribe()
    }

    /// The events that follow `seq`, in order, at most `limit`.
    pub async fn events_after(&self, seq: i64, limit: u32) -> Result<Vec<StoredEvent>, StoreError> {
        let query = AssertSqlSafe(format!("{COLUMNS_FROM} WHERE seq > ? ORDER BY seq LIMIT ?"));
        self.read(sqlx::query_as(query).bind(seq).bind(limit).fetch_all(&self.inner.readers).await)
    }

    /// What groups' events tell of, in the order in which it came: the lines behind the `number`th, at most `limit`.
    pub async fn evidence_after(&self, number: i64, limit: u32) -> Result<Vec<String>, StoreError> {
        let query = "SELECT line FROM evidence WHERE number > ? ORDER BY number LIMIT ?";
        let query = sqlx::query_scalar(query).bind(number).bind(limit);
        self.read(query.fetch_all(&self.inner.readers).await)
    }

    pub async fn event(&self, seq: i64) -> Result<Option<StoredEvent>, StoreError> {
        let query = AssertSqlSafe(format!("{COLUMNS_FROM} WHERE seq = ?"));
        self.read(sqlx::query_as(query).bind(seq).fetch_optional(&self.inner.readers).await)
    }

    /// The first of the events whose newest occurrence is not before `time`.
    pub async fn first_since(&self, time: Timestamp) -> Result<Option<i64>, StoreError> {
        let query = sqlx::query_scalar("SELECT MIN(seq) FROM events WHERE last >= ?");
        self.read(query.bind(nanoseconds(time)).fetch_one(&self.inner.readers).await)
    }

    /// Up to which event the sink has delivered. One that was never here begins behind the newest: what happened
    /// before somebody asked for it is history, not news.
    pub async fn cursor(&self, sink: &str) -> Result<i64, StoreError> {
        let mut writers = self.inner.writers.lock().await;
        let query = "INSERT INTO cursors (sink, seq) SELECT ?, COALESCE(MAX(seq), 0) FROM events WHERE true \
             ON CONFLICT (sink) DO UPDATE SET seq = seq RETURNING seq";
        self.read(writers.begin().await)?;
        let query = sqlx::query_scalar(query).bind(sink);
        let cursor = self.read(query.fetch_one(&mut writers.durable).await)?;
        self.read(writers.end().await.map(|()| cursor))
    }

    /// The sink has delivered everything up to `seq`.
    pub async fn advance(&self, sink: &str, seq: i64) -> Result<(), StoreError> {
        let mut writers = self.inner.writers.lock().await;
        let query = "INSERT INTO cursors (sink, seq) VALUES (?, ?) \
             ON CONFLICT (sink) DO UPDATE SET seq = excluded.seq";
        let query = sqlx::query(query).bind(sink).bind(seq);
        query
            .execute(&mut writers.relaxed)
            .await
            .map(|_| ())
            .map_err(|source| StoreError::database(&self.inner.file, "write to the store", source))
    }

    pub async fn container(&self, id: &ContainerId) -> Result<Option<LedgerRow>, StoreError> {
        let query = AssertSqlSafe(format!("{CONTAINERS_FROM} WHERE id = ?"));
        let query = sqlx::query_as(query).bind(id.as_str());
        self.read(query.fetch_optional(&self.inner.readers).await)
    }

    pub async fn containers(&self, filter: &LedgerFilter) -> Result<Vec<LedgerRow>, StoreError> {
        let query = sqlx::query_as(AssertSqlSafe(format!("{CONTAINERS_FROM} {CONTAINERS}")))
            .bind(&filter.namespace)
            .bind(&filter.pod)
            .bind(&filter.workload)
            .bind(&filter.image_id)
            .bind(filter.running)
            .bind(filter.from.map(nanoseconds))
            .bind(filter.until.map(nanoseconds))
            // No limit is negative: <https://sqlite.org/lang_select.html#limitoffset>.
            .bind(filter.limit.map_or(-1, i64::from));
        self.read(query.fetch_all(&self.inner.readers).await)
    }

    /// The containers whose end nobody has told of.
    pub async fn unfinished(&self) -> Result<Vec<LedgerRow>, StoreError> {
        self.containers(&LedgerFilter { running: Some(true), ..LedgerFilter::default() }).await
    }

    /// When an agent was last alive here. Ask before the first [`Write::Heartbeat`](super::Write) of this one.
    pub async fn last_heartbeat(&self) -> Result<Option<Timestamp>, StoreError> {
        let query = sqlx::query_scalar("SELECT at FROM heartbeat");
        let at: Option<i64> = self.read(query.fetch_optional(&self.inner.readers).await)?;
        self.read(at.map(timestamp).transpose())
    }

    /// As `(from, to, why)`, in the order in which they were told of.
    pub async fn gaps(
        &self,
        container: Option<&ContainerId>,
    ) -> Result<Vec<(Timestamp, Timestamp, String)>, StoreError> {
        let query = "SELECT begun, ended, why FROM gaps WHERE container IS ? ORDER BY gap";
        let rows: Vec<(i64, i64, String)> = self.read(
            sqlx::query_as(query)
                .bind(container.map(ContainerId::as_str))
                .fetch_all(&self.inner.readers)
                .await,
        )?;
        let gap = |(from, to, why)| Ok((timestamp(from)?, timestamp(to)?, why));
        self.read(rows.into_iter().map(gap).collect())
    }

    pub(super) fn read<T>(&self, result: sqlx::Result<T>) -> Result<T, StoreError> {
        result.map_err(|source| match source {
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
                StoreError::Row { path: self.inner.file.clone(), why: source.to_string() }
            }
            source => StoreError::database(&self.inner.file, "read the store", source),
        })
    }
}
