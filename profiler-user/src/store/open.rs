//! Opening the history, or beginning it.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{Mutex, watch};

use super::lock::DirectoryLock;
use super::{FILE, Inner, Store, StoreError, Writers};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Another process may look into the file, and hold it up for as long.
const BUSY: Duration = Duration::from_secs(5);

/// Pages that a connection keeps in memory, in KiB. The kernel keeps the rest.
const WRITER_CACHE: &str = "-1024";
const OTHER_CACHE: &str = "-256";

impl Store {
    /// Opens `DIRECTORY/driftline.db`, and creates both where they are missing: the directory for its owner alone.
    ///
    /// No second agent can open the directory until all clones of the store are gone.
    pub async fn open(directory: &Path) -> Result<Self, StoreError> {
        Self::open_limited(directory, None).await
    }

    /// With at most so many pages of 4 KiB: more is a full disk.
    pub(super) async fn open_limited(
        directory: &Path,
        pages: Option<u32>,
    ) -> Result<Self, StoreError> {
        let file = directory.join(FILE);
        let failed = |source| StoreError::Directory { path: directory.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        let lock = DirectoryLock::take(directory)?;
        // SQLite would create it readable by everybody, and gives what it puts beside it the same rights.
        let mut create = OpenOptions::new();
        create.append(true).create(true).mode(0o600);
        create.open(&file).map_err(failed)?;

        let opened = |source| StoreError::database(&file, "open the store", source);
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .journal_mode(SqliteJournalMode::Wal)
            // Of a new file; one that is there keeps what it is, and fills its empty pages again.
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .busy_timeout(BUSY)
            .pragma("cache_size", OTHER_CACHE)
            .disable_statement_logging();
        let mut durable_options =
            options.clone().synchronous(SqliteSynchronous::Full).pragma("cache_size", WRITER_CACHE);
        if let Some(pages) = pages {
            durable_options = durable_options.pragma("max_page_count", pages.to_string());
        }
        let mut durable = durable_options.connect().await.map_err(opened)?;
        let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
        MIGRATIONS
            .run(&mut durable)
            .await
            .map_err(|source| StoreError::migration(&file, source, known))?;
        let newest: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(seq), 0) FROM events")
            .fetch_one(&mut durable)
            .await
            .map_err(|source| StoreError::database(&file, "read the store", source))?;
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
