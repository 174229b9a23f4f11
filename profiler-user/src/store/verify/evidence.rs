//! What groups' events tell of, held against what those events say of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use sqlx::SqliteConnection;

use super::{Break, PAGE};
use crate::drift::chain::hash;

/// Where the evidence stood when event `seq` was written.
pub(super) struct Statement {
    pub(super) seq: i64,
    pub(super) number: i64,
    pub(super) hash: Option<String>,
}

pub(super) struct Stated {
    /// Age took every event up to this one, and the evidence that came before it.
    pub(super) front: i64,
    pub(super) by: Vec<Statement>,
}

/// As bytes: what is damaged is not always text.
const SELECT: &str =
    "SELECT number, seq, CAST(id AS BLOB) AS id, CAST(of AS BLOB) AS of, CAST(line AS BLOB) AS line
    FROM evidence WHERE number > ? ORDER BY number LIMIT ?";

#[derive(sqlx::FromRow)]
struct Row {
    number: i64,
    seq: i64,
    id: Vec<u8>,
    of: Vec<u8>,
    line: Vec<u8>,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "event.id")]
    id: String,
    #[serde(rename = "event.prev_hash")]
    previous: Option<String>,
    #[serde(rename = "drift.group.id")]
    of: String,
    #[serde(rename = "time.last")]
    last: Timestamp,
}

/// The newest line that was read.
struct Newest {
    number: i64,
    hash: String,
    time: Timestamp,
}

/// How many lines there are, or the first that is not what it was.
pub(super) async fn check(
    connection: &mut SqliteConnection,
    stated: &Stated,
) -> sqlx::Result<Result<u64, Box<Break>>> {
    let table =
        "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'evidence_head'";
    let tables: i64 = sqlx::query_scalar(table).fetch_one(&mut *connection).await?;
    // Of a version that kept none.
    if tables == 0 {
        return Ok(Ok(0));
    }
    let end = sqlx::query_as("SELECT number, hash FROM evidence_head");
    let end: (i64, Option<String>) = end.fetch_one(&mut *connection).await?;
    let said: BTreeMap<i64, &Statement> = stated.by.iter().map(|one| (one.number, one)).collect();
    let mut newest: Option<Newest> = None;
    let (mut rows, mut after) = (0, i64::MIN);
    loop {
        let page = sqlx::query_as::<_, Row>(SELECT).bind(after).bind(PAGE);
        let page = page.fetch_all(&mut *connection).await?;
        let Some(last) = page.last() else { break };
        after = last.number;
        for row in &page {
            match follow(row, newest.as_ref(), stated, &said) {
                Ok(next) => newest = Some(next),
                Err(broken) => return Ok(Err(broken)),
            }
            rows += 1;
        }
    }
    let found = newest.map(|newest| (newest.number, newest.hash));
    let must = must_be_there(stated).is_some_and(|number| number < end.0)
        || stated.front == 0 && end.0 > 0;
    let is_end = match &found {
        Some((number, hash)) => (*number, Some(hash)) == (end.0, end.1.as_ref()),
        None => !must,
    };
    if is_end {
        return Ok(Ok(rows));
    }
    let or_none = |hash: Option<String>| hash.unwrap_or_else(|| "none".to_owned());
    let what = format!("evidence ends before line {}, or another one is there", end.0);
    Ok(Err(stop(0, what, &or_none(end.1), &or_none(found.map(|(_, hash)| hash)), None)))
}

/// Behind this line all are there: an event that is there was written when it was the last.
fn must_be_there(stated: &Stated) -> Option<i64> {
    stated.by.iter().filter(|one| one.seq > stated.front).map(|one| one.number).min()
}

fn follow(
    row: &Row,
    before: Option<&Newest>,
    stated: &Stated,
    said: &BTreeMap<i64, &Statement>,
) -> Result<Newest, Box<Break>> {
    let number = row.number;
    let last = before.map(|newest| newest.time);
    let stop =
        |what: String, expected: &str, found: &str| stop(row.seq, what, expected, found, last);
    let line: Line = serde_json::from_slice(&row.line).map_err(|why| {
        stop(format!("evidence {number} cannot be read"), "a drift", &why.to_string())
    })?;
    let missing = match before {
        Some(before) => before.number + 1 != number,
        // Where age took no event, it took no evidence.
        None if stated.front == 0 => number > 1,
        None => number > 1 && must_be_there(stated).is_some_and(|must| must + 1 < number),
    };
    if missing {
        let what = format!("evidence before line {number} is missing");
        return Err(stop(what, "the line before", "none"));
    }
    let of = (line.id.as_bytes(), line.of.as_bytes());
    if of != (&row.id, &row.of) {
        let what = format!("evidence {number} is told as another's");
        return Err(stop(what, &line.of, &String::from_utf8_lossy(&row.of)));
    }
    let previous = line.previous.as_deref().unwrap_or("none");
    if let Some(before) = before
        && previous != before.hash
    {
        let what = format!("evidence {} or {number} was changed", before.number);
        return Err(stop(what, previous, &before.hash));
    }
    let hash = hash(&row.line);
    if let Some(statement) = said.get(&number)
        && statement.hash.as_deref() != Some(&hash)
    {
        let what = format!("evidence {number} is not what event {} says", statement.seq);
        return Err(stop(what, statement.hash.as_deref().unwrap_or("none"), &hash));
    }
    Ok(Newest { number, hash, time: line.last })
}

fn stop(
    seq: i64,
    what: String,
    expected: &str,
    found: &str,
    after: Option<Timestamp>,
) -> Box<Break> {
    Box::new(Break {
        seq,
        line: None,
        what,
        expected: expected.to_owned(),
        found: found.to_owned(),
        after,
        before: None,
    })
}
