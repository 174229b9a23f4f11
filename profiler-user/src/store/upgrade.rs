//! Bringing a history up to this version where no agent does: a copy that was carried off its node.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use super::lock::DirectoryLock;
use super::open::MIGRATIONS;
use super::{FILE, StoreError};

const BUSY: Duration = Duration::from_secs(5);

/// The schema's version before and after; both the same where there was nothing to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Upgraded {
    pub from: i64,
    pub to: i64,
}

/// Brings `DIRECTORY/driftline.db` up to what this version reads. Its events stay as they are, byte by byte. Unlike an
/// agent's start it never puts a damaged file aside, and makes none where none is.
///
/// # Errors
/// Where there is no history, an agent has it open, it is damaged, of a newer version, or may not be written to. Each step
/// from one version to the next is made whole or not at all.
pub async fn upgrade(directory: &Path) -> Result<Upgraded, StoreError> {
    let file = directory.join(FILE);
    std::fs::File::open(&file)
        .map_err(|source| StoreError::Directory { path: directory.to_owned(), source })?;
    let _alone = DirectoryLock::take(directory)?;
    let options = SqliteConnectOptions::new()
        .filename(&file)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(BUSY)
        .disable_statement_logging();
    let opened = |source| StoreError::database(&file, "open the store", source);
    let mut connection = options.connect().await.map_err(opened)?;
    let done = migrate(&mut connection, &file).await;
    // What was read is all that was asked for, and what was written is in the file already.
    let _its_log_is_read_next_time = connection.close().await;
    done
}

async fn migrate(connection: &mut SqliteConnection, file: &Path) -> Result<Upgraded, StoreError> {
    let query = "SELECT max(version) FROM _sqlx_migrations";
    let version = sqlx::query_scalar::<_, i64>(query);
    let from = version.fetch_one(&mut *connection).await;
    let from = from.map_err(|source| StoreError::database(file, "read the store", source))?;
    let to = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    let done = MIGRATIONS.run(&mut *connection).await;
    done.map_err(|source| StoreError::migration(file, source, to))?;
    Ok(Upgraded { from, to })
}
