//! What retention asks of the store, and what it notes there.

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow};

use super::Limits;
use crate::store::{Store, StoreError};

impl Store {
    /// At twice its size the store takes no more, as if the disk were full: first occurrences are not removed before
    /// their time, and must not fill the disk either.
    pub async fn limit(&self, limits: Limits) -> Result<(), StoreError> {
        const PAGE: u64 = 4096;
        let pages = (limits.size.saturating_mul(2) / PAGE).min(u64::from(u32::MAX) - 1);
        let mut writers = self.inner.writers.lock().await;
        let query = AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        self.read(sqlx::query(query).fetch_all(&mut writers.durable).await.map(|_| ()))
    }

    /// Up to which event every one of these sinks has taken all.
    pub(super) async fn passed(&self, sinks: &[String]) -> Result<i64, StoreError> {
        let names = serde_json::to_string(sinks)?;
        let query = "SELECT MIN(seq) FROM cursors WHERE sink IN (SELECT value FROM json_each(?))";
        let query = sqlx::query_scalar(query).bind(names).fetch_one(&self.inner.readers);
        let passed: Option<i64> = self.read(query.await)?;
        Ok(passed.unwrap_or(i64::MAX))
    }

    /// The newest event that was there at that time.
    pub(super) async fn marked_before(&self, at: i64) -> Result<i64, StoreError> {
        let query = "SELECT COALESCE(MAX(seq), 0) FROM marks WHERE at <= ?";
        self.read(sqlx::query_scalar(query).bind(at).fetch_one(&self.inner.readers).await)
    }

    /// What time retention believed it was when it last looked, in nanoseconds; none before that.
    pub(crate) async fn kept_clock(&self) -> Result<Option<i64>, StoreError> {
        let query = sqlx::query_scalar("SELECT clock FROM retention");
        self.read(query.fetch_one(&self.inner.readers).await)
    }

    /// Marks what is there at `now`, once an hour; where the clock was mended by `by`, the marks since event `since` are as
    /// well, and none lies ahead.
    pub(super) async fn mark(&self, now: i64, by: i64, since: i64) -> Result<(), StoreError> {
        const HOUR: i64 = 3_600_000_000_000;
        let mut writers = self.inner.writers.lock().await;
        self.read(writers.begin().await)?;
        let connection = &mut writers.durable;
        let work = async {
            sqlx::query("UPDATE retention SET clock = ?")
                .bind(now)
                .execute(&mut *connection)
                .await?;
            if by > 0 {
                let query = sqlx::query("UPDATE marks SET at = at + ? WHERE seq > ?");
                query.bind(by).bind(since).execute(&mut *connection).await?;
            }
            sqlx::query("UPDATE marks SET at = ?1 WHERE at > ?1")
                .bind(now)
                .execute(&mut *connection)
                .await?;
            let query = "INSERT OR IGNORE INTO marks (seq, at) SELECT MAX(seq), ?1 FROM events \
                 HAVING MAX(seq) IS NOT NULL AND NOT EXISTS (SELECT 1 FROM marks WHERE at > ?1 - ?2)";
            sqlx::query(query).bind(now).bind(HOUR).execute(&mut *connection).await
        };
        let done = work.await.map(|_| ());
        let done = match done {
            Ok(()) => writers.end().await,
            Err(error) => Err(error),
        };
        if done.is_err() {
            writers.take_back().await;
        }
        self.read(done)
    }

    /// Bytes of the file that hold something.
    pub(super) async fn used(&self) -> Result<u64, StoreError> {
        let query = "SELECT (page_count - freelist_count) * page_size \
             FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()";
        let used: i64 =
            self.read(sqlx::query_scalar(query).fetch_one(&self.inner.readers).await)?;
        Ok(used.unsigned_abs())
    }

    /// Gives pages that hold nothing back to the disk, some at a time. A file that an earlier version made keeps them, and
    /// fills them again.
    pub(super) async fn give_back(&self) -> Result<(), StoreError> {
        const PAGES: i64 = 1024;
        loop {
            let mut writers = self.inner.writers.lock().await;
            if writers.begun {
                writers.take_back().await;
            }
            let query = "SELECT freelist_count FROM pragma_freelist_count()";
            let before: i64 =
                self.read(sqlx::query_scalar(query).fetch_one(&mut writers.durable).await)?;
            if before < PAGES {
                return Ok(());
            }
            let vacuum = AssertSqlSafe(format!("PRAGMA incremental_vacuum({PAGES})"));
            self.read(sqlx::query(vacuum).fetch_all(&mut writers.durable).await)?;
            let after: i64 =
                self.read(sqlx::query_scalar(query).fetch_one(&mut writers.durable).await)?;
            if after >= before {
                return Ok(());
            }
        }
    }

    pub(super) async fn repeats_of(
        &self,
        container: &str,
        fingerprint: &str,
        upto: i64,
        limit: i64,
    ) -> Result<Vec<i64>, StoreError> {
        let query = "SELECT seq FROM events WHERE fingerprint = ? AND COALESCE(container, '') = ? \
             AND action <> 'created' AND seq <= ? ORDER BY seq LIMIT ?";
        let query =
            sqlx::query_scalar(query).bind(fingerprint).bind(container).bind(upto).bind(limit);
        self.read(query.fetch_all(&self.inner.readers).await)
    }

    pub(super) async fn all_repeats(&self, upto: i64, limit: i64) -> Result<Vec<i64>, StoreError> {
        let query =
            "SELECT seq FROM events WHERE action <> 'created' AND seq <= ? ORDER BY seq LIMIT ?";
        let query = sqlx::query_scalar(query).bind(upto).bind(limit);
        self.read(query.fetch_all(&self.inner.readers).await)
    }

    /// What a container had done before, the least severe first.
    pub(super) async fn again(&self, upto: i64, limit: i64) -> Result<Vec<i64>, StoreError> {
        let query = "SELECT seq FROM again WHERE seq <= ? ORDER BY severity, seq LIMIT ?";
        let query = sqlx::query_scalar(query).bind(upto).bind(limit);
        let mut seqs: Vec<i64> = self.read(query.fetch_all(&self.inner.readers).await)?;
        seqs.sort_unstable();
        Ok(seqs)
    }

    pub(super) async fn oldest(&self, upto: i64, limit: i64) -> Result<Vec<i64>, StoreError> {
        let query = "SELECT seq FROM events WHERE seq <= ? AND seq < (SELECT seq FROM head) ORDER BY seq LIMIT ?";
        let query = sqlx::query_scalar(query).bind(upto).bind(limit);
        self.read(query.fetch_all(&self.inner.readers).await)
    }

    pub(super) async fn rows<T>(&self, query: AssertSqlSafe<String>) -> Result<Vec<T>, StoreError>
    where
        T: for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
    {
        self.read(sqlx::query_as(query).fetch_all(&self.inner.readers).await)
    }
}
