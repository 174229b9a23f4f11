//! Opening the history, or beginning it.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::SqliteConnection;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tokio::sync::{Mutex, watch};

use super::head::Head;
use super::lock::DirectoryLock;
use super::{FILE, Inner, Store, StoreError, Write, Writers};

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Another process may look into the file, and hold it up for as long.
const BUSY: Duration = Duration::from_secs(5);

/// Pages that a connection keeps in memory, in KiB. The kernel keeps the rest.
const WRITER_CACHE: &str = "-3072";
const OTHER_CACHE: &str = "-256";

/// Pages of 4 KiB in the log after which it is written into the file: indexes are written there once for many events.
const CHECKPOINT: &str = "16000";

/// Left behind by an agent that met damage: the next one looks at every page.
const SUSPECT: &str = "suspect";

impl Store {
    /// Opens `DIRECTORY/driftline.db`, and creates both where they are missing: the directory for its owner alone.
    ///
    /// No second agent can open the directory until all clones of the store are gone.
    ///
    /// A file that is damaged is kept under another name, and a new history is begun: nothing that may still be read out
    /// of it is lost, and the node does not stay unwatched. One of a newer version is whole, and refused.
    pub async fn open(directory: &Path) -> Result<Self, StoreError> {
        let lock = Arc::new(lock(directory)?);
        match Self::open_locked(directory, None, Arc::clone(&lock)).await {
            Err(error) if error.is_damage() => {
                let kept = set_aside(directory, Timestamp::now())?;
                eprintln!(
                    "driftline: {error}; it is kept as {}, and a new history begins",
                    kept.display()
                );
                let store = Self::open_locked(directory, None, lock).await?;
                store.tell_damage(&kept).await?;
                Ok(store)
            }
            opened => opened,
        }
    }

    /// The new history says where the old one is.
    async fn tell_damage(&self, kept: &Path) -> Result<(), StoreError> {
        let name = kept.file_name().unwrap_or_default().to_string_lossy();
        let why = format!("the history was damaged; what there is of it is in {name}");
        let now = Timestamp::now();
        let gap = Write::Gap { container: None, from: now, to: now, why, event: None };
        self.commit(vec![gap]).await.map(|_| ())
    }

    /// With at most so many pages of 4 KiB: more is a full disk.
    #[cfg(test)]
    pub(super) async fn open_limited(
        directory: &Path,
        pages: Option<u32>,
    ) -> Result<Self, StoreError> {
        Self::open_locked(directory, pages, Arc::new(lock(directory)?)).await
    }

    async fn open_locked(
        directory: &Path,
        pages: Option<u32>,
        lock: Arc<DirectoryLock>,
    ) -> Result<Self, StoreError> {
        let file = directory.join(FILE);
        let failed = |source| StoreError::Directory { path: directory.to_owned(), source };
        // SQLite would create it readable by everybody, and gives what it puts beside it the same rights.
        let mut create = OpenOptions::new();
        create.append(true).create(true).mode(0o600);
        create.open(&file).map_err(failed)?;

        let opened = |source| StoreError::database(&file, "open the store", source);
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(BUSY)
            .pragma("cache_size", OTHER_CACHE)
            .disable_statement_logging();
        let mut durable_options = options
            .clone()
            .synchronous(SqliteSynchronous::Full)
            .pragma("cache_size", WRITER_CACHE)
            .pragma("wal_autocheckpoint", CHECKPOINT);
        // A file that is there keeps what it is, and fills its empty pages again: to say it anew would write to it.
        if file.metadata().is_ok_and(|file| file.len() == 0) {
            durable_options = durable_options.auto_vacuum(SqliteAutoVacuum::Incremental);
        }
        if let Some(pages) = pages {
            durable_options = durable_options.pragma("max_page_count", pages.to_string());
        }
        let mut durable = durable_options.connect().await.map_err(opened)?;
        let newest = match prepare(&mut durable, &file, &directory.join(SUSPECT)).await {
            Ok(newest) => newest,
            Err(error) => {
                // Before anybody gives the file another name.
                let _what_was_read_is_all = durable.close().await;
                return Err(error);
            }
        };
        // Each statement of many rows keeps what its pages were, in case it fails: in a file that was as much writing as the
        // events themselves. Set only now: migrations sort whole tables.
        sqlx::query("PRAGMA temp_store = MEMORY").execute(&mut durable).await.map_err(opened)?;
        let relaxed = options
            .clone()
            .synchronous(SqliteSynchronous::Normal)
            .connect()
            .await
            .map_err(opened)?;
        let readers = SqlitePoolOptions::new().max_connections(2).connect_lazy_with(
            options.synchronous(SqliteSynchronous::Normal).pragma("query_only", "ON"),
        );
        let inner = Inner {
            file,
            writers: Mutex::new(Writers { durable, begun: false, relaxed }),
            readers,
            newest: watch::Sender::new(newest),
            seen: Mutex::default(),
            _lock: lock,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Writes everything into the main file and closes it. Other clones fail from here on; that it was not called
    /// loses nothing.
    pub async fn close(self) {
        self.inner.readers.close().await;
        let Some(inner) = Arc::into_inner(self.inner) else { return };
        let Writers { durable, relaxed, .. } = inner.writers.into_inner();
        let _the_other_still_has_it = relaxed.close().await;
        let _the_log_is_read_next_time = durable.close().await;
    }
}

/// Makes the directory where it is missing, and has it for itself.
fn lock(directory: &Path) -> Result<DirectoryLock, StoreError> {
    let failed = |source| StoreError::Directory { path: directory.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    DirectoryLock::take(directory)
}

/// Brings the file up to this version, and has a look at it. Returns `event.seq` of the newest event.
async fn prepare(
    connection: &mut SqliteConnection,
    file: &Path,
    suspect: &Path,
) -> Result<i64, StoreError> {
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    MIGRATIONS
        .run(&mut *connection)
        .await
        .map_err(|source| StoreError::migration(file, source, known))?;
    let newest = match look(connection, suspect).await {
        Ok(newest) => Head::adopt(connection).await.map(|()| newest),
        Err(error) => Err(error),
    };
    let newest = newest.map_err(|source| StoreError::database(file, "read the store", source))?;
    let newest = newest.ok_or_else(|| StoreError::Damaged { path: file.to_owned() })?;
    let _not_there_most_of_the_time = std::fs::remove_file(suspect);
    Ok(newest)
}

/// `event.seq` of the newest event; none where the file is damaged.
///
/// At every start the schema, the end of the log and the file's length are looked at. Each page is looked at only where an
/// agent met damage: that takes seconds, in which nobody would watch.
async fn look(connection: &mut SqliteConnection, suspect: &Path) -> sqlx::Result<Option<i64>> {
    if suspect.exists() {
        let found: String =
            sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut *connection).await?;
        if found != "ok" {
            return Ok(None);
        }
    }
    for table in ["containers", "gaps", "cursors", "heartbeat", "drifts", "checkpoints", "marks"] {
        let query = AssertSqlSafe(format!("SELECT 1 FROM {table} LIMIT 1"));
        sqlx::query(query).fetch_optional(&mut *connection).await?;
    }
    let last: Option<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT seq, CAST(line AS BLOB) FROM events ORDER BY seq DESC LIMIT 1")
            .fetch_optional(&mut *connection)
            .await?;
    Ok(Some(last.map_or(0, |(seq, _)| seq)))
}

/// Out of the way, with what SQLite has beside it. Never over anything that is there.
fn set_aside(directory: &Path, now: Timestamp) -> Result<PathBuf, StoreError> {
    let failed = |source| StoreError::Directory { path: directory.to_owned(), source };
    let stamp = now.strftime("%Y%m%dT%H%M%SZ");
    let free = |number: &u32| {
        let name = format!("{FILE}.damaged-{stamp}-{number}");
        !directory.join(name).exists()
    };
    let number = (1..10_000).find(free).unwrap_or(1);
    let kept = directory.join(format!("{FILE}.damaged-{stamp}-{number}"));
    for beside in ["-wal", "-shm", ""] {
        let from = directory.join(format!("{FILE}{beside}"));
        if from.exists() {
            let to = directory.join(format!("{FILE}.damaged-{stamp}-{number}{beside}"));
            match std::fs::rename(from, to) {
                // SQLite had not taken it away yet.
                Err(error)
                    if error.kind() == std::io::ErrorKind::NotFound && !beside.is_empty() => {}
                renamed => renamed.map_err(failed)?,
            }
        }
    }
    let _may_not_be_there = std::fs::remove_file(directory.join(SUSPECT));
    Ok(kept)
}

impl Store {
    /// A file was found damaged at work: the next start looks at all of it.
    pub(super) fn suspect(&self) {
        if let Some(directory) = self.inner.file.parent() {
            let _the_next_one_meets_it_too = std::fs::write(directory.join(SUSPECT), "");
        }
    }
}
