//! What the sensor lost, for somebody who only looks: an agent may be at work on the same history.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection};

use super::ledger::CONTAINERS_FROM;
use super::{FILE, LedgerRow, StoreError};

/// Of all containers in a history.
#[derive(Debug)]
pub struct Losses {
    /// How many containers there are.
    pub containers: u64,
    /// Those of which something was lost, the newest first.
    pub of: Vec<LedgerRow>,
}

/// What is written in the history of this directory; None where there is no history.
pub async fn losses(directory: &Path) -> Result<Option<Losses>, StoreError> {
    let file = directory.join(FILE);
    if !file.exists() {
        return Ok(None);
    }
    let options = SqliteConnectOptions::new().filename(&file).read_only(true);
    let read = async {
        let mut connection = options.disable_statement_logging().connect().await?;
        let losses = read(&mut connection).await?;
        connection.close().await?;
        Ok(losses)
    };
    read.await.map(Some).map_err(|source| StoreError::database(&file, "read the store", source))
}

async fn read(connection: &mut SqliteConnection) -> sqlx::Result<Losses> {
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM containers");
    let containers: i64 = count.fetch_one(&mut *connection).await?;
    let query = format!(
        "{CONTAINERS_FROM} WHERE id IN (SELECT container FROM losses) ORDER BY first_seen DESC, id"
    );
    let of = sqlx::query_as(AssertSqlSafe(query)).fetch_all(connection).await?;
    Ok(Losses { containers: containers.unsigned_abs(), of })
}
