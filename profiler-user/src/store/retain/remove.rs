//! Taking rows out of the chain: a transaction each, which tells of itself in the log.

use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::drift::chain::hash;
use crate::store::checkpoint::digest;
use crate::store::commit::nanoseconds;
use crate::store::head::{Head, Unwritten};
use crate::store::record::{Machine, Removal, Told};
use crate::store::{Store, StoreError};

/// Why rows go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Why {
    Age,
    Repeats,
    Size,
}

impl Why {
    const fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Repeats => "repeats",
            Self::Size => "size",
        }
    }
}

pub(super) struct Removed {
    pub(super) rows: u64,
    pub(super) undelivered: u64,
}

/// A range without a hole, and the hashes around it.
struct Range {
    first: i64,
    last: i64,
    before: Option<String>,
    after: String,
}

const UNCOUNT: &str = "
UPDATE drifts SET repeats = drifts.repeats - gone.repeats
FROM (SELECT COALESCE(container, '') AS container, fingerprint, COUNT(*) AS repeats FROM events
    WHERE action <> 'created' AND seq IN (SELECT value FROM json_each(?)) GROUP BY 1, 2) AS gone
WHERE drifts.container = gone.container AND drifts.fingerprint = gone.fingerprint";

impl Store {
    /// Takes these rows, in ascending order, out of the middle of the log.
    pub(super) async fn remove(
        &self,
        seqs: &[i64],
        why: Why,
        passed: i64,
        machine: &Machine,
    ) -> Result<Removed, StoreError> {
        self.removal(seqs, false, why, passed, machine).await
    }

    /// Takes every row up to `last`, which is there. What stood for rows that went before is replaced by one checkpoint.
    pub(super) async fn remove_up_to(
        &self,
        last: i64,
        why: Why,
        passed: i64,
        machine: &Machine,
    ) -> Result<Removed, StoreError> {
        self.removal(&[last], true, why, passed, machine).await
    }

    /// Takes what came before the oldest event that age has left; returns how many lines that were.
    pub(super) async fn remove_old_evidence(&self) -> Result<u64, StoreError> {
        let mut rows = 0;
        loop {
            let mut file = self.inner.writers.lock().await;
            self.inner.seen.lock().await.forget();
            self.read(file.begin().await)?;
            let mut result = old_evidence(&mut file.durable).await;
            if result.is_ok() {
                result = file.end().await.and(result);
            }
            if result.is_err() {
                file.take_back().await;
            }
            let taken = self.read(result)?;
            rows += taken;
            if taken == 0 {
                return Ok(rows);
            }
        }
    }

    async fn removal(
        &self,
        seqs: &[i64],
        is_prefix: bool,
        why: Why,
        passed: i64,
        machine: &Machine,
    ) -> Result<Removed, StoreError> {
        let failed = |source| {
            StoreError::database(&self.inner.file, "remove old events from the store", source)
        };
        let mut file = self.inner.writers.lock().await;
        self.inner.seen.lock().await.forget();
        file.begin().await.map_err(failed)?;
        let result = transaction(&mut file.durable, seqs, is_prefix, why, passed, machine).await;
        let mut result = result.map_err(|error| error.of(&self.inner.file));
        if result.is_ok() {
            result = file.end().await.map_err(failed).and(result);
        }
        if result.is_err() {
            file.take_back().await;
        }
        let (removed, newest) = result?;
        self.inner.newest.send_if_modified(|was| std::mem::replace(was, newest) != newest);
        Ok(removed)
    }
}

async fn transaction(
    connection: &mut SqliteConnection,
    seqs: &[i64],
    is_prefix: bool,
    why: Why,
    passed: i64,
    machine: &Machine,
) -> Result<(Removed, i64), Unwritten> {
    sqlx::query("UPDATE retention SET working = 1").execute(&mut *connection).await?;
    let mut head = Head::read(connection).await?;
    let (rows, undelivered, ranges) = if is_prefix {
        prefix(connection, seqs[0], passed).await?
    } else {
        middle(connection, seqs, passed).await?
    };
    head.removed += rows;
    let removal = Removal {
        why: why.name(),
        rows,
        first: ranges.first().map_or(0, |range| range.first),
        last: ranges.last().map_or(0, |range| range.last),
        ranges: ranges.len(),
        hash: digest(
            ranges.iter().map(|r| (r.first, r.last, r.before.as_deref(), r.after.as_str())),
        ),
        undelivered,
    };
    let now = Timestamp::now();
    head.tell(connection, Told::Removed(&removal), machine, now).await?;
    for range in ranges {
        let query =
            "INSERT INTO checkpoints (record, first, last, before, after) VALUES (?, ?, ?, ?, ?)";
        let query = sqlx::query(query).bind(head.seq).bind(range.first).bind(range.last);
        query.bind(range.before).bind(range.after).execute(&mut *connection).await?;
    }
    if undelivered > 0 {
        let why = format!(
            "the store was too large: {undelivered} events up to {} were removed that a sink had not taken",
            removal.last
        );
        let query = "INSERT INTO gaps (container, begun, ended, why) VALUES (NULL, ?1, ?1, ?2)";
        sqlx::query(query).bind(nanoseconds(now)).bind(why).execute(&mut *connection).await?;
    }
    head.keep(connection).await?;
    sqlx::query("UPDATE retention SET working = 0").execute(&mut *connection).await?;
    let removed = Removed { rows: rows.unsigned_abs(), undelivered: undelivered.unsigned_abs() };
    Ok((removed, head.seq))
}

async fn middle(
    connection: &mut SqliteConnection,
    seqs: &[i64],
    passed: i64,
) -> Result<(i64, i64, Vec<Range>), Unwritten> {
    let list = serde_json::to_string(seqs)?;
    let query =
        "SELECT seq, line FROM events WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq";
    let lines: Vec<(i64, String)> =
        sqlx::query_as(query).bind(&list).fetch_all(&mut *connection).await?;
    let mut ranges: Vec<Range> = Vec::new();
    for (seq, line) in &lines {
        match ranges.last_mut() {
            Some(range) if range.last + 1 == *seq => {
                range.last = *seq;
                range.after = hash(line.as_bytes());
            }
            _ => ranges.push(Range {
                first: *seq,
                last: *seq,
                before: previous(line)?,
                after: hash(line.as_bytes()),
            }),
        }
    }
    sqlx::query(UNCOUNT).bind(&list).execute(&mut *connection).await?;
    for statement in [
        "DELETE FROM again WHERE seq IN (SELECT value FROM json_each(?))",
        "DELETE FROM events WHERE seq IN (SELECT value FROM json_each(?))",
    ] {
        sqlx::query(statement).bind(&list).execute(&mut *connection).await?;
    }
    let undelivered = lines.iter().filter(|(seq, _)| *seq > passed).count();
    let count = |rows: usize| i64::try_from(rows).unwrap_or(i64::MAX);
    Ok((count(lines.len()), count(undelivered), ranges))
}

async fn prefix(
    connection: &mut SqliteConnection,
    last: i64,
    passed: i64,
) -> Result<(i64, i64, Vec<Range>), Unwritten> {
    let query = sqlx::query_scalar("SELECT line FROM events WHERE seq = ?").bind(last);
    let line: String = query.fetch_one(&mut *connection).await?;
    let query = "SELECT COUNT(*), COALESCE(SUM(seq > ?2), 0) FROM events WHERE seq <= ?1";
    let query = sqlx::query_as(query).bind(last).bind(passed);
    let (rows, undelivered): (i64, i64) = query.fetch_one(&mut *connection).await?;
    let repeats: Vec<i64> =
        sqlx::query_scalar("SELECT seq FROM events WHERE seq <= ? AND action <> 'created'")
            .bind(last)
            .fetch_all(&mut *connection)
            .await?;
    sqlx::query(UNCOUNT).bind(serde_json::to_string(&repeats)?).execute(&mut *connection).await?;
    for statement in [
        "DELETE FROM again WHERE seq <= ?",
        "DELETE FROM events WHERE seq <= ?",
        "DELETE FROM drifts WHERE last_seq <= ?",
        // Those of a record that is still there prove it, whether or not they are needed.
        "DELETE FROM checkpoints WHERE record <= ?",
        "DELETE FROM marks WHERE seq < ?",
    ] {
        sqlx::query(statement).bind(last).execute(&mut *connection).await?;
    }
    let range = Range { first: 1, last, before: None, after: hash(line.as_bytes()) };
    Ok((rows, undelivered, vec![range]))
}

/// Some of it: so much as is done at once.
async fn old_evidence(connection: &mut SqliteConnection) -> sqlx::Result<u64> {
    let query = "SELECT MAX(number) FROM (SELECT number, seq FROM evidence ORDER BY number LIMIT 1024) \
         WHERE seq <= (SELECT MAX(last) FROM checkpoints WHERE first = 1)";
    let upto: Option<i64> = sqlx::query_scalar(query).fetch_one(&mut *connection).await?;
    let Some(upto) = upto else { return Ok(0) };
    sqlx::query("UPDATE retention SET working = 1").execute(&mut *connection).await?;
    let query = sqlx::query("DELETE FROM evidence WHERE number <= ?").bind(upto);
    let taken = query.execute(&mut *connection).await?.rows_affected();
    sqlx::query("UPDATE retention SET working = 0").execute(connection).await?;
    Ok(taken)
}

/// What the line says of the one before.
fn previous(line: &str) -> Result<Option<String>, serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct Line {
        #[serde(rename = "event.prev_hash")]
        previous: Option<String>,
    }
    Ok(serde_json::from_str::<Line>(line)?.previous)
}
