//! A row as it is in the file, whatever became of it.

use crate::store::event::Keys;

/// As bytes: what is damaged is not always text.
pub(super) const SELECT: &str = "SELECT seq, CAST(line AS BLOB) AS line, CAST(id AS BLOB) AS id, CAST(action AS BLOB) AS action,
    CAST(kind AS BLOB) AS kind, CAST(severity AS BLOB) AS severity, CAST(fingerprint AS BLOB) AS fingerprint,
    CAST(container AS BLOB) AS container, CAST(namespace AS BLOB) AS namespace, time, last FROM events
    WHERE seq > ? ORDER BY seq LIMIT ?";

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) line: Vec<u8>,
    pub(super) id: Vec<u8>,
    pub(super) action: Vec<u8>,
    pub(super) kind: Vec<u8>,
    pub(super) severity: Vec<u8>,
    pub(super) fingerprint: Vec<u8>,
    pub(super) container: Option<Vec<u8>>,
    pub(super) namespace: Option<Vec<u8>>,
    pub(super) time: i64,
    pub(super) last: i64,
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Checkpoint {
    pub(super) record: i64,
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) before: Option<String>,
    pub(super) after: String,
}

impl Row {
    /// The first column that is not what the line says, what it says, and what is there.
    pub(super) fn differs(&self, keys: &Keys) -> Option<(&'static str, String, String)> {
        let text = |found: &[u8]| String::from_utf8_lossy(found).escape_debug().to_string();
        let strings = [
            ("id", &keys.id, &self.id),
            ("action", &keys.action, &self.action),
            ("kind", &keys.kind, &self.kind),
            ("severity", &keys.severity, &self.severity),
            ("fingerprint", &keys.fingerprint, &self.fingerprint),
        ];
        for (column, expected, found) in strings {
            if expected.as_bytes() != found {
                return Some((column, text(expected.as_bytes()), text(found)));
            }
        }
        let optional = [
            ("container", &keys.container, &self.container),
            ("namespace", &keys.namespace, &self.namespace),
        ];
        for (column, expected, found) in optional {
            let expected = expected.as_deref().map(str::as_bytes);
            let or_none = |value: Option<&[u8]>| value.map_or_else(|| "none".to_owned(), text);
            if expected != found.as_deref() {
                return Some((column, or_none(expected), or_none(found.as_deref())));
            }
        }
        for (column, expected, found) in
            [("time", keys.time, self.time), ("last", keys.last, self.last)]
        {
            if expected != found {
                return Some((column, expected.to_string(), found.to_string()));
            }
        }
        None
    }
}
