//! One event of a history that an agent may be writing to.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::FILE;

/// The line of the event's first occurrence; none where the store in `directory` has no such event. Only reads, so that
/// it needs no leave of the agent's.
pub async fn event_line(directory: &Path, id: &str) -> Result<Option<String>, String> {
    let options = SqliteConnectOptions::new()
        .filename(directory.join(FILE))
        .read_only(true)
        .disable_statement_logging();
    let read = async || -> sqlx::Result<Option<String>> {
        let mut connection = options.connect().await?;
        let query = "SELECT line FROM events WHERE id = ? ORDER BY seq LIMIT 1";
        let line = sqlx::query_scalar(query).bind(id).fetch_optional(&mut connection).await?;
        connection.close().await?;
        Ok(line)
    };
    read().await.map_err(|error| error.to_string())
}
