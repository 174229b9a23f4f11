//! Many rows by few statements: what a statement costs on its way to SQLite's thread and back is more than what it does there.

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, query, query_as};

use super::event::Keys;

/// Rows in one statement, at most: two of it have less variables than SQLite allows.
const ROWS: usize = 64;

/// An event that has its place in the chain.
pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) line: String,
    pub(super) keys: Keys,
    /// What it counts.
    pub(super) count: i64,
}

/// A first occurrence that a group's event tells of.
pub(super) struct Proof {
    pub(super) number: i64,
    pub(super) seq: i64,
    pub(super) of: String,
    pub(super) line: String,
    pub(super) keys: Keys,
}

/// What is known of a drift, by container and fingerprint.
pub(super) struct Counted<'a> {
    pub(super) container: &'a str,
    pub(super) fingerprint: &'a str,
    pub(super) id: &'a str,
    pub(super) count: i64,
    pub(super) time: i64,
    pub(super) last: i64,
    pub(super) seq: i64,
    pub(super) is_repeat: bool,
}

/// A later event of the same id tells the count of all before it; one of another id adds to them.
const COUNT: &str = "
ON CONFLICT (container, fingerprint) DO UPDATE SET
    count = drifts.count + excluded.counted - CASE
        WHEN drifts.id = excluded.id THEN drifts.counted
        WHEN excluded.repeats = 0 THEN 0
        ELSE COALESCE((SELECT json_extract(line, '$.\"drift.count\"') FROM events
            WHERE id = excluded.id AND seq < excluded.last_seq ORDER BY seq DESC LIMIT 1), 0) END,
    id = excluded.id, counted = excluded.counted, last = MAX(excluded.last, drifts.last),
    last_seq = excluded.last_seq, repeats = drifts.repeats + excluded.repeats";

/// Events that say `created` of what the same container had done before, by their severity: 0 info to 4 critical.
const AGAIN: &str = "INSERT INTO again (severity, seq) VALUES ";

/// Appends the events, in their order, and counts them.
pub(super) async fn events(to: &mut SqliteConnection, rows: &[Row]) -> sqlx::Result<()> {
    for rows in chunks(rows) {
        let text = format!(
            "INSERT INTO events (seq, line, id, action, kind, severity, fingerprint, container, namespace, time, last) \
             VALUES {}",
            places(rows.len(), 11)
        );
        let mut insert = query(AssertSqlSafe(text));
        for Row { seq, line, keys, .. } in rows {
            insert = insert
                .bind(*seq)
                .bind(line)
                .bind(&keys.id)
                .bind(&keys.action)
                .bind(&keys.kind)
                .bind(&keys.severity)
                .bind(&keys.fingerprint)
                .bind(&keys.container)
                .bind(&keys.namespace)
                .bind(keys.time)
                .bind(keys.last);
        }
        insert.execute(&mut *to).await?;
    }
    let mut counted: Vec<_> = rows
        .iter()
        .map(|row| Counted {
            container: row.keys.container.as_deref().unwrap_or_default(),
            fingerprint: &row.keys.fingerprint,
            id: &row.keys.id,
            count: row.count,
            time: row.keys.time,
            last: row.keys.last,
            seq: row.seq,
            is_repeat: row.keys.action != "created",
        })
        .collect();
    let known = count(to, &mut counted).await?;
    let of = |seq: i64| rows.binary_search_by_key(&seq, |row| row.seq).ok().map(|at| &rows[at]);
    let again = known.into_iter().filter_map(of).filter(|row| row.keys.action == "created");
    let again: Vec<_> = again.map(|row| (grade(&row.keys.severity), row.seq)).collect();
    for rows in chunks(&again) {
        let text = format!("{AGAIN}{}", places(rows.len(), 2));
        let mut insert = query(AssertSqlSafe(text));
        for (severity, seq) in rows {
            insert = insert.bind(*severity).bind(*seq);
        }
        insert.execute(&mut *to).await?;
    }
    Ok(())
}

/// As the table has it.
fn grade(severity: &str) -> i64 {
    ["info", "low", "medium", "high"]
        .iter()
        .zip(0..)
        .find(|(name, _)| **name == severity)
        .map_or(4, |(_, grade)| grade)
}

/// Appends what groups' events tell of, and counts it.
pub(super) async fn evidence(to: &mut SqliteConnection, rows: &[Proof]) -> sqlx::Result<()> {
    for rows in chunks(rows) {
        let places = places(rows.len(), 5);
        let text = format!("INSERT INTO evidence (number, seq, id, of, line) VALUES {places}");
        let mut insert = query(AssertSqlSafe(text));
        for Proof { number, seq, of, line, keys } in rows {
            insert = insert.bind(*number).bind(*seq).bind(&keys.id).bind(of).bind(line);
        }
        insert.execute(&mut *to).await?;
    }
    let mut counted: Vec<_> = rows
        .iter()
        .map(|row| Counted {
            container: row.keys.container.as_deref().unwrap_or_default(),
            fingerprint: &row.keys.fingerprint,
            id: &row.keys.id,
            count: 1,
            time: row.keys.time,
            last: row.keys.last,
            seq: row.seq,
            is_repeat: false,
        })
        .collect();
    count(to, &mut counted).await.map(drop)
}

/// Keeps for each container and fingerprint how often it was seen. Returns the rows of what was known before.
///
/// In the order of the indexes, which is none of the events': so each of their pages is written once for all that fall on it.
pub(super) async fn count(
    to: &mut SqliteConnection,
    all: &mut [Counted<'_>],
) -> sqlx::Result<Vec<i64>> {
    all.sort_by_key(|one| (one.container, one.fingerprint));
    let mut known = Vec::new();
    for rows in chunks(all) {
        let text = format!(
            "INSERT INTO drifts (container, fingerprint, id, counted, count, first, last, first_seq, last_seq, repeats) \
             VALUES {}{COUNT} RETURNING first_seq, last_seq",
            places(rows.len(), 10)
        );
        let mut upsert = query_as::<_, (i64, i64)>(AssertSqlSafe(text));
        for one in rows {
            upsert = upsert
                .bind(one.container)
                .bind(one.fingerprint)
                .bind(one.id)
                .bind(one.count)
                .bind(one.count)
                .bind(one.time)
                .bind(one.last)
                .bind(one.seq)
                .bind(one.seq)
                .bind(i64::from(one.is_repeat));
        }
        let rows = upsert.fetch_all(&mut *to).await?.into_iter();
        known.extend(rows.filter(|(first, last)| first != last).map(|(_, last)| last));
    }
    Ok(known)
}

/// In powers of two, so that there are few different statements and each is prepared once.
fn chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let most = rows.len().min(ROWS).checked_ilog2()?;
        let (chunk, rest) = rows.split_at(1 << most);
        rows = rest;
        Some(chunk)
    })
}

/// `(?,?),(?,?)`
fn places(rows: usize, columns: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    vec![row; rows].join(",")
}
