//! The end of the chain, and what is appended to it.

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::StoreError;
use super::append::Row;
use super::event::Keys;
use super::record::{Machine, Record, Told};
use crate::drift::Event;
use crate::drift::chain::Chain;

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

    /// Numbers and links the event; it is to be appended before anything else is.
    pub(super) fn link(&mut self, event: &mut Event) -> Result<Row, serde_json::Error> {
        let line = self.chain.link(event)?;
        self.chain.written(&line);
        self.seq += 1;
        let count = i64::try_from(event.count).unwrap_or(i64::MAX);
        Ok(Row { seq: self.seq, line, keys: Keys::of_event(event), count })
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
        let keys = Keys::of(line.as_bytes())?;
        self.chain.written(&line);
        self.seq += 1;
        Ok(keys.insert(connection, self.seq, &line).await?)
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
