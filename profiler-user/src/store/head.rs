//! The end of the chain, and what is appended to it.

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::StoreError;
use super::event::Keys;
use super::record::{Machine, Record, Told};
use crate::drift::chain::Chain;
use crate::drift::{Action, Event, Severity};

/// Where the chain stands, inside one transaction.
pub(super) struct Head {
    pub(super) seq: i64,
    /// Rows that retention took, in all.
    pub(super) removed: i64,
    chain: Chain,
}

const KEEP: &str = "
INSERT INTO head (one, seq, hash, removed) VALUES (1, ?, ?, ?)
ON CONFLICT (one) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, removed = excluded.removed";

/// A later event of the same id tells the count of all before it; one of another id adds to them.
const COUNT: &str = "
INSERT INTO drifts (container, fingerprint, id, counted, count, first, last, first_seq, last_seq, repeats)
VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7, ?7, ?8)
ON CONFLICT (container, fingerprint) DO UPDATE SET
    count = drifts.count + excluded.counted - CASE
        WHEN drifts.id = excluded.id THEN drifts.counted
        WHEN excluded.repeats = 0 THEN 0
        ELSE COALESCE((SELECT json_extract(line, '$.\"drift.count\"') FROM events
            WHERE id = excluded.id AND seq < excluded.last_seq ORDER BY seq DESC LIMIT 1), 0) END,
    id = excluded.id, counted = excluded.counted, last = MAX(excluded.last, drifts.last),
    last_seq = excluded.last_seq, repeats = drifts.repeats + excluded.repeats
RETURNING first_seq";

impl Head {
    pub(super) async fn read(connection: &mut SqliteConnection) -> sqlx::Result<Self> {
        let kept: Option<(i64, Option<String>, i64)> =
            sqlx::query_as("SELECT seq, hash, removed FROM head")
                .fetch_optional(&mut *connection)
                .await?;
        if let Some((seq, hash, removed)) = kept {
            return Ok(Self { seq, removed, chain: Chain::at(seq.unsigned_abs(), hash) });
        }
        // Of a version that did not keep it.
        let last: Option<(i64, String)> =
            sqlx::query_as("SELECT seq, line FROM events ORDER BY seq DESC LIMIT 1")
                .fetch_optional(connection)
                .await?;
        Ok(match last {
            Some((seq, line)) => Self { seq, removed: 0, chain: Chain::after(line.as_bytes()) },
            None => Self { seq: 0, removed: 0, chain: Chain::default() },
        })
    }

    /// From now on it is kept.
    pub(super) async fn adopt(connection: &mut SqliteConnection) -> sqlx::Result<()> {
        let kept: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM head").fetch_one(&mut *connection).await?;
        if kept == 0 {
            Self::read(connection).await?.keep(connection).await?;
        }
        Ok(())
    }

    /// Whether anything but a word about the chain is at its end.
    pub(super) async fn is_news(&self, connection: &mut SqliteConnection) -> sqlx::Result<bool> {
        let kind: Option<String> = sqlx::query_scalar("SELECT kind FROM events WHERE seq = ?")
            .bind(self.seq)
            .fetch_optional(connection)
            .await?;
        Ok(kind.is_some_and(|kind| kind != super::CHAIN))
    }

    /// To be called after the last of a transaction was appended.
    pub(super) async fn keep(&self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        let query = sqlx::query(KEEP).bind(self.seq).bind(self.chain.previous()).bind(self.removed);
        query.execute(connection).await.map(|_| ())
    }

    /// Numbers, links, appends and counts the event.
    pub(super) async fn append(
        &mut self,
        connection: &mut SqliteConnection,
        event: &mut Event,
    ) -> Result<(), Unwritten> {
        let line = self.chain.link(event)?;
        let keys = self.insert(connection, &line).await?;
        let is_new = event.action == Action::Created;
        let count = sqlx::query_scalar(COUNT)
            .bind(event.origin.container_id.as_deref().unwrap_or_default())
            .bind(&event.fingerprint)
            .bind(keys.id)
            .bind(i64::try_from(event.count).unwrap_or(i64::MAX))
            .bind(super::commit::nanoseconds(event.time))
            .bind(super::commit::nanoseconds(event.last))
            .bind(self.seq)
            .bind(i64::from(!is_new));
        let first: i64 = count.fetch_one(&mut *connection).await?;
        if is_new && first != self.seq {
            let again = sqlx::query("INSERT INTO again (severity, seq) VALUES (?, ?)");
            again.bind(rank(event.severity)).bind(self.seq).execute(connection).await?;
        }
        Ok(())
    }

    /// Appends a word about the chain itself.
    pub(super) async fn tell(
        &mut self,
        connection: &mut SqliteConnection,
        told: Told<'_>,
        machine: &Machine,
        now: Timestamp,
    ) -> Result<(), Unwritten> {
        let (seq, previous) = self.chain.next();
        let line = Record::new(told, machine, now, seq, previous, self.removed).line()?;
        self.insert(connection, &line).await.map(|_| ())
    }

    async fn insert(
        &mut self,
        connection: &mut SqliteConnection,
        line: &str,
    ) -> Result<Keys, Unwritten> {
        let keys = Keys::of(line.as_bytes())?;
        self.chain.written(line);
        self.seq += 1;
        keys.insert(connection, self.seq, line).await?;
        Ok(keys)
    }
}

/// Why something is not in the chain.
pub(super) enum Unwritten {
    Json(serde_json::Error),
    Database(sqlx::Error),
}

impl Unwritten {
    pub(super) fn of(self, file: &std::path::Path) -> StoreError {
        match self {
            Self::Json(error) => StoreError::Event(error),
            Self::Database(source) => StoreError::database(file, "write to the store", source),
        }
    }
}

impl From<serde_json::Error> for Unwritten {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

impl From<sqlx::Error> for Unwritten {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

const fn rank(severity: Severity) -> i64 {
    match severity {
        Severity::Info => 0,
        Severity::Low => 1,
        Severity::Medium => 2,
        Severity::High => 3,
        Severity::Critical => 4,
    }
}
