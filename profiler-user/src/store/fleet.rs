//! The shared store of many nodes, in PostgreSQL: how it is called, what is wrong with it, and what is sent there.
//!
//! A node's own history stays the first place of everything; this is a copy of it under the node's name, which follows behind.

mod error;
mod rows;

use std::fmt;
use std::str::FromStr;

use reqwest::Url;
use sqlx::migrate::Migrator;

pub use error::FleetError;
pub(crate) use rows::{TABLES, Table};

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/postgres");

/// Whether anybody has noted migrations in the database.
pub(crate) const IS_PREPARED: &str = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";

/// What the first of them was called: other programs note theirs in a table of the same name.
pub(crate) const FIRST: &str = "SELECT description FROM _sqlx_migrations WHERE version = 1";

/// Of what version the tables are.
pub(crate) const NEWEST: &str = "SELECT MAX(version) FROM _sqlx_migrations";

/// Which tables of these names there are.
pub(crate) const TAKEN: &str = "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace \
     AND relkind IN ('r', 'p', 'v', 'm', 'f') AND relname = ANY($1) ORDER BY relname LIMIT 1";

/// Whether what [`FIRST`] found is ours.
pub(crate) fn is_ours(address: &Address, first: &str) -> Result<(), FleetError> {
    let ours = MIGRATIONS.iter().find(|migration| migration.version == 1);
    if ours.is_some_and(|migration| migration.description == first) {
        return Ok(());
    }
    Err(FleetError::foreign(address, "another program notes its migrations there".to_owned()))
}

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
