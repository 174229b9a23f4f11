//! Into the database, and to the history there that is this node's own.
//!
//! A node's name is not enough to know it by: its directory may have been lost, or another machine may have the same name. What
//! is at the end of the history there says whose it is, since each line is that of one event. So two histories are never mixed,
//! and the second stands beside the first.

use jiff::Timestamp;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};
use tokio::time::timeout;

use super::{Fleet, Link, PATIENCE};
use crate::sink::SinkError;
use crate::store::fleet::{
    self, FIRST, FleetError, IS_PREPARED, MIGRATIONS, NEWEST, TABLES, TAKEN,
};
use crate::store::{StoredEvent, Write};

/// Rows that are looked at for a common past.
const COMMON: i64 = 256;

impl Fleet {
    /// None where there is nothing to send yet.
    pub(super) async fn connect(&mut self) -> Result<Option<Link>, SinkError> {
        self.sent.clear();
        let connected = timeout(PATIENCE, self.enter()).await;
        let connection = connected.unwrap_or_else(|_| Err(FleetError::silent(&self.address)));
        let mut connection = connection.map_err(SinkError::new)?;
        let agent = self.recognise(&mut connection).await?;
        Ok(agent.map(|agent| Link { connection, agent }))
    }

    async fn enter(&self) -> Result<PgConnection, FleetError> {
        let failed = |why: sqlx::Error| FleetError::connect(&self.address, &why);
        let options: PgConnectOptions = self.address.url().parse().map_err(failed)?;
        let connection = options.disable_statement_logging().connect().await;
        let mut connection = connection.map_err(failed)?;
        // In this order: another agent may be preparing it just now, and its tables come at once with the note of them.
        let taken = taken(&mut connection).await.map_err(failed)?;
        if let Some((first, newest)) = prepared(&mut connection).await.map_err(failed)? {
            fleet::is_ours(&self.address, &first)?;
            // Whoever may only write rows can do so once another has made the tables.
            if fleet::readable_version(&self.address, newest).is_ok() {
                return Ok(connection);
            }
        } else if let Some(table) = taken {
            let why = format!("it has a table {table:?} that is not Driftline's");
            return Err(FleetError::foreign(&self.address, why));
        }
        let migrated = MIGRATIONS.run_direct(None, &mut connection, false).await;
        migrated.map_err(|why| FleetError::migration(&self.address, why))?;
        Ok(connection)
    }

    /// What the history of this store is called there; one that is not there begins.
    async fn recognise(&self, connection: &mut PgConnection) -> Result<Option<String>, SinkError> {
        let oldest = self.store.events_after(0, 1).await.map_err(SinkError::new)?;
        let Some(oldest) = oldest.first() else { return Ok(None) };
        let query = "SELECT agent, began FROM histories WHERE node = $1 ORDER BY number DESC";
        let query = sqlx::query_as(query).bind(&self.node);
        let known: Vec<(String, String)> = self.asked(query.fetch_all(&mut *connection)).await?;
        for (agent, began) in &known {
            if self.is_ours(connection, agent, began, oldest).await? {
                return Ok(Some(agent.clone()));
            }
        }
        self.begin(connection, known.len(), oldest).await.map(Some)
    }

    async fn is_ours(
        &self,
        connection: &mut PgConnection,
        agent: &str,
        began: &str,
        oldest: &StoredEvent,
    ) -> Result<bool, SinkError> {
        let query = "SELECT seq, line FROM events WHERE agent = $1 ORDER BY seq DESC LIMIT 1";
        let query = sqlx::query_as(query).bind(agent);
        let newest: Option<(i64, String)> =
            self.asked(query.fetch_optional(&mut *connection)).await?;
        let Some((seq, line)) = newest else { return Ok(id(oldest).as_deref() == Some(began)) };
        match self.store.event(seq).await.map_err(SinkError::new)? {
            Some(event) if event.line == line => return Ok(true),
            // Retention took it here, after it was sent.
            None if seq < oldest.seq || seq < *self.store.newest().borrow() => {
                let cursor = self.store.cursor(&self.name).await.map_err(SinkError::new)?;
                if cursor >= seq {
                    return Ok(true);
                }
            }
            _ => {}
        }
        let query =
            "SELECT seq, line FROM events WHERE agent = $1 AND seq >= $2 ORDER BY seq LIMIT $3";
        let query = sqlx::query_as(query).bind(agent).bind(oldest.seq).bind(COMMON);
        let theirs: Vec<(i64, String)> = self.asked(query.fetch_all(connection)).await?;
        for (seq, line) in theirs {
            let ours = self.store.event(seq).await.map_err(SinkError::new)?;
            if ours.is_some_and(|event| event.line == line) {
                return Err(self.parted(agent));
            }
        }
        Ok(false)
    }

    /// A directory that was put back to an earlier day, or copied to another machine: what came after would be there twice, or
    /// not at all.
    fn parted(&self, agent: &str) -> SinkError {
        SinkError::new(format!(
            "{} holds a history of {agent:?} that began as this one and went on otherwise: its directory was put back to an \
             earlier day, or copied; give this node another --node-name, or an empty --spool",
            self.address
        ))
    }

    async fn begin(
        &self,
        connection: &mut PgConnection,
        known: usize,
        oldest: &StoredEvent,
    ) -> Result<String, SinkError> {
        let number = i64::try_from(known).unwrap_or(i64::MAX).saturating_add(1);
        let agent = if known == 0 { self.node.clone() } else { format!("{}~{number}", self.node) };
        let query = "INSERT INTO histories (agent, node, number, began) VALUES ($1, $2, $3, $4) \
             ON CONFLICT DO NOTHING";
        let query = sqlx::query(query).bind(&agent).bind(&self.node).bind(number);
        let query = query.bind(id(oldest).unwrap_or_default());
        if self.asked(query.execute(connection)).await?.rows_affected() == 0 {
            // Next time it is among those that are known.
            return Err(SinkError::new(format!(
                "{} was just told of another node called {:?}; if there are two, give one another --node-name",
                self.address, self.node
            )));
        }
        if known > 0 {
            eprintln!(
                "driftline: {} holds an earlier history of a node called {:?}, which is not the one in this directory; this \
                 one goes beside it, as {agent:?}; if that is another machine, give one of the two another --node-name",
                self.address, self.node
            );
            let now = Timestamp::now();
            let why = "the history of this node began anew; the shared store keeps the earlier one"
                .to_owned();
            let gap = Write::Gap { container: None, from: now, to: now, why, event: None };
            self.store.commit(vec![gap]).await.map_err(SinkError::new)?;
        }
        Ok(agent)
    }

    /// The place of the newest event that is there. Whoever else wrote under this name meanwhile is found out.
    pub(super) async fn newest(&self, link: &mut Link) -> Result<i64, SinkError> {
        let query = "SELECT seq, line FROM events WHERE agent = $1 ORDER BY seq DESC LIMIT 1";
        let query = sqlx::query_as(query).bind(&link.agent);
        let newest: Option<(i64, String)> =
            self.asked(query.fetch_optional(&mut link.connection)).await?;
        let Some((seq, told)) = newest else { return Ok(0) };
        match self.store.event(seq).await.map_err(SinkError::new)? {
            Some(event) if event.line != told => Err(self.parted(&link.agent)),
            None if seq > *self.store.newest().borrow() => Err(self.parted(&link.agent)),
            _ => Ok(seq),
        }
    }
}

/// What the first migration there is called, and the number of the newest.
async fn prepared(connection: &mut PgConnection) -> sqlx::Result<Option<(String, i64)>> {
    if !sqlx::query_scalar(IS_PREPARED).fetch_one(&mut *connection).await? {
        return Ok(None);
    }
    let Some(first) = sqlx::query_scalar(FIRST).fetch_optional(&mut *connection).await? else {
        return Ok(None);
    };
    Ok(Some((first, sqlx::query_scalar(NEWEST).fetch_one(connection).await?)))
}

/// A table of one of our names.
async fn taken(connection: &mut PgConnection) -> sqlx::Result<Option<String>> {
    let names: Vec<_> = TABLES.iter().map(|table| table.name).chain(["histories"]).collect();
    sqlx::query_scalar(TAKEN).bind(names).fetch_optional(connection).await
}

fn id(event: &StoredEvent) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Named {
        #[serde(rename = "event.id")]
        id: String,
    }
    serde_json::from_str(&event.line).ok().map(|Named { id }| id)
}
