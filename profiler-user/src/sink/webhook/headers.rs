//! Headers of the receiver's own: a token, an account.

use std::fmt;
use std::io;
use std::path::Path;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::baseline::read_up_to;

/// Those that say what a request is are not for others to say.
const OURS: [&str; 7] = [
    "content-length",
    "content-type",
    "driftline-signature",
    "host",
    "idempotency-key",
    "transfer-encoding",
    "user-agent",
];

/// For a file of a few lines.
const SIZE_MAX: u64 = 64 * 1024;

/// Each may hold a secret: names are shown, values never.
#[derive(Clone, Default)]
pub struct Headers(HeaderMap);

/// What is wrong with a header; it shows nothing of the value.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    #[error("a header is written as 'Name: value', and this has no name with a colon behind it")]
    NoName,
    #[error("{0:?} is no name of a header")]
    Name(String),
    #[error("the value of the header {0} holds characters that no header may hold")]
    Value(HeaderName),
    #[error("the header {0} is driftline's own")]
    Ours(HeaderName),
    #[error("{0}")]
    File(#[from] io::Error),
}

impl Headers {
    /// Adds `Name: value`.
    pub fn add(&mut self, text: &str) -> Result<(), HeaderError> {
        let (name, value) = text.split_once(':').ok_or(HeaderError::NoName)?;
        let name = name.trim();
        let name: HeaderName =
            name.parse().map_err(|_| HeaderError::Name(name.escape_debug().to_string()))?;
        if OURS.contains(&name.as_str()) {
            return Err(HeaderError::Ours(name));
        }
        let value = HeaderValue::from_str(value.trim());
        let mut value = value.map_err(|_| HeaderError::Value(name.clone()))?;
        value.set_sensitive(true);
        self.0.append(name, value);
        Ok(())
    }

    /// Adds those of a file, one in a line; empty lines and those that begin with `#` are passed over.
    pub fn add_file(&mut self, path: &Path) -> Result<(), HeaderError> {
        let bytes = read_up_to(path, SIZE_MAX)?;
        let text = String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))?;
        let lines = text.lines().map(str::trim);
        lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .try_for_each(|line| self.add(line))
    }

    pub(super) fn as_map(&self) -> &HeaderMap {
        &self.0
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}
