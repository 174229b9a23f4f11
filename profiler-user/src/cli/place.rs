//! Which history a command line means, and what is said of it where it cannot be understood.

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue};

use crate::store::fleet::{Address, AddressError};

/// Where a history is.
#[derive(Clone, Debug)]
pub enum Place {
    Directory(PathBuf),
    /// That of many nodes.
    Fleet(Address),
}

impl std::str::FromStr for Place {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if Address::is_one(text) {
            return text.parse().map(Self::Fleet);
        }
        Ok(Self::Directory(text.into()))
    }
}

/// What only a node's own directory has. Where the environment names a store that many nodes share, the directory is that of
/// `DRIFTLINE_SPOOL`, as it is for the agent.
pub(crate) fn home() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|text| match text.to_str() {
        Some(url) if Address::is_one(url) => {
            let spool = std::env::var_os("DRIFTLINE_SPOOL").filter(|spool| !spool.is_empty());
            spool.map(PathBuf::from).ok_or(
                "this is asked of a node's own history, not of the store that nodes share; give --store that node's --spool",
            )
        }
        _ => Ok(PathBuf::from(text)),
    })
}

/// Takes the password out of what clap says of a wrong command line.
pub fn discreet(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(text)) = error.get(ContextKind::InvalidValue)
        && Address::is_one(text)
    {
        let shown =
            text.parse().map_or_else(|_| "postgres://…".to_owned(), |one: Address| one.to_string());
        error.insert(ContextKind::InvalidValue, ContextValue::String(shown));
    }
    error
}
