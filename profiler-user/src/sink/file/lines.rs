//! A file of lines that one process appends to.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::{EventsError, resume};

/// Appended to, and locked, so that two agents do not cut off each other's lines. A pipe or a device is written to
/// all the same, but nothing can be cut back there.
#[derive(Debug)]
pub(crate) struct Lines {
    path: PathBuf,
    file: File,
    /// Pipes and devices have no length to cut back to.
    regular: bool,
    /// The newest line could neither be finished nor taken back.
    torn: bool,
}

impl Lines {
    /// Opens the file, or creates it, readable by its owner alone: arguments are redacted, but
    /// what a container does is nobody else's business.
    ///
    /// Where an earlier run was killed in the middle of a line of ours, that line is cut off; where
    /// only its newline is missing, it is added. The last line that is there comes with it.
    pub(crate) fn open(path: &Path) -> Result<(Self, Option<Vec<u8>>), EventsError> {
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
        let mut last = None;
        let regular = file.metadata().map_err(failed)?.is_file();
        if regular {
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(EventsError::Busy(path.to_owned())),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            last = resume::resume(path, &mut file)?;
        }
        Ok((Self { path: path.to_owned(), file, regular, torn: false }, last))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The last line may be cut off.
    pub(crate) fn is_torn(&self) -> bool {
        self.torn
    }

    /// Appends whole lines, each with its newline: all of them, or, in a regular file, none.
    pub(crate) fn append(&mut self, lines: &str) -> io::Result<()> {
        // After half a line that could not be taken back, a newline keeps this one readable.
        let start = if self.torn { "\n" } else { "" };
        let before = self.len()?;
        match self.file.write_all(format!("{start}{lines}").as_bytes()) {
            Ok(()) => {
                self.torn = false;
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
