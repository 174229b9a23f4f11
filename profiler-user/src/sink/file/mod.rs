//! `--events FILE`: the record, one JSON object per line.
//!
//! **Invariant:** what a reader finds are whole lines. A line goes out as one write; where the disk
//! is full and only a part of it fits, the file is cut back to the line before.

mod resume;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::drift::chain::Chain;
use crate::drift::event::Event;

/// A file that is appended to, and locked, so that two agents do not cut off each other's lines.
/// A pipe or a device is written to all the same, but nothing can be cut back there.
#[derive(Debug)]
pub struct EventsFile {
    path: PathBuf,
    file: File,
    /// Pipes and devices have no length to cut back to.
    regular: bool,
    chain: Chain,
    /// The newest line could neither be finished nor taken back.
    torn: bool,
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
}

impl EventsFile {
    /// Opens the file, or creates it, readable by its owner alone: arguments are redacted, but
    /// what a container does is nobody else's business.
    ///
    /// Where an earlier run was killed in the middle of a line of ours, that line is cut off; where
    /// only its newline is missing, it is added. The hash chain goes on from the last line.
    pub fn open(path: &Path) -> Result<Self, EventsError> {
        let failed = |source| EventsError::Open { path: path.to_owned(), source };
        // Opened for reading too, a pipe would count as having a reader.
        let special = path.metadata().is_ok_and(|metadata| !metadata.is_file());
        // A pipe that nobody reads is refused at once, not waited for.
        let flags = if special { nix::libc::O_NONBLOCK } else { 0 };
        let mut file = OpenOptions::new()
            .append(true)
            .read(!special)
            .create(!special)
            .mode(0o600)
            .custom_flags(flags)
            .open(path)
            .map_err(failed)?;
        if special {
            fcntl(&file, FcntlArg::F_SETFL(OFlag::O_APPEND))
                .map_err(|error| failed(error.into()))?;
        }
        let mut chain = Chain::default();
        let regular = file.metadata().map_err(failed)?.is_file();
        if regular {
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(EventsError::Busy(path.to_owned())),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            chain = resume::resume(path, &mut file)?;
        }
        let path = path.to_owned();
        Ok(Self { path, file, regular, chain, torn: false, failing: false, not_written: 0 })
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
            Err(source) => {
                self.not_written += 1;
                if !first {
                    return Ok(Stored::NotWritten);
                }
                let path = self.path.clone();
                Err(EventsError::Write { path, source, torn: self.torn })
            }
        }
    }

    /// Events that could not be written; also the gaps in `event.seq`.
    pub fn not_written(&self) -> u64 {
        self.not_written
    }

    fn append(&mut self, event: &mut Event) -> io::Result<()> {
        let line = self.chain.link(event)?;
        // After half a line that could not be taken back, a newline keeps this one readable.
        let start = if self.torn { "\n" } else { "" };
        let before = self.len()?;
        match self.file.write_all(format!("{start}{line}\n").as_bytes()) {
            Ok(()) => {
                self.torn = false;
                self.chain.written(&line);
                Ok(())
            }
            Err(error) => {
                self.take_back(before);
                Err(error)
            }
        }
    }

    /// Asked each time: whoever rotates logs may have emptied the file.
    fn len(&self) -> io::Result<Option<u64>> {
        if self.regular { self.file.metadata().map(|file| Some(file.len())) } else { Ok(None) }
    }

    fn take_back(&mut self, before: Option<u64>) {
        // Of a pipe or a device nobody knows how much went out; an extra newline does no harm.
        self.torn |= before.is_none_or(|before| self.file.set_len(before).is_err());
    }
}

#[cfg(test)]
mod tests;
