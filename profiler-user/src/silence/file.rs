//! The file of a node's silences: written whole by the command, read again by the agent when it changes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::{Ended, Silence, State};
use crate::attest;
use crate::baseline::{read_up_to, write_file};
use crate::drift::clean;

/// The file's name in the store's directory.
pub const FILE: &str = "silences.json";

const SCHEMA: &str = "driftline.silences/v1";

/// Silences that a file may hold; of those that are over, the newest are kept as history.
const MOST: usize = 1_000;

/// So many are far smaller.
const SIZE_MAX: u64 = 4 * 1024 * 1024;

/// What a file holds.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Silences {
    schema_version: String,
    pub silences: Vec<Silence>,
}

#[derive(Debug, thiserror::Error)]
pub enum SilencesError {
    #[error("the silences in {} cannot be used: {why}", path.display())]
    Unusable { path: PathBuf, why: String },
    #[error("the silences in {} cannot be written: {why}", path.display())]
    Unwritable { path: PathBuf, why: String },
    #[error("{} already holds {MOST} silences that are active; end some of them", .0.display())]
    TooMany(PathBuf),
    #[error("{} holds no active silence {id}", path.display())]
    Unknown { path: PathBuf, id: Ulid },
}

impl Default for Silences {
    fn default() -> Self {
        Self { schema_version: SCHEMA.to_owned(), silences: Vec::new() }
    }
}

impl Silences {
    /// A file that is not there holds none.
    ///
    /// # Errors
    /// Where it cannot be read or holds what cannot be meant, and where somebody else than root and this user may have written it.
    pub fn load(path: &Path, now: Timestamp) -> Result<Self, SilencesError> {
        let refuse = |why: String| SilencesError::Unusable { path: path.to_owned(), why };
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(refuse(error.to_string())),
        };
        Self::parse(&bytes, now).map_err(|why| refuse(clean(&why)))
    }

    fn parse(bytes: &[u8], now: Timestamp) -> Result<Self, String> {
        attest::is_said_once(bytes).map_err(|error| error.to_string())?;
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Err("it is no JSON object".to_owned());
        }
        let all: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if all.schema_version != SCHEMA {
            return Err(format!(
                "schema_version {:?} is not {SCHEMA:?}, the one that this driftline knows",
                all.schema_version
            ));
        }
        let mut ids = std::collections::HashSet::new();
        for silence in &all.silences {
            silence.check(now).map_err(|why| format!("silence {}: {why}", silence.id))?;
            if !ids.insert(silence.id) {
                return Err(format!("two silences are called {}", silence.id));
            }
        }
        Ok(all)
    }

    pub fn active(&self, now: Timestamp) -> impl Iterator<Item = &Silence> {
        self.silences.iter().filter(move |silence| silence.state(now) == State::Active)
    }

    /// Adds one to the file.
    pub fn add(path: &Path, silence: Silence, now: Timestamp) -> Result<(), SilencesError> {
        Self::change(path, now, |all| {
            all.silences.push(silence);
            while all.silences.len() > MOST {
                // The first is the oldest.
                let over = all.silences.iter().position(|one| one.state(now) != State::Active);
                let Some(at) = over else { return Err(SilencesError::TooMany(path.to_owned())) };
                all.silences.remove(at);
            }
            Ok(())
        })
    }

    /// Ends one before its time.
    pub fn end(
        path: &Path,
        id: Ulid,
        by: String,
        now: Timestamp,
    ) -> Result<Silence, SilencesError> {
        let mut changed = None;
        Self::change(path, now, |all| {
            let is_it = |one: &&mut Silence| one.id == id && one.state(now) == State::Active;
            let Some(silence) = all.silences.iter_mut().find(is_it) else {
                return Err(SilencesError::Unknown { path: path.to_owned(), id });
            };
            silence.ended = Some(Ended { at: now, by });
            changed = Some(silence.clone());
            Ok(())
        })?;
        changed.ok_or_else(|| SilencesError::Unknown { path: path.to_owned(), id })
    }

    /// Two commands at once change it one after the other.
    fn change(
        path: &Path,
        now: Timestamp,
        change: impl FnOnce(&mut Self) -> Result<(), SilencesError>,
    ) -> Result<(), SilencesError> {
        let failed = |why: String| SilencesError::Unwritable { path: path.to_owned(), why };
        let _held = lock(path).map_err(|error| failed(error.to_string()))?;
        let mut all = Self::load(path, now)?;
        change(&mut all)?;
        let mut text =
            serde_json::to_vec_pretty(&all).map_err(|error| failed(error.to_string()))?;
        text.push(b'\n');
        write_file(path, &text).map_err(|error| failed(error.source.to_string()))
    }
}

/// Whoever may write there decides what nobody is called for.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    let own = nix::unistd::geteuid().as_raw();
    if metadata.uid() != 0 && metadata.uid() != own {
        return Err(io::Error::other(format!(
            "it belongs to user {}, neither to root nor to the agent's own",
            metadata.uid()
        )));
    }
    if metadata.mode() & 0o002 != 0 {
        return Err(io::Error::other("anybody may write to it (chmod o-w)"));
    }
    read_up_to(path, SIZE_MAX)
}

/// Beside the file, which is replaced as a whole.
fn lock(path: &Path) -> io::Result<File> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    let beside = path.with_file_name(name);
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(beside)?;
    file.lock()?;
    Ok(file)
}
