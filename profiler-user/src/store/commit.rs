//! The one transaction that everything is written by.

use jiff::Timestamp;
use sqlx::{Connection as _, SqliteConnection};

use super::event::Keys;
use super::{Committed, Store, StoreError, Write, upsert};
use crate::drift::Event;
use crate::drift::chain::Chain;

impl Store {
    /// Writes all or nothing, in this order, and returns when it is on disk.
    pub async fn commit(&self, mut writes: Vec<Write>) -> Result<Committed, StoreError> {
        self.commit_all(&mut writes).await
    }

    /// Leaves the writes to the caller, who may want to try again.
    pub(super) async fn commit_all(&self, writes: &mut [Write]) -> Result<Committed, StoreError> {
        let failed = |source| StoreError::database(&self.inner.file, "write to the store", source);
        let mut writers = self.inner.writers.lock().await;
        // A reader of another process may be in the way of an upgrade from reading to writing; not of this.
        let mut transaction =
            writers.durable.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        let mut head = Head::read(&mut transaction).await.map_err(failed)?;
        let mut events = 0;
        for write in writes {
            match write {
                Write::Event(event) => {
                    events += 1;
                    let (keys, line) = head.link(event)?;
                    keys.insert(&mut transaction, head.seq, &line).await.map_err(failed)?;
                }
                other => upsert::apply(&mut transaction, other).await.map_err(failed)?,
            }
        }
        transaction.commit().await.map_err(failed)?;
        self.inner.newest.send_if_modified(|newest| {
            let old = std::mem::replace(newest, head.seq);
            old != head.seq
        });
        Ok(Committed { events, newest: head.seq })
    }
}

/// Where the chain stands.
struct Head {
    seq: i64,
    chain: Chain,
}

impl Head {
    async fn read(connection: &mut SqliteConnection) -> sqlx::Result<Self> {
        let last: Option<(i64, String)> =
            sqlx::query_as("SELECT seq, line FROM events ORDER BY seq DESC LIMIT 1")
                .fetch_optional(connection)
                .await?;
        Ok(match last {
            Some((seq, line)) => Self { seq, chain: Chain::after(line.as_bytes()) },
            None => Self { seq: 0, chain: Chain::default() },
        })
    }

    fn link(&mut self, event: &mut Event) -> Result<(Keys, String), StoreError> {
        let line = self.chain.link(event)?;
        self.chain.written(&line);
        self.seq += 1;
        Ok((serde_json::from_str(&line)?, line))
    }
}

/// Until the year 2262, and from then on that year.
pub(super) fn nanoseconds(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX)
}

pub(super) fn timestamp(nanoseconds: i64) -> sqlx::Result<Timestamp> {
    Timestamp::from_nanosecond(nanoseconds.into())
        .map_err(|error| sqlx::Error::Decode(error.into()))
}
