//! The directory of evidence: executables by their hash, bundles, and how much of both there may be.

use std::fs::{self, File};
use std::io::{self, Read, Seek as _, Write};
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
    /// In bytes.
    #[serde(default)]
    size: u64,
}

impl Caught {
    #[cfg(test)]
    pub(super) fn new(pid: u32, path: &str, sha256: &str) -> Self {
        Self { pid, path: path.to_owned(), sha256: sha256.to_owned(), size: 64 << 20 }
    }

    /// The process, and what the kernel calls its file.
    pub(super) fn of(&self) -> (u32, String) {
        (self.pid, self.path.clone())
    }

    /// Its hash, and how many bytes it has.
    pub(super) fn content(&self) -> (&str, u64) {
        (&self.sha256, self.size)
    }

    pub(super) fn open(&self, directory: &Path) -> io::Result<Executable> {
        let file = File::open(directory.join(EXECUTABLES).join(&self.sha256))?;
        Ok(Executable { pid: self.pid, path: self.path.clone(), file })
    }
}

/// Copies it, once per content. Its name is the hash of what was copied: what is not run any more may change meanwhile.
pub(super) fn keep(directory: &Path, executable: &mut Executable) -> io::Result<Caught> {
    let file = &mut executable.file;
    let size = file.metadata()?.len();
    if size > EXECUTABLE_MAX {
        return Err(io::Error::other(format!("it is larger than {EXECUTABLE_MAX} bytes")));
    }
    let directory = directory.join(EXECUTABLES);
    let mut sha256 = copy(file, &mut io::sink())?;
    if !directory.join(&sha256).exists() {
        let temporary = directory.join(&sha256).with_extension("tmp");
        let mut to = fs::OpenOptions::new();
        let mut to = to.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        sha256 = copy(file, &mut to)?;
        to.sync_data()?;
        fs::rename(temporary, directory.join(&sha256))?;
    }
    let (pid, path) = (executable.pid, executable.path.clone());
    Ok(Caught { pid, path, sha256, size })
}

/// From its beginning; the hash of what was written.
fn copy(file: &mut File, to: &mut dyn Write) -> io::Result<String> {
    file.rewind()?;
    let mut from = Read::by_ref(file).take(EXECUTABLE_MAX);
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(hex(&hash.finalize())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => {
                let read = &buffer[..read?];
                hash.update(read);
                to.write_all(read)?;
            }
        }
    }
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
