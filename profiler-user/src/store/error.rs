//! What can go wrong with the history, each in one sentence: what, where, why, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use sqlx::migrate::MigrateError;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "cannot use the store directory {}: {source}; give --store a directory that exists or can \
         be created, and that may be written to", path.display()
    )]
    Directory { path: PathBuf, source: io::Error },
    #[error(
        "the store directory {} is in use by another driftline (pid {pid}); end that one, or give \
         each its own --store", path.display()
    )]
    InUse { path: PathBuf, pid: String },
    #[error(
        "the store {} was written by a newer driftline (its schema is {found}, this one knows up \
         to {known}); run that version, or give --store another directory", path.display()
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error(
        "the store {} was written by an older driftline (its schema is {found}, this one reads {known}); \
         start this version's agent on it, or driftline investigate upgrade --store {}", path.display(), directory(path)
    )]
    Older { path: PathBuf, found: i64, known: i64 },
    /// While `doing` something.
    #[error("cannot {doing} {}: {source}; {}", path.display(), trouble.advice())]
    Database { path: PathBuf, doing: &'static str, trouble: Trouble, source: sqlx::Error },
    #[error("the store {} is damaged: not all of its pages hold together", path.display())]
    Damaged { path: PathBuf },
    #[error("an event cannot be written as JSON: {0}; please report this")]
    Event(#[from] serde_json::Error),
    #[error("a row of the store {} cannot be read: {why}; move the file away to begin a new one", path.display())]
    Row { path: PathBuf, why: String },
}

/// As it is given on a command line.
fn directory(file: &Path) -> std::path::Display<'_> {
    file.parent().unwrap_or(file).display()
}

/// Of somebody who only looks.
pub(crate) fn unreadable(path: &Path, source: sqlx::Error) -> StoreError {
    match source {
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
            StoreError::Row { path: path.to_owned(), why: source.to_string() }
        }
        source => StoreError::database(path, "read the store", source),
    }
}

/// Whether a file with this schema can be read as it is: whoever only looks does not bring it up to date.
pub(crate) fn readable_version(path: &Path, found: i64) -> Result<(), StoreError> {
    let known =
        super::open::MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    let path = || path.to_owned();
    match found.cmp(&known) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(StoreError::Older { path: path(), found, known }),
        std::cmp::Ordering::Greater => Err(StoreError::Newer { path: path(), found, known }),
    }
}

/// What SQLite complains of, by what one can do about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// The disk, or a quota, is full.
    Full,
    /// The disk does not do what it is told.
    Disk,
    /// Not to be opened, or not to be written to.
    Unwritable,
    /// Not SQLite's, or no longer.
    Damaged,
    /// A value that the schema refuses: a defect of ours.
    Refused,
    Other,
}

impl StoreError {
    pub(super) fn database(path: &Path, doing: &'static str, source: sqlx::Error) -> Self {
        Self::Database { path: path.to_owned(), doing, trouble: Trouble::of(&source), source }
    }

    pub(super) fn migration(path: &Path, source: MigrateError, known: i64) -> Self {
        let path = path.to_owned();
        let doing = "prepare the store";
        match source {
            MigrateError::VersionMissing(found) | MigrateError::VersionTooNew(found, _) => {
                Self::Newer { path, found, known }
            }
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => {
                Self::database(&path, doing, source)
            }
            other => Self::Database {
                path,
                doing,
                trouble: Trouble::Other,
                source: sqlx::Error::Migrate(Box::new(other)),
            },
        }
    }

    /// The file is not SQLite's, or no longer.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Database { trouble, .. } => *trouble == Trouble::Damaged,
            Self::Damaged { .. } => true,
            _ => false,
        }
    }

    /// The same writes would fail again, whatever happens around them.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Database { trouble, .. } => *trouble == Trouble::Refused,
            Self::Event(_) => true,
            _ => false,
        }
    }
}

impl Trouble {
    fn of(error: &sqlx::Error) -> Self {
        let code = match error {
            sqlx::Error::Database(error) => error.code().and_then(|code| code.parse::<i32>().ok()),
            sqlx::Error::Io(error) if error.kind() == io::ErrorKind::StorageFull => {
                return Self::Full;
            }
            _ => None,
        };
        // SQLITE_IOERR_SHMSIZE: there is no room for the index of the log.
        if code == Some(4874) {
            return Self::Full;
        }
        // The primary result code is in the low byte: <https://sqlite.org/rescode.html>.
        match code.map(|code| code & 0xff) {
            Some(13) => Self::Full,
            Some(10) => Self::Disk,
            Some(3 | 8 | 14) => Self::Unwritable,
            Some(11 | 26) => Self::Damaged,
            Some(18..=20) => Self::Refused,
            _ => Self::Other,
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Full => "make room on its disk",
            Self::Disk => "look after its disk",
            Self::Unwritable => "see that the file and its directory may be written to",
            Self::Damaged => {
                "start the agent again, which keeps the file under another name and begins a new one"
            }
            Self::Refused | Self::Other => "please report this",
        }
    }
}
