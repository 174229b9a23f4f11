//! What the shared store forgets of this node, and of nodes that nobody tells of any more.
//!
//! **Invariant:** the newest row of each history stays: by it an agent knows how far it has come.
//! **Invariant:** nothing goes by age unless two clocks agree, the node's retention's and the database's.

use std::time::Duration;

use sqlx::AssertSqlSafe;

use super::{Fleet, Link};
use crate::sink::SinkError;

/// Between two looks.
pub(super) const EVERY: Duration = Duration::from_mins(1);

/// Rows that one statement takes.
const BATCH: i64 = 1024;

/// Statements of one look: what is left after them waits for the next, since nothing is sent meanwhile.
const AT_ONCE: u32 = 64;

/// After the last mark of a history there may be more of it for so long, in nanoseconds.
const HOUR: i64 = 3_600_000_000_000;

/// By which the agents know who removes what is left of gone nodes.
const LOCK: i64 = 0x6472_6966_746c;

impl Fleet {
    pub(super) async fn retain(&self, link: &mut Link) -> Result<(), SinkError> {
        if let Some(clock) = self.store.kept_clock().await.map_err(SinkError::new)? {
            let age = i64::try_from(self.limits.age.as_nanos()).unwrap_or(i64::MAX);
            let query = "SELECT LEAST($1, (EXTRACT(EPOCH FROM now()) * 1000000000)::bigint)";
            let query = sqlx::query_scalar(query).bind(clock);
            let now: i64 = self.asked(query.fetch_one(&mut link.connection)).await?;
            let before = now.saturating_sub(age);
            self.old(link, before).await?;
            self.gone(link, before).await?;
        }
        self.size(link).await
    }

    /// What was there before this time.
    async fn old(&self, link: &mut Link, before: i64) -> Result<(), SinkError> {
        let query = "SELECT MAX(seq) FROM marks WHERE agent = $1 AND at <= $2";
        let query = sqlx::query_scalar(query).bind(&link.agent).bind(before);
        let upto: Option<i64> = self.asked(query.fetch_one(&mut link.connection)).await?;
        if let Some(upto) = upto {
            let agent = link.agent.clone();
            self.remove(link, &agent, upto).await?;
        }
        Ok(())
    }

    /// Histories of which nothing new has come since then.
    async fn gone(&self, link: &mut Link, before: i64) -> Result<(), SinkError> {
        let query = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK);
        if !self.asked(query.fetch_one(&mut link.connection)).await? {
            return Ok(());
        }
        // By the clock of the node that is gone, and by the database's: one that is years behind is not gone.
        let query = "SELECT agent FROM histories h WHERE agent <> $1 AND told <= $2 \
             AND (SELECT MAX(at) FROM marks m WHERE m.agent = h.agent) <= $2";
        let query = sqlx::query_scalar(query).bind(&link.agent).bind(before.saturating_sub(HOUR));
        let gone: Vec<String> = self.asked(query.fetch_all(&mut link.connection)).await?;
        for agent in gone {
            self.remove(link, &agent, i64::MAX).await?;
        }
        let query = sqlx::query("SELECT pg_advisory_unlock($1)").bind(LOCK);
        self.asked(query.execute(&mut link.connection)).await.map(|_| ())
    }

    /// Removes what this history has up to there, and what it came with.
    async fn remove(&self, link: &mut Link, agent: &str, upto: i64) -> Result<(), SinkError> {
        for (table, order, bytes) in TABLES {
            // Each table's newest stays: rows behind it would be sent again.
            let place = if table == "evidence" { "seq" } else { order };
            let statement = counted(
                &format!(
                    "DELETE FROM {table} WHERE agent = $1 AND {order} IN (SELECT {order} FROM {table} WHERE agent = $1 \
                     AND {place} <= $2 AND {order} < (SELECT MAX({order}) FROM {table} WHERE agent = $1) \
                     ORDER BY {order} LIMIT {BATCH})"
                ),
                bytes,
            );
            for _ in 0..AT_ONCE {
                if self.delete(link, agent, &statement, upto).await? < BATCH {
                    break;
                }
            }
        }
        let query = sqlx::query("DELETE FROM marks WHERE agent = $1 AND seq < $2");
        let query = query.bind(agent).bind(upto);
        self.asked(query.execute(&mut link.connection)).await.map(|_| ())
    }

    /// Where it holds too much: repeats first, then the oldest.
    async fn size(&self, link: &mut Link) -> Result<(), SinkError> {
        let limit = i64::try_from(self.limits.size).unwrap_or(i64::MAX);
        let before = self.bytes(link).await?;
        if before <= limit {
            return Ok(());
        }
        // A little less, so that it is not at its limit again with the next event.
        let enough = limit - limit / 20;
        let agent = link.agent.clone();
        let repeats = counted(
            &format!(
                "DELETE FROM events WHERE agent = $1 AND seq IN (SELECT seq FROM events WHERE agent = $1 \
                 AND action <> 'created' AND seq < $2 ORDER BY seq LIMIT {BATCH})"
            ),
            true,
        );
        let mut is_repeats = true;
        for _ in 0..AT_ONCE {
            let over = self.bytes(link).await? - enough;
            if over <= 0 {
                break;
            }
            let query = "SELECT seq FROM events WHERE agent = $1 ORDER BY seq DESC LIMIT 1";
            let query = sqlx::query_scalar(query).bind(&agent);
            let newest: Option<i64> =
                self.asked(query.fetch_optional(&mut link.connection)).await?;
            if is_repeats {
                let taken = self.delete(link, &agent, &repeats, newest.unwrap_or(0)).await?;
                is_repeats = taken > 0;
                continue;
            }
            // As few as make it small enough.
            let query = format!(
                "SELECT MAX(seq) FROM (SELECT seq, SUM(bytes) OVER (ORDER BY seq) - bytes AS before FROM \
                 (SELECT seq, octet_length(line) AS bytes FROM events WHERE agent = $1 ORDER BY seq LIMIT {BATCH}) oldest) \
                 summed WHERE before < $2"
            );
            let query = sqlx::query_scalar(AssertSqlSafe(query)).bind(&agent).bind(over);
            let upto: Option<i64> = self.asked(query.fetch_one(&mut link.connection)).await?;
            self.remove(link, &agent, upto.unwrap_or(0)).await?;
            if upto == newest {
                break;
            }
        }
        let taken = before - self.bytes(link).await?;
        if taken == 0 {
            return Ok(());
        }
        eprintln!(
            "driftline: {} held more than {limit} bytes of this node: {taken} bytes were removed there, repeats first, then \
             the oldest; for more, give a larger --fleet-retain-size",
            self.address
        );
        Ok(())
    }

    async fn bytes(&self, link: &mut Link) -> Result<i64, SinkError> {
        let query = sqlx::query_scalar("SELECT bytes FROM histories WHERE agent = $1");
        self.asked(query.bind(&link.agent).fetch_one(&mut link.connection)).await
    }

    async fn delete(
        &self,
        link: &mut Link,
        agent: &str,
        statement: &str,
        upto: i64,
    ) -> Result<i64, SinkError> {
        let query = sqlx::query_scalar(AssertSqlSafe(statement)).bind(agent).bind(upto);
        self.asked(query.fetch_one(&mut link.connection)).await
    }
}

/// Tables, their order, and whether their rows count for the size.
const TABLES: [(&str, &str, bool); 3] =
    [("events", "seq", true), ("evidence", "number", true), ("drifts", "last_seq", false)];

/// Says how many rows it took, and takes them off the history's size in the same transaction.
fn counted(delete: &str, has_lines: bool) -> String {
    let bytes = if has_lines { "octet_length(line)" } else { "0" };
    format!(
        "WITH gone AS ({delete} RETURNING {bytes} AS bytes) \
         UPDATE histories SET bytes = bytes - COALESCE((SELECT SUM(bytes) FROM gone), 0) WHERE agent = $1 \
         RETURNING (SELECT COUNT(*) FROM gone)"
    )
}
