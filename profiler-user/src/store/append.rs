//! Many rows by few statements: what a statement costs on its way to SQLite's thread and back is more than what it does there.

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, query};

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

/// Events that say `created` of what the same container had done before.
const AGAIN: &str = "
INSERT INTO again (severity, seq)
SELECT CASE severity WHEN 'info' THEN 0 WHEN 'low' THEN 1 WHEN 'medium' THEN 2 WHEN 'high' THEN 3 ELSE 4 END, seq
FROM events WHERE seq BETWEEN ? AND ? AND action = 'created' AND EXISTS (
    SELECT 1 FROM drifts WHERE drifts.container = COALESCE(events.container, '')
        AND drifts.fingerprint = events.fingerprint AND drifts.first_seq <> events.seq)";

/// Appends the events, in their order, and counts them.
pub(super) async fn events(to: &mut SqliteConnection, rows: &[Row]) -> sqlx::Result<()> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(()) };
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
    let of = |row: &Row| row.keys.action == "created";
    let counted: Vec<_> = rows
        .iter()
        .map(|row| Counted {
            container: row.keys.container.as_deref().unwrap_or_default(),
            fingerprint: &row.keys.fingerprint,
            id: &row.keys.id,
            count: row.count,
            time: row.keys.time,
            last: row.keys.last,
            seq: row.seq,
            is_repeat: !of(row),
        })
        .collect();
    count(to, &counted).await?;
    if rows.iter().any(of) {
        query(AGAIN).bind(first.seq).bind(last.seq).execute(to).await?;
    }
    Ok(())
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
    let counted: Vec<_> = rows
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
    count(to, &counted).await
}

/// Keeps for each container and fingerprint how often it was seen.
pub(super) async fn count(to: &mut SqliteConnection, all: &[Counted<'_>]) -> sqlx::Result<()> {
    for rows in chunks(all) {
        let text = format!(
            "INSERT INTO drifts (container, fingerprint, id, counted, count, first, last, first_seq, last_seq, repeats) \
             VALUES {}{COUNT}",
            places(rows.len(), 10)
        );
        let mut upsert = query(AssertSqlSafe(text));
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
        upsert.execute(&mut *to).await?;
    }
    Ok(())
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
