//! The directory of evidence: executables by their hash, bundles, and how much of both there may be.

use std::fs::{self, File};
use std::io::{self, Read, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::evidence::bundle::hex;
use crate::evidence::collect::Executable;

/// Below the directory of evidence.
pub(super) const EXECUTABLES: &str = "exe";
/// Of one, in bytes.
const EXECUTABLE_MAX: u64 = 64 << 20;

/// An executable that is kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Caught {
    pid: u32,
    path: String,
    sha256: String,
}

impl Caught {
    #[cfg(test)]
    pub(super) fn new(pid: u32, path: &str, sha256: &str) -> Self {
        Self { pid, path: path.to_owned(), sha256: sha256.to_owned() }
    }

    /// The process, and what the kernel calls its file.
    pub(super) fn of(&self) -> (u32, String) {
        (self.pid, self.path.clone())
    }

    pub(super) fn open(&self, directory: &Path) -> io::Result<Executable> {
        let file = File::open(directory.join(EXECUTABLES).join(&self.sha256))?;
        Ok(Executable { pid: self.pid, path: self.path.clone(), file })
    }
}

/// Copies it, once per content.
pub(super) fn keep(directory: &Path, executable: &mut Executable) -> io::Result<Caught> {
    let file = &mut executable.file;
    file.rewind()?;
    if file.metadata()?.len() > EXECUTABLE_MAX {
        return Err(io::Error::other(format!("it is larger than {EXECUTABLE_MAX} bytes")));
    }
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut from = Read::by_ref(file).take(EXECUTABLE_MAX);
    loop {
        match from.read(&mut buffer)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    let sha256 = hex(&hash.finalize());
    let path = directory.join(EXECUTABLES).join(&sha256);
    if !path.exists() {
        file.rewind()?;
        let temporary = path.with_extension("tmp");
        let mut to = fs::OpenOptions::new();
        let mut to = to.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        io::copy(&mut Read::by_ref(file).take(EXECUTABLE_MAX), &mut to)?;
        to.flush()?;
        fs::rename(temporary, path)?;
    }
    Ok(Caught { pid: executable.pid, path: executable.path.clone(), sha256 })
}

/// What an agent that was killed had half done.
pub(super) fn sweep(directory: &Path) {
    for place in [directory.to_owned(), directory.join(EXECUTABLES)] {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|end| end == "tmp") {
                let _tried_again_at_the_next_start = fs::remove_file(entry.path());
            }
        }
    }
}

/// Removes the oldest until all of it takes at most `size` bytes; what was removed.
pub(super) fn bound(directory: &Path, size: u64) -> Vec<PathBuf> {
    let mut all: Vec<(SystemTime, PathBuf, u64)> = Vec::new();
    for place in [directory.to_owned(), directory.join(EXECUTABLES)] {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_file() {
                let at = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                all.push((at, entry.path(), meta.len()));
            }
        }
    }
    all.sort();
    let mut total: u64 = all.iter().map(|(_, _, size)| size).sum();
    let mut removed = Vec::new();
    for (_, path, bytes) in all {
        if total <= size {
            break;
        }
        if fs::remove_file(&path).is_ok() {
            total -= bytes;
            removed.push(path);
        }
    }
    removed
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_oldest_goes_first() {
        let directory = tempfile::tempdir().unwrap();
        for (age, name) in [(30, "a"), (20, "b"), (10, "c")] {
            let file = File::create(directory.path().join(name)).unwrap();
            file.set_len(100).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        let names = |paths: Vec<PathBuf>| -> Vec<String> {
            let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
            paths.iter().map(name).collect()
        };
        assert_eq!(names(bound(directory.path(), 300)), Vec::<String>::new());
        assert_eq!(names(bound(directory.path(), 199)), ["a", "b"]);
    }
}
