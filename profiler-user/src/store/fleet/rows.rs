//! Rows on their way from a node's file to the database: as JSON, a page at a time, so that one statement takes many.

use sqlx::AssertSqlSafe;

use crate::store::{Store, StoreError};

/// One kind of rows.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// By which they are found behind what was sent.
    pub(crate) order: &'static str,
    /// The columns that make a row the same row, beside the node.
    key: &'static str,
    /// Of texts; the rest is numbers.
    texts: &'static [&'static str],
    numbers: &'static [&'static str],
    /// Whether a row that comes again may say something else.
    changes: bool,
}

/// A page of rows.
pub(crate) struct Copied {
    pub(crate) rows: i64,
    pub(crate) json: String,
}

/// The events go last: what is there of them says that all that they came with is there.
pub(crate) const TABLES: [Table; 7] = [
    Table {
        name: "containers",
        order: "rowid",
        key: "id",
        texts: &[
            "id",
            "source",
            "role",
            "runtime",
            "name",
            "pod_uid",
            "pod_name",
            "namespace",
            "labels",
            "pod_ip",
            "workload",
            "image_id",
            "image_reference",
            "image_name",
            "image_tags",
            "image_digests",
            "image_architecture",
            "log_path",
            "cgroup",
            "node",
            "reason",
            "capture",
            "tier",
            "baseline_id",
            "baseline_status",
            "provenance",
        ],
        numbers: &[
            "attempt",
            "pid",
            "first_seen",
            "created",
            "started",
            "ended",
            "exit_code",
            "restarts",
        ],
        changes: true,
    },
    // By which retention knows how old a row is.
    Table {
        name: "marks",
        order: "rowid",
        key: "seq",
        texts: &[],
        numbers: &["seq", "at"],
        changes: true,
    },
    Table {
        name: "losses",
        order: "rowid",
        key: "container, kind",
        texts: &["container", "kind"],
        numbers: &["lost"],
        changes: true,
    },
    Table {
        name: "gaps",
        order: "gap",
        key: "gap",
        texts: &["container", "why"],
        numbers: &["gap", "begun", "ended"],
        changes: false,
    },
    Table {
        name: "drifts",
        order: "last_seq",
        key: "container, fingerprint",
        texts: &["container", "fingerprint", "id"],
        numbers: &["count", "first", "last", "last_seq"],
        changes: true,
    },
    Table {
        name: "evidence",
        order: "number",
        key: "number",
        texts: &["id", "of", "line"],
        numbers: &["number", "seq"],
        changes: false,
    },
    Table {
        name: "events",
        order: "seq",
        key: "seq",
        texts: &[
            "line",
            "id",
            "action",
            "kind",
            "severity",
            "fingerprint",
            "container",
            "namespace",
        ],
        numbers: &["seq", "time", "last"],
        changes: false,
    },
];

/// What was too long ago for its agent is counted on from.
const AGAIN: &str = "UPDATE SET id = excluded.id, last = excluded.last, last_seq = excluded.last_seq, begun = excluded.first, \
    first = LEAST(drifts.first, excluded.first), \
    gone = CASE WHEN excluded.first > COALESCE(drifts.begun, drifts.first) THEN drifts.count ELSE drifts.gone END, \
    count = excluded.count + \
        CASE WHEN excluded.first > COALESCE(drifts.begun, drifts.first) THEN drifts.count ELSE drifts.gone END";

impl Table {
    /// Whether it has no order of its own: all of it is looked at, and what changed is sent.
    pub(crate) fn is_small(&self) -> bool {
        self.order == "rowid"
    }

    fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.texts.iter().chain(self.numbers).copied()
    }

    /// `$1` is the node, `$2` the rows.
    pub(crate) fn insert(&self) -> String {
        let names: Vec<_> = self.columns().map(|name| format!("\"{name}\"")).collect();
        let texts = self.texts.iter().map(|name| format!("\"{name}\" text"));
        let numbers = self.numbers.iter().map(|name| format!("\"{name}\" bigint"));
        let types: Vec<_> = texts.chain(numbers).collect();
        let (names, types, key) = (names.join(", "), types.join(", "), self.key);
        let again = if self.changes {
            let set = self.columns().map(|name| format!("\"{name}\" = excluded.\"{name}\""));
            let set = set.collect::<Vec<_>>().join(", ");
            if self.name == "drifts" { AGAIN.to_owned() } else { format!("UPDATE SET {set}") }
        } else {
            "NOTHING".to_owned()
        };
        let table = self.name;
        let insert = format!(
            "INSERT INTO {table} (agent, {names}) SELECT $1, {names} FROM json_to_recordset($2::json) AS x({types}) \
             ON CONFLICT (agent, {key}) DO {again}"
        );
        if !self.has_lines() {
            return insert;
        }
        // How much a history holds is counted where it is written: to add it up anew would read all of it.
        format!(
            "WITH sent AS ({insert} RETURNING octet_length(line) AS bytes) \
             UPDATE histories SET bytes = bytes + COALESCE((SELECT SUM(bytes) FROM sent), 0), \
             told = (EXTRACT(EPOCH FROM now()) * 1000000000)::bigint WHERE agent = $1"
        )
    }

    /// Whether its rows count for the size of a history.
    fn has_lines(&self) -> bool {
        self.texts.contains(&"line")
    }

    fn object(&self) -> String {
        let pairs: Vec<_> = self.columns().map(|name| format!("'{name}', \"{name}\"")).collect();
        format!("json_object({})", pairs.join(", "))
    }
}

impl Store {
    /// Rows from `from` to `upto` in the table's order.
    pub(crate) async fn copied(
        &self,
        table: &Table,
        from: i64,
        upto: i64,
    ) -> Result<Copied, StoreError> {
        let Table { name, order, .. } = table;
        let query = format!(
            "SELECT COUNT(*), json_group_array(json({})) FROM {name} \
             WHERE {order} >= ? AND {order} <= ?",
            table.object()
        );
        let query = sqlx::query_as(AssertSqlSafe(query)).bind(from).bind(upto);
        let (rows, json) = self.read(query.fetch_one(&self.inner.readers).await)?;
        Ok(Copied { rows, json })
    }

    /// Each row of a small table as it is.
    pub(crate) async fn all_of(&self, table: &Table) -> Result<Vec<String>, StoreError> {
        let query = format!("SELECT {} FROM {}", table.object(), table.name);
        self.read(sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(&self.inner.readers).await)
    }

    /// The last place of a table's order; 0 where it is empty.
    pub(crate) async fn last_of(&self, table: &Table) -> Result<i64, StoreError> {
        let query = format!("SELECT COALESCE(MAX({}), 0) FROM {}", table.order, table.name);
        self.read(sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&self.inner.readers).await)
    }
}
