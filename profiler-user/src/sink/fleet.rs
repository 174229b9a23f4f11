//! `--store postgres://…`: the node's history, copied into the store that many nodes share.
//!
//! **Invariant:** what was sent is told by the database itself, in one transaction with the rows. So whether it was away, was
//! put back to an earlier day, or an agent was killed: what is missing there is sent again, and nothing is there twice.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};
use tokio::time::{Instant, timeout};

use super::{Sink, SinkError};
use crate::store::fleet::{Address, FleetError, MIGRATIONS, TABLES, Table};
use crate::store::{Store, StoredEvent};

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
    agent: String,
    store: Store,
    connection: Option<PgConnection>,
    /// What the database has of small tables: the hash of each row.
    sent: HashSet<u64>,
    hasher: RandomState,
    tick: Instant,
}

impl Fleet {
    /// Copies the history of `store` under the name of `agent`.
    pub fn new(address: Address, agent: &str, store: Store) -> Self {
        Self {
            name: format!("store:{address}"),
            address,
            agent: agent.to_owned(),
            store,
            connection: None,
            sent: HashSet::new(),
            hasher: RandomState::new(),
            tick: Instant::now(),
        }
    }

    /// Sends everything that the database lacks.
    ///
    /// # Errors
    /// Where it cannot be reached or refuses; what was committed until then stays.
    pub async fn ship(&mut self) -> Result<(), SinkError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        self.tick = Instant::now() + EVERY;
        // After a failure the connection is not used again: nobody knows what is still on its way.
        for table in &TABLES {
            let sent = if table.is_small() {
                self.ledger(&mut connection, table).await
            } else {
                self.rows(&mut connection, table).await
            };
            sent?;
        }
        self.connection = Some(connection);
        Ok(())
    }

    async fn connect(&mut self) -> Result<PgConnection, SinkError> {
        self.sent.clear();
        let connect = async {
            let options: PgConnectOptions = self
                .address
                .url()
                .parse()
                .map_err(|why| FleetError::connect(&self.address, &why))?;
            let connection = options.disable_statement_logging().connect().await;
            let mut connection =
                connection.map_err(|why| FleetError::connect(&self.address, &why))?;
            let migrated = MIGRATIONS.run_direct(None, &mut connection, false).await;
            migrated.map_err(|why| FleetError::migration(&self.address, why))?;
            Ok::<_, FleetError>(connection)
        };
        let connected = timeout(PATIENCE, connect).await;
        let connection = connected.unwrap_or_else(|_| Err(FleetError::silent(&self.address)));
        let mut connection = connection.map_err(SinkError::new)?;
        self.recognise(&mut connection).await?;
        Ok(connection)
    }

    /// Another history under this name would be mixed with this one.
    async fn recognise(&self, connection: &mut PgConnection) -> Result<(), SinkError> {
        let query = "SELECT seq, line FROM events WHERE agent = $1 ORDER BY seq DESC LIMIT 1";
        let newest = sqlx::query_as(query).bind(&self.agent).fetch_optional(connection).await;
        let newest: Option<(i64, String)> = self.done(newest)?;
        let Some((seq, line)) = newest else { return Ok(()) };
        let ours = self.store.event(seq).await.map_err(SinkError::new)?;
        let is_ours = match ours {
            Some(event) => event.line == line,
            // Retention may have taken it here.
            None => *self.store.newest().borrow() > seq,
        };
        if is_ours {
            return Ok(());
        }
        Err(SinkError::new(format!(
            "{} holds another history of a node called {:?}; give this node another --node-name",
            self.address, self.agent
        )))
    }

    /// Of a table in which rows have places.
    async fn rows(&self, connection: &mut PgConnection, table: &Table) -> Result<(), SinkError> {
        let newest = self.store.last_of(table).await.map_err(SinkError::new)?;
        let query = format!(
            "SELECT COALESCE(MAX({}), 0) FROM {} WHERE agent = $1",
            table.order, table.name
        );
        let query = sqlx::query_scalar(AssertSqlSafe(query)).bind(&self.agent);
        let mut from: i64 = self.done(query.fetch_one(&mut *connection).await)?;
        // A row at the last place may have changed since: it is sent again.
        while from <= newest {
            let upto = from.saturating_add(PAGE);
            let copied = self.store.copied(table, from, upto).await.map_err(SinkError::new)?;
            if copied.rows > 0 {
                self.insert(connection, table, &copied.json).await?;
            }
            from = upto + 1;
        }
        Ok(())
    }

    /// Of a table that is small: what changed since it was last looked at.
    async fn ledger(
        &mut self,
        connection: &mut PgConnection,
        table: &Table,
    ) -> Result<(), SinkError> {
        let rows = self.store.all_of(table).await.map_err(SinkError::new)?;
        let hash = |row: &String| self.hasher.hash_one((table.name, row));
        let changed: Vec<_> = rows
            .into_iter()
            .map(|row| (hash(&row), row))
            .filter(|(hash, _)| !self.sent.contains(hash))
            .collect();
        for rows in changed.chunks(ROWS) {
            let list: Vec<&str> = rows.iter().map(|(_, row)| row.as_str()).collect();
            self.insert(connection, table, &format!("[{}]", list.join(","))).await?;
            self.sent.extend(rows.iter().map(|(hash, _)| *hash));
        }
        Ok(())
    }

    async fn insert(
        &self,
        connection: &mut PgConnection,
        table: &Table,
        json: &str,
    ) -> Result<(), SinkError> {
        let query = sqlx::query(AssertSqlSafe(table.insert())).bind(&self.agent).bind(json);
        match timeout(PATIENCE, query.execute(connection)).await {
            Ok(inserted) => self.done(inserted).map(|_| ()),
            Err(_) => Err(SinkError::new(FleetError::silent(&self.address))),
        }
    }

    fn done<T>(&self, result: sqlx::Result<T>) -> Result<T, SinkError> {
        result.map_err(|why| SinkError::new(FleetError::connect(&self.address, &why)))
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
