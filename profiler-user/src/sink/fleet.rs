//! `--store postgres://…`: the node's history, copied into the store that many nodes share.
//!
//! **Invariant:** what was sent is told by the database itself, in one transaction with the rows. So whether it was away, was
//! put back to an earlier day, or an agent was killed: what is missing there is sent again, and nothing is there twice.

mod connect;
mod retain;

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use sqlx::{AssertSqlSafe, PgConnection};
use tokio::time::{Instant, timeout};

use super::{Sink, SinkError};
use crate::store::fleet::{Address, FleetError, TABLES, Table};
use crate::store::{Limits, Store, StoredEvent};

/// Places of a table's order that are sent at once.
const PAGE: i64 = 1024;

/// Rows of the ledger that are sent at once.
const ROWS: usize = 256;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often the ledger is looked at where there is no news.
const EVERY: Duration = Duration::from_secs(10);

/// The sink of one node.
#[derive(Debug)]
pub struct Fleet {
    name: String,
    address: Address,
    node: String,
    limits: Limits,
    store: Store,
    link: Option<Link>,
    /// What the database has of small tables: the hash of each row, as it was last looked at.
    sent: HashMap<&'static str, HashSet<u64>>,
    hasher: RandomState,
    tick: Instant,
    retain: Instant,
}

/// A connection that knows which history there is ours.
#[derive(Debug)]
struct Link {
    connection: PgConnection,
    /// What the tables call it: the node's name, with a number behind it from the second history on.
    agent: String,
}

impl Fleet {
    /// Copies the history of `store` under the name of `node`, and keeps what is there of it within `limits`.
    pub fn new(address: Address, node: &str, store: Store, limits: Limits) -> Self {
        Self {
            name: format!("store:{address}"),
            address,
            node: node.to_owned(),
            limits,
            store,
            link: None,
            sent: HashMap::new(),
            hasher: RandomState::new(),
            tick: Instant::now(),
            retain: Instant::now(),
        }
    }

    /// Sends everything that the database lacks.
    ///
    /// # Errors
    /// Where it cannot be reached or refuses; what was committed until then stays.
    pub async fn ship(&mut self) -> Result<(), SinkError> {
        self.tick = Instant::now() + EVERY;
        let mut link = match self.link.take() {
            Some(link) => link,
            None => match self.connect().await? {
                Some(link) => link,
                // Nothing has happened yet.
                None => return Ok(()),
            },
        };
        // After a failure the connection is not used again: nobody knows what is still on its way.
        for table in &TABLES {
            if table.is_small() {
                self.ledger(&mut link, table).await?;
            } else {
                self.rows(&mut link, table).await?;
            }
        }
        if self.retain <= Instant::now() {
            self.retain(&mut link).await?;
            self.retain = Instant::now() + retain::EVERY;
        }
        self.link = Some(link);
        Ok(())
    }

    /// Of a table in which rows have places.
    async fn rows(&self, link: &mut Link, table: &Table) -> Result<(), SinkError> {
        let newest = self.store.last_of(table).await.map_err(SinkError::new)?;
        let mut from = if table.name == "events" {
            self.newest(link).await?
        } else {
            let query = format!(
                "SELECT COALESCE(MAX({}), 0) FROM {} WHERE agent = $1",
                table.order, table.name
            );
            let query = sqlx::query_scalar(AssertSqlSafe(query)).bind(&link.agent);
            self.asked(query.fetch_one(&mut link.connection)).await?
        };
        // A row at the last place may have changed since: it is sent again.
        while from <= newest {
            let upto = from.saturating_add(PAGE);
            let copied = self.store.copied(table, from, upto).await.map_err(SinkError::new)?;
            if copied.rows > 0 {
                self.insert(link, table, &copied.json).await?;
            }
            from = upto + 1;
        }
        Ok(())
    }

    /// Of a table that is small: what changed since it was last looked at.
    async fn ledger(&mut self, link: &mut Link, table: &Table) -> Result<(), SinkError> {
        let rows = self.store.all_of(table).await.map_err(SinkError::new)?;
        let hashes: Vec<u64> = rows.iter().map(|row| self.hasher.hash_one(row)).collect();
        let sent = self.sent.remove(table.name).unwrap_or_default();
        let changed: Vec<_> = rows
            .iter()
            .zip(&hashes)
            .filter(|(_, hash)| !sent.contains(hash))
            .map(|(row, _)| row.as_str())
            .collect();
        for rows in changed.chunks(ROWS) {
            self.insert(link, table, &format!("[{}]", rows.join(","))).await?;
        }
        self.sent.insert(table.name, hashes.into_iter().collect());
        Ok(())
    }

    async fn insert(&self, link: &mut Link, table: &Table, json: &str) -> Result<(), SinkError> {
        let query = sqlx::query(AssertSqlSafe(table.insert())).bind(&link.agent).bind(json);
        self.asked(query.execute(&mut link.connection)).await.map(|_| ())
    }

    /// An answer, if one comes.
    async fn asked<T>(
        &self,
        answer: impl Future<Output = sqlx::Result<T>>,
    ) -> Result<T, SinkError> {
        match timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(why)) => Err(SinkError::new(FleetError::connect(&self.address, &why))),
            Err(_) => Err(SinkError::new(FleetError::silent(&self.address))),
        }
    }
}

impl Sink for Fleet {
    fn name(&self) -> &str {
        &self.name
    }

    fn gather(&self) -> Duration {
        Duration::from_millis(200)
    }

    fn takes_silenced(&self) -> bool {
        true
    }

    async fn try_out(&mut self) -> Option<Result<(), SinkError>> {
        Some(self.ship().await)
    }

    async fn deliver(&mut self, _events: &[StoredEvent]) -> Result<(), SinkError> {
        self.ship().await
    }

    fn next_tick(&self) -> Option<Instant> {
        Some(self.tick)
    }

    async fn tick(&mut self) -> Result<(), SinkError> {
        self.ship().await
    }
}

#[cfg(test)]
mod tests;
