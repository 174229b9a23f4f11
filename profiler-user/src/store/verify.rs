//! Is the log whole? Every row is read, and held against the one before, its columns, the checkpoints of what
//! retention took, and the heads that somebody kept.

mod evidence;
mod file;
mod heads;
mod row;
mod rows;

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::sync::mpsc;

use super::{FILE, StoreError};

pub use file::{LogFileError, verify_events};
pub use heads::{Head, HeadError, HeadFound};
use row::{Checkpoint, Row};
use rows::Walk;

/// Rows that are read at once.
const PAGE: u32 = 512;

/// What was found.
#[derive(Debug, Serialize)]
pub struct Verdict {
    pub whole: bool,
    /// Rows, or lines, that were read up to the first break.
    pub events: u64,
    /// `event.seq` of the first and of the last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<i64>,
    /// The hash of the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Rows that retention took; their checkpoints hold.
    pub removed: i64,
    /// Lines of what groups' events tell of; they are what those events say they were.
    #[serde(skip_serializing_if = "is_zero")]
    pub evidence: u64,
    /// How often a file begins anew at `event.seq` 1: a new store fills it.
    #[serde(skip_serializing_if = "is_zero")]
    pub beginnings: u64,
    #[serde(rename = "break", skip_serializing_if = "Option::is_none")]
    pub broken: Option<Break>,
    pub heads: Vec<HeadFound>,
}

impl Verdict {
    /// Before the first event was looked at.
    fn of_nothing() -> Self {
        Self {
            whole: true,
            events: 0,
            first: None,
            last: None,
            hash: None,
            removed: 0,
            evidence: 0,
            beginnings: 0,
            broken: None,
            heads: Vec::new(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The first place where the log is not what it was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Break {
    /// `event.seq`, or what is in its place.
    pub seq: i64,
    /// The line of a file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// What is wrong, as a phrase.
    pub what: String,
    pub expected: String,
    pub found: String,
    /// Times of the nearest rows before and after that are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Timestamp>,
}

/// Proves the store of this directory, at one moment; an agent may be writing to it.
///
/// # Errors
/// Where there is no store, or it cannot be read at all. What can be read and is wrong is in the verdict.
pub async fn verify_store(directory: &Path, heads: &[Head]) -> Result<Verdict, StoreError> {
    verify_store_from(directory, heads, 1).await
}

/// Proves event `from` and all that came after it: the chain's end vouches for each of them. The evidence of
/// groups and the database file are looked at only with all of it, from event 1 on.
///
/// # Errors
/// As [`verify_store`].
pub async fn verify_store_from(
    directory: &Path,
    heads: &[Head],
    from: i64,
) -> Result<Verdict, StoreError> {
    let file = directory.join(FILE);
    let failed = |source| StoreError::database(&file, "read the store", source);
    std::fs::File::open(&file)
        .map_err(|source| StoreError::Directory { path: directory.to_owned(), source })?;
    let options = SqliteConnectOptions::new().filename(&file).read_only(true);
    let mut connection = options.disable_statement_logging().connect().await.map_err(failed)?;
    let verdict = verify(&mut connection, heads, from).await.map_err(failed)?;
    let _only_read = connection.close().await;
    Ok(verdict)
}

/// Where retention took the first row that is asked for, the first behind those it took. That it did is proved on the way:
/// the row that tells of it comes later.
fn begin(from: i64, checkpoints: &[Checkpoint]) -> i64 {
    let mut begin = from.max(1);
    while from > 1
        && let Some(gap) = checkpoints
            .iter()
            .find(|gap| gap.record >= from && gap.first <= begin && begin <= gap.last)
    {
        begin = gap.last + 1;
    }
    begin
}

async fn verify(
    connection: &mut SqliteConnection,
    heads: &[Head],
    from: i64,
) -> sqlx::Result<Verdict> {
    // What is committed meanwhile is not looked at.
    sqlx::query("BEGIN").execute(&mut *connection).await?;
    let checkpoints: Vec<Checkpoint> = sqlx::query_as(
        "SELECT record, first, last, before, after FROM checkpoints ORDER BY record, first",
    )
    .fetch_all(&mut *connection)
    .await?;
    let end: Option<(i64, Option<String>)> =
        sqlx::query_as("SELECT seq, hash FROM head").fetch_optional(&mut *connection).await?;
    let is_all = from <= 1;
    let from = begin(from, &checkpoints);
    let mut walk = Walk::new(checkpoints, end, heads.to_vec(), from);
    let mut after = if is_all { i64::MIN } else { from - 1 };
    // One page is looked at while the next is read.
    let (pages, mut read) = mpsc::channel::<Vec<Row>>(2);
    let walking = tokio::task::spawn_blocking(move || {
        while !walk.is_over()
            && let Some(page) = read.blocking_recv()
        {
            for row in page {
                if walk.is_over() {
                    walk.seen_after(&row);
                } else {
                    walk.row(&row);
                }
            }
        }
        walk
    });
    loop {
        let page = sqlx::query_as::<_, Row>(row::SELECT).bind(after).bind(PAGE);
        let page = page.fetch_all(&mut *connection).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        // Where the walk is over, it wants no more.
        if pages.send(page).await.is_err() {
            break;
        }
    }
    drop(pages);
    let mut walk = walking.await.map_err(|_| sqlx::Error::WorkerCrashed)?;
    let stated = walk.stated();
    let mut verdict = walk.end();
    if verdict.whole && is_all {
        match evidence::check(connection, &stated).await? {
            Ok(rows) => verdict.evidence = rows,
            Err(broken) => {
                verdict.whole = false;
                verdict.broken = Some(*broken);
            }
        }
    }
    if verdict.whole && is_all {
        let damage: String =
            sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut *connection).await?;
        if damage != "ok" {
            verdict.whole = false;
            verdict.broken = Some(Break {
                seq: 0,
                line: None,
                what: "the database file is damaged".to_owned(),
                expected: "ok".to_owned(),
                found: damage,
                after: None,
                before: None,
            });
        }
    }
    Ok(verdict)
}

#[cfg(test)]
mod tests;
