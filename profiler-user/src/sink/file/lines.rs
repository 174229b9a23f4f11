//! A file of lines that one process appends to, and that is rotated by us or by somebody else.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::{EventsError, resume};

/// Stands for standard output.
const STDOUT: &str = "-";

/// When a file is set aside, and how many of those are kept: FILE.1 is the newest.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rotation {
    /// Bytes that a file may hold, except where one line alone is longer.
    pub size: u64,
    pub keep: u32,
}

/// Appended to, and locked, so that two agents do not cut off each other's lines. A pipe or a device is written to
/// all the same, but nothing can be cut back there.
#[derive(Debug)]
pub(crate) struct Lines {
    path: PathBuf,
    rotation: Option<Rotation>,
    /// Absent while it cannot be opened.
    file: Option<File>,
    /// Pipes, devices and standard output have no length to cut back to, and are not rotated.
    regular: bool,
    /// The newest line could neither be finished nor taken back.
    torn: bool,
    /// That it cannot be rotated was told.
    told: bool,
}

impl Lines {
    /// Opens the file, or creates it, readable by its owner alone: arguments are redacted, but
    /// what a container does is nobody else's business. `-` is standard output.
    ///
    /// Where an earlier run was killed in the middle of a line of ours, that line is cut off; where
    /// only its newline is missing, it is added. The last line that is there comes with it; where the file was just
    /// set aside, that of the one before.
    pub(crate) fn open(
        path: &Path,
        rotation: Option<Rotation>,
    ) -> Result<(Self, Option<Vec<u8>>), EventsError> {
        let mut lines = Self::absent(path, rotation);
        if path.as_os_str() == STDOUT {
            let failed = |source| EventsError::Open { path: path.to_owned(), source };
            let stdout = io::stdout().as_fd().try_clone_to_owned().map_err(failed)?;
            lines.file = Some(stdout.into());
            return Ok((lines, None));
        }
        let last = lines.open_anew()?;
        let last = last.or_else(|| resume::last_of(&numbered(path, 1)));
        let last = last.filter(|_| lines.regular);
        Ok((lines, last))
    }

    /// One that is opened when something is to be written.
    pub(super) fn absent(path: &Path, rotation: Option<Rotation>) -> Self {
        let path = path.to_owned();
        Self { path, rotation, file: None, regular: false, torn: false, told: false }
    }

    /// How it is called where it is spoken of.
    pub(crate) fn path(&self) -> &Path {
        if self.path.as_os_str() == STDOUT { Path::new("(standard output)") } else { &self.path }
    }

    /// The last line may be cut off.
    pub(crate) fn is_torn(&self) -> bool {
        self.torn
    }

    /// Whether this line is the newest in the file of this name, or in the one that was just set aside. A pipe or a device cannot be
    /// looked at.
    pub(super) fn ends_with(&self, line: &str) -> bool {
        let is_it = |number| {
            resume::last_of(&numbered(&self.path, number))
                .is_some_and(|last| last == line.as_bytes())
        };
        !self.regular || is_it(0) || is_it(1)
    }

    fn open_anew(&mut self) -> Result<Option<Vec<u8>>, EventsError> {
        let path = &self.path;
        let failed = |source| EventsError::Open { path: path.clone(), source };
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
                Err(TryLockError::WouldBlock) => return Err(EventsError::Busy(path.clone())),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            last = resume::resume(path, &mut file)?;
        }
        (self.file, self.regular, self.torn) = (Some(file), regular, false);
        Ok(last)
    }

    /// Opens the path again where something else, or nothing, is there by now: somebody set the file aside.
    pub(crate) fn follow(&mut self) -> io::Result<()> {
        if let Some(file) = &self.file {
            if !self.regular {
                return Ok(());
            }
            let ours = file.metadata()?;
            match fs::metadata(&self.path) {
                Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => {
                    return Ok(());
                }
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        match self.open_anew() {
            Ok(_) => Ok(()),
            Err(EventsError::Open { source, .. }) => Err(source),
            Err(other) => Err(io::Error::other(other)),
        }
    }

    /// Whether so many bytes more are for the next file.
    pub(super) fn would_rotate(&self, more: usize) -> io::Result<bool> {
        let (Some(rotation), Some(length)) = (self.rotation, self.len()?) else { return Ok(false) };
        Ok(length + more as u64 > rotation.size)
    }

    /// Appends whole lines, each with its newline: all of them, or, in a regular file, none.
    pub(crate) fn append(&mut self, lines: &str) -> io::Result<()> {
        self.follow()?;
        if self.would_rotate(lines.len())? && self.len()?.is_some_and(|length| length > 0) {
            self.rotate()?;
        }
        // After half a line that could not be taken back, a newline keeps this one readable.
        let start = if self.torn { "\n" } else { "" };
        let before = self.len()?;
        let Some(file) = &mut self.file else { return Err(io::ErrorKind::NotFound.into()) };
        match file.write_all(format!("{start}{lines}").as_bytes()) {
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

    /// FILE becomes FILE.1 and so on; the oldest goes. Where that cannot be, the file grows on, and it is said.
    fn rotate(&mut self) -> io::Result<()> {
        let keep = self.rotation.map_or(1, |rotation| rotation.keep);
        let shifted = (0..keep).rev().try_for_each(|number| {
            match fs::rename(numbered(&self.path, number), numbered(&self.path, number + 1)) {
                Err(error) if number > 0 && error.kind() == io::ErrorKind::NotFound => Ok(()),
                renamed => renamed,
            }
        });
        match shifted {
            Ok(()) => self.follow(),
            Err(error) => {
                if !std::mem::replace(&mut self.told, true) {
                    let path = self.path.display();
                    eprintln!(
                        "driftline: cannot rotate the events file {path}: {error}; it grows on"
                    );
                }
                Ok(())
            }
        }
    }

    /// Asked each time: whoever rotates logs may have emptied the file.
    fn len(&self) -> io::Result<Option<u64>> {
        match &self.file {
            Some(file) if self.regular => file.metadata().map(|file| Some(file.len())),
            _ => Ok(None),
        }
    }

    fn take_back(&mut self, before: Option<u64>) {
        let cut = |before| self.file.as_ref().is_some_and(|file| file.set_len(before).is_ok());
        // Of a pipe or a device nobody knows how much went out; an extra newline does no harm.
        self.torn |= !before.is_some_and(cut);
    }
}

/// FILE.1, FILE.2, and FILE itself for 0.
fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    name.into()
}
