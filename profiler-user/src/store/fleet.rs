//! The shared store of many nodes, in PostgreSQL: how it is called, what is wrong with it, and what is sent there.
//!
//! A node's own history stays the first place of everything; this is a copy of it under the node's name, which follows behind.

mod rows;

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use reqwest::Url;
use sqlx::migrate::{MigrateError, Migrator};

pub(crate) use rows::{TABLES, Table};

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/postgres");

/// `postgres://USER@HOST/DATABASE`. What is shown of it has no password; one that is absent is taken from `PGPASSWORD`.
#[derive(Clone, Eq, PartialEq)]
pub struct Address {
    url: String,
    shown: String,
}

/// What is wrong with an address; it shows nothing of it.
#[derive(Debug, thiserror::Error)]
#[error(
    "the address of the fleet's store cannot be read: {0}; it looks like postgres://driftline@db.example/driftline"
)]
pub struct AddressError(&'static str);

/// Why the fleet's store does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    #[error(
        "cannot reach the fleet's store {shown}: {why}; see that it runs and that this machine may connect to it"
    )]
    Connect { shown: String, why: String },
    #[error(
        "the fleet's store {shown} was written by a newer driftline (its schema is {found}, this one knows up to \
         {known}); use that version"
    )]
    Newer { shown: String, found: i64, known: i64 },
    #[error(
        "the fleet's store {shown} holds no histories of this version: {why}; start an agent of this version with \
         --store on it once"
    )]
    Schema { shown: String, why: String },
    #[error("cannot read the fleet's store {shown}: {why}")]
    Read { shown: String, why: String },
}

impl Address {
    /// Whether somebody means a database and not a directory.
    pub fn is_one(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }

    /// With the password: never to be shown.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if !Self::is_one(text) {
            return Err(AddressError("it does not begin with postgres://"));
        }
        let url = Url::parse(text).map_err(|_| AddressError("it is no URL"))?;
        let database = url.path().trim_start_matches('/');
        // A socket's directory is said behind the question mark, where a password may be as well.
        let socket = url.query_pairs().find(|(key, _)| key == "host").map(|(_, host)| host);
        let host = url.host_str().filter(|host| !host.is_empty()).map(str::to_owned);
        let host = host.map(|host| host.replace("%2F", "/"));
        let host = socket.map(std::borrow::Cow::into_owned).or(host).unwrap_or_default();
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let shown = format!("postgres://{host}{port}/{database}");
        Ok(Self { url: text.to_owned(), shown })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.shown)
    }
}

impl FleetError {
    pub(crate) fn connect(address: &Address, why: &sqlx::Error) -> Self {
        Self::Connect { shown: address.to_string(), why: reason(why) }
    }

    pub(crate) fn silent(address: &Address) -> Self {
        Self::Connect { shown: address.to_string(), why: "it does not answer".to_owned() }
    }

    pub(crate) fn schema(address: &Address, why: &sqlx::Error) -> Self {
        Self::Schema { shown: address.to_string(), why: reason(why) }
    }

    pub(crate) fn read(shown: &Path, why: &sqlx::Error) -> Self {
        Self::Read { shown: shown.display().to_string(), why: reason(why) }
    }

    pub(crate) fn migration(address: &Address, why: MigrateError) -> Self {
        let shown = address.to_string();
        match why {
            MigrateError::VersionMissing(found) | MigrateError::VersionTooNew(found, _) => {
                Self::Newer { shown, found, known: known() }
            }
            why => Self::Schema { shown, why: why.to_string() },
        }
    }
}

/// What the server says, without what sqlx puts before it. None of it holds what was sent to log in.
fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Configuration(_) => "its address cannot be used".to_owned(),
        error => error.to_string(),
    }
}

fn known() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Whether histories of this schema can be read as they are.
pub(crate) fn readable_version(address: &Address, found: i64) -> Result<(), FleetError> {
    let (shown, known) = (address.to_string(), known());
    match found.cmp(&known) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(FleetError::Newer { shown, found, known }),
        std::cmp::Ordering::Less => {
            Err(FleetError::Schema { shown, why: format!("its schema is {found}, not {known}") })
        }
    }
}
