//! `--events FILE`: the record, one JSON object per line.
//!
//! **Invariant:** what a reader finds are whole lines. A line goes out as one write; where the disk
//! is full and only a part of it fits, the file is cut back to the line before. A file that was set aside, by us or by
//! whoever rotates logs, ends with a whole line, and the next begins with the next.

mod lines;
mod resume;
mod spooled;

use std::io;
use std::path::{Path, PathBuf};

use crate::drift::chain::Chain;
use crate::drift::event::Event;
use crate::sink::Format;

use lines::Lines;
pub use lines::Rotation;
pub use spooled::{FileSink, FileSinkError, Reopener};

/// What one command's events go to, numbered and chained here: there is no store.
#[derive(Debug)]
pub struct EventsFile {
    lines: Lines,
    format: Format,
    chain: Chain,
    failing: bool,
    not_written: u64,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stored {
    Written,
    /// Failed like the event before it, of which [`EventsError`] has told; it is counted.
    NotWritten,
}

#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    #[error(
        "cannot open the events file {}: {source}; give --events a file in a directory that \
         exists and may be written to", path.display()
    )]
    Open { path: PathBuf, source: io::Error },
    #[error(
        "the events file {} is being written by another driftline; give each its own --events",
        .0.display()
    )]
    Busy(PathBuf),
    #[error(
        "{} ends in a line that Driftline did not write and that has no end, so nothing is \
         appended to it; give --events another file", .0.display()
    )]
    Foreign(PathBuf),
    #[error(
        "cannot write to the events file {}: {source}; {}; make room there, until then drift is \
         counted but not written to it", path.display(),
        if *.torn { "its last line may be cut off" } else { "it holds whole lines only" }
    )]
    Write { path: PathBuf, source: io::Error, torn: bool },
    #[error("an event cannot be written as JSON: {0}; please report this")]
    Json(#[from] serde_json::Error),
}

impl EventsFile {
    /// Opens the file, or creates it. The hash chain goes on from its last line.
    ///
    /// Of another format than the native one only the numbers go on: the hash of the native line before is not known.
    pub fn open(
        path: &Path,
        rotation: Option<Rotation>,
        format: Format,
    ) -> Result<Self, EventsError> {
        let (lines, last) = Lines::open(path, rotation)?;
        let chain = match (last, format) {
            (None, _) => Chain::default(),
            (Some(line), Format::Native) => Chain::after(&line),
            (Some(line), _) => Chain::at(format.seq(&line).unwrap_or(0).unsigned_abs(), None),
        };
        Ok(Self { lines, format, chain, failing: false, not_written: 0 })
    }

    /// Numbers, links and appends the event.
    ///
    /// The error tells of the first event that could not be written. Each later one is tried as
    /// well, since there may be room again; while that fails it is only counted.
    pub fn write(&mut self, event: &mut Event) -> Result<Stored, EventsError> {
        let result = self.append(event);
        let first = !std::mem::replace(&mut self.failing, result.is_err());
        match result {
            Ok(()) => Ok(Stored::Written),
            Err(error) => {
                self.not_written += 1;
                if first { Err(error) } else { Ok(Stored::NotWritten) }
            }
        }
    }

    /// Events that could not be written; also the gaps in `event.seq`.
    pub fn not_written(&self) -> u64 {
        self.not_written
    }

    fn append(&mut self, event: &mut Event) -> Result<(), EventsError> {
        let line = self.chain.link(event)?;
        let text = self.format.render(&line);
        self.lines.append(&format!("{text}\n")).map_err(|source| EventsError::Write {
            path: self.lines.path().to_owned(),
            source,
            torn: self.lines.is_torn(),
        })?;
        self.chain.written(&line);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
