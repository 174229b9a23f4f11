//! One event of a history that an agent may be writing to.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::FILE;

/// The line of the event's first occurrence; of one that tells of a group the lines of all its members; empty where the store in
/// `directory` has no such event. Only reads, so that it needs no leave of the agent's.
pub async fn event_lines(directory: &Path, id: &str) -> Result<Vec<String>, String> {
    let options = SqliteConnectOptions::new()
        .filename(directory.join(FILE))
        .read_only(true)
        .disable_statement_logging();
    let read = async || -> sqlx::Result<Vec<String>> {
        let mut connection = options.connect().await?;
        let mut lines = Vec::new();
        for query in [
            "SELECT line FROM evidence WHERE of = ? ORDER BY number",
            "SELECT line FROM events WHERE id = ? ORDER BY seq LIMIT 1",
            "SELECT line FROM evidence WHERE id = ? LIMIT 1",
        ] {
            if lines.is_empty() {
                lines = sqlx::query_scalar(query).bind(id).fetch_all(&mut connection).await?;
            }
        }
        connection.close().await?;
        Ok(lines)
    };
    read().await.map_err(|error| error.to_string())
}
