//! Opening a history to read it, and finding what somebody names in it.

use std::path::{Path, PathBuf};

use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::statement::{ANSWER, Dialect, storable};
use super::told::Told;
use crate::drift::DriftKind;
use crate::store::fleet::{self, Address, FleetError};
use crate::store::{self, StoreError};

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Fleet(#[from] FleetError),
    #[error("the history {} holds no {what} {name:?}; {advice}", path.display())]
    Unknown { path: PathBuf, what: &'static str, name: String, advice: &'static str },
    /// The name fits more than one.
    #[error("{name:?} begins the name of more than one {what} of the history {}, such as {first} and {second}; write more of it", path.display())]
    Ambiguous { path: PathBuf, what: &'static str, name: String, first: String, second: String },
}

/// A history as it is at one moment.
#[derive(Debug)]
pub struct History {
    pub(super) path: PathBuf,
    pub(super) connection: AnyConnection,
    pub(super) dialect: Dialect,
}

impl History {
    /// The history in `directory`. Only reads, so it needs no leave of the agent's.
    ///
    /// # Errors
    /// Where there is none, or it is damaged, or of another version of driftline.
    pub async fn open(directory: &Path) -> Result<Self, HistoryError> {
        let path = directory.join(store::FILE);
        std::fs::File::open(&path)
            .map_err(|source| StoreError::Directory { path: directory.to_owned(), source })?;
        let unreadable = |source| store::unreadable(&path, source);
        let connection = Self::connect(&sqlite(&path)).await.map_err(unreadable)?;
        let mut history = Self { path, connection, dialect: Dialect::Sqlite };
        // A large history has its indexes all over the file: most pages are asked for again and again.
        let prepare = sqlx::raw_sql("PRAGMA cache_size = -65536; PRAGMA mmap_size = 2147418112");
        let prepared = prepare.execute(&mut history.connection).await;
        history.failed(prepared)?;
        let version = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations");
        let found: Option<i64> = version
            .fetch_one(&mut history.connection)
            .await
            .map_err(|source| store::unreadable(&history.path, source))?;
        store::readable_version(&history.path, found.unwrap_or(0))?;
        // From here on everything is read as it is now, whatever is committed meanwhile.
        let begun = sqlx::query("BEGIN").execute(&mut history.connection).await;
        history.failed(begun)?;
        Ok(history)
    }

    /// The histories of all nodes that ship to this database.
    ///
    /// # Errors
    /// Where it cannot be reached, refuses, or holds no histories that this version can read.
    pub async fn open_fleet(address: &Address) -> Result<Self, HistoryError> {
        let path = PathBuf::from(address.to_string());
        let connection = tokio::time::timeout(PATIENCE, Self::connect(address.url()));
        let connection = match connection.await {
            Ok(connection) => connection.map_err(|why| FleetError::connect(address, &why))?,
            Err(_) => return Err(FleetError::silent(address).into()),
        };
        let mut history = Self { path, connection, dialect: Dialect::Postgres };
        let found = tokio::time::timeout(PATIENCE, history.fleet_version(address)).await;
        let found = found.map_err(|_| FleetError::silent(address))?;
        let found = found.map_err(|why| FleetError::connect(address, &why))??;
        fleet::readable_version(address, found)?;
        // What nobody waits for any more ends there as well; and what is to take a moment is not compiled first.
        let over = (ANSWER + PATIENCE).as_millis();
        let repeatable = AssertSqlSafe(format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {over}; \
             SET LOCAL jit = off"
        ));
        let begun = sqlx::raw_sql(repeatable).execute(&mut history.connection);
        let begun = Dialect::Postgres.answer(begun).await;
        history.failed(begun)?;
        Ok(history)
    }

    /// What version of ours the database has.
    async fn fleet_version(&mut self, address: &Address) -> sqlx::Result<Result<i64, FleetError>> {
        let connection = &mut self.connection;
        if !sqlx::query_scalar(fleet::IS_PREPARED).fetch_one(&mut *connection).await? {
            return Ok(Err(FleetError::unprepared(address)));
        }
        let first = sqlx::query_scalar(fleet::FIRST).fetch_optional(&mut *connection).await?;
        let first: Option<String> = first;
        let Some(first) = first else { return Ok(Err(FleetError::unprepared(address))) };
        if let Err(error) = fleet::is_ours(address, &first) {
            return Ok(Err(error));
        }
        sqlx::query_scalar(fleet::NEWEST).fetch_one(connection).await.map(Ok)
    }

    async fn connect(url: &str) -> sqlx::Result<AnyConnection> {
        sqlx::any::install_default_drivers();
        let options: AnyConnectOptions = url.parse()?;
        options.disable_statement_logging().connect().await
    }

    pub async fn close(self) {
        let _only_read = self.connection.close().await;
    }

    pub(super) fn failed<T>(&self, result: sqlx::Result<T>) -> Result<T, HistoryError> {
        result.map_err(|source| match self.dialect {
            Dialect::Sqlite => store::unreadable(&self.path, source).into(),
            Dialect::Postgres => FleetError::read(&self.path, &source).into(),
        })
    }

    /// The drift of this id, as it first was; an incident as it is now.
    ///
    /// # Errors
    /// Where the history has no such event.
    pub async fn event(&mut self, id: &str) -> Result<Told, HistoryError> {
        let query = "SELECT seq, line, (SELECT n.line FROM events n WHERE n.id = e.id ORDER BY n.seq DESC LIMIT 1) \
             AS newest FROM events e WHERE id = $1 AND kind <> $2 \
             ORDER BY CASE WHEN kind = $3 THEN -last ELSE 0 END, seq LIMIT 1";
        let query = sqlx::query_as(query).bind(storable(id)).bind(store::CHAIN);
        let query = query.bind(DriftKind::IncidentLateral.name());
        let found = self.dialect.answer(query.fetch_optional(&mut self.connection)).await;
        if let Some(event) = self.failed(found)? {
            return Ok(event);
        }
        // It may be one of those that another event tells of.
        let query = "SELECT seq, line, line AS newest FROM evidence WHERE id = $1 LIMIT 1";
        let query = sqlx::query_as(query).bind(storable(id));
        let found = self.dialect.answer(query.fetch_optional(&mut self.connection)).await;
        let advice = "give the event.id of one; driftline investigate timeline --json has them";
        self.failed(found)?.ok_or_else(|| self.unknown("event", id, advice))
    }

    /// The first event of this id, as it was told.
    pub async fn line(&mut self, id: &str) -> Result<String, HistoryError> {
        let query = "SELECT line FROM events WHERE id = $1 ORDER BY seq LIMIT 1";
        let query = sqlx::query_scalar(query).bind(id);
        let line = self.dialect.answer(query.fetch_optional(&mut self.connection)).await;
        if let Some(line) = self.failed(line)? {
            return Ok(line);
        }
        let query = "SELECT line FROM evidence WHERE id = $1 LIMIT 1";
        let query = sqlx::query_scalar(query).bind(id);
        let line = self.dialect.answer(query.fetch_one(&mut self.connection)).await;
        self.failed(line)
    }

    /// The newest event of this id; where several nodes tell of it, each numbers its own.
    pub async fn newest_line(&mut self, id: &str) -> Result<String, HistoryError> {
        let query = "SELECT line FROM events WHERE id = $1 ORDER BY last DESC, seq DESC LIMIT 1";
        let query = sqlx::query_scalar(query).bind(id);
        let line = self.dialect.answer(query.fetch_one(&mut self.connection)).await;
        self.failed(line)
    }

    /// The fingerprint that `name` begins, or that of the event of this id.
    ///
    /// # Errors
    /// Where the history knows neither, or several fingerprints begin so.
    pub async fn fingerprint(&mut self, name: &str) -> Result<String, HistoryError> {
        // Events' ids are ULIDs: 26 characters, of which the first is a digit up to 7.
        if ulid::Ulid::from_string(name).is_ok() {
            return self.event(name).await.map(|event| event.fingerprint);
        }
        let (from, to) = range(name);
        // Words about the chain have none.
        let query = sqlx::query_scalar(
            "SELECT DISTINCT fingerprint FROM drifts WHERE fingerprint >= $1 AND fingerprint < $2 \
             AND fingerprint <> '' ORDER BY fingerprint LIMIT 2",
        );
        let found = query.bind(from).bind(to).fetch_all(&mut self.connection);
        let found = self.dialect.answer(found).await;
        let found: Vec<String> = self.failed(found)?;
        self.one(found, name, "fingerprint")?.ok_or_else(|| self.unknown_fingerprint(name))
    }

    /// The id of the container that `name` begins.
    ///
    /// # Errors
    /// Where the ledger knows none, or several begin so.
    pub async fn container_id(&mut self, name: &str) -> Result<String, HistoryError> {
        let (from, to) = range(name);
        let query = sqlx::query_scalar(
            "SELECT DISTINCT id FROM containers WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 2",
        );
        let query = query.bind(from).bind(to);
        let found = self.dialect.answer(query.fetch_all(&mut self.connection)).await;
        let found = self.failed(found)?;
        self.one(found, name, "container")?.ok_or_else(|| self.unknown_container(name))
    }

    pub(super) fn unknown_fingerprint(&self, name: &str) -> HistoryError {
        let advice = "give the drift.fingerprint of an event, or its event.id";
        self.unknown("fingerprint", name, advice)
    }

    pub(super) fn unknown_container(&self, name: &str) -> HistoryError {
        self.unknown("container", name, "give a container's id, or the beginning of one")
    }

    fn unknown(&self, what: &'static str, name: &str, advice: &'static str) -> HistoryError {
        HistoryError::Unknown { path: self.path.clone(), what, name: name.to_owned(), advice }
    }

    /// `Ok(None)` where there is none.
    fn one(
        &self,
        mut found: Vec<String>,
        name: &str,
        what: &'static str,
    ) -> Result<Option<String>, HistoryError> {
        match (found.pop(), found.pop()) {
            (Some(second), Some(first)) => {
                let (path, name) = (self.path.clone(), name.to_owned());
                Err(HistoryError::Ambiguous { path, what, name, first, second })
            }
            (one, _) => Ok(one),
        }
    }
}

/// How long a database may take to answer at all.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// The address of a file that is only read.
fn sqlite(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let url = reqwest::Url::from_file_path(path).map(String::from).unwrap_or_default();
    format!("{}?mode=ro", url.replacen("file:", "sqlite:", 1))
}

/// The texts that begin with `name`: from the first, up to one that is behind them all. An index finds them, which it
/// does not by `LIKE`; an empty name begins none.
fn range(name: &str) -> (String, String) {
    let end = if name.is_empty() { String::new() } else { format!("{name}\u{10ffff}") };
    (storable(name), storable(&end))
}
