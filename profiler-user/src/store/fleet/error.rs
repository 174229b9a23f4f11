//! Why the store of many nodes does not do what was asked, so that a person knows what to do. None of it holds what was sent to log in.

use std::path::Path;

use sqlx::migrate::MigrateError;

use super::{Address, known};

/// Why the fleet's store does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    #[error(
        "cannot reach the fleet's store {shown}: {why}; see that it runs and that this machine may connect to it"
    )]
    Connect { shown: String, why: String },
    #[error(
        "the fleet's store {shown} does not let us in: {why}; name its user in the address (postgres://USER@HOST/…) and \
         give that user's password in PGPASSWORD"
    )]
    Login { shown: String, why: String },
    #[error(
        "no encrypted connection to the fleet's store {shown}: {why}; see that its certificate is for this host's name and \
         that the CA that signed it is in PGSSLROOTCERT"
    )]
    Tls { shown: String, why: String },
    #[error(
        "the fleet's store {shown} does not exist: {why}; create that database, or name another"
    )]
    Absent { shown: String, why: String },
    #[error(
        "the fleet's store {shown} belongs to something else: {why}; nothing was changed there: give Driftline a \
         database of its own"
    )]
    Foreign { shown: String, why: String },
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
    #[error(
        "the fleet's store {shown} refuses: {why}; see what its user may do there, and its own log"
    )]
    Refused { shown: String, why: String },
    #[error(
        "cannot read the fleet's store {shown}: {why}; ask again, and see the database's own log"
    )]
    Read { shown: String, why: String },
}

impl FleetError {
    pub(crate) fn connect(address: &Address, error: &sqlx::Error) -> Self {
        let (shown, why) = (address.to_string(), reason(error));
        let sqlx::Error::Database(said) = error else {
            return match error {
                sqlx::Error::Tls(_) => Self::Tls { shown, why },
                sqlx::Error::Io(error) if is_tls(error) => Self::Tls { shown, why },
                _ => Self::Connect { shown, why },
            };
        };
        // The classes of PostgreSQL's appendix A.
        match said.code().as_deref() {
            Some(code) if code.starts_with("28") => Self::Login { shown, why },
            Some("3D000") => Self::Absent { shown, why },
            // It starts, ends, or has no room for one more.
            Some(code) if code.starts_with("57P") || code == "53300" => {
                Self::Connect { shown, why }
            }
            _ => Self::Refused { shown, why },
        }
    }

    pub(crate) fn silent(address: &Address) -> Self {
        Self::Connect { shown: address.to_string(), why: "it does not answer".to_owned() }
    }

    pub(crate) fn foreign(address: &Address, why: String) -> Self {
        Self::Foreign { shown: address.to_string(), why }
    }

    pub(crate) fn unprepared(address: &Address) -> Self {
        let why = "no agent has told it anything yet".to_owned();
        Self::Schema { shown: address.to_string(), why }
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
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                Self::connect(address, &error)
            }
            why => Self::Schema { shown, why: why.to_string() },
        }
    }
}

/// What the server says, without what sqlx puts before it.
fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Tls(error) => error.to_string(),
        sqlx::Error::Configuration(_) => "its address cannot be used".to_owned(),
        error => error.to_string(),
    }
}

/// A handshake that ends comes as an error of the connection.
fn is_tls(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.downcast_ref::<rustls::Error>().is_some())
}
