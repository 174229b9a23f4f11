//! Pieces on their way into a bundle: in a file without a name, not in memory, hashed as they come.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::{Entry, PIECES_MAX, SIZE_MAX, is_name};
use crate::evidence::{Collected, Missing};

#[derive(Debug)]
pub struct Spool {
    pub(super) file: File,
    pub(super) entries: Vec<Entry>,
    pub(super) missing: Vec<Missing>,
    left: u64,
}

/// What was kept of one content.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Of the whole, in bytes.
    pub size: u64,
    /// Of the whole.
    pub sha256: String,
    /// Its name in the bundle; none where it is too large.
    pub piece: Option<String>,
}

impl Spool {
    /// `directory`: on the disk where the bundle will be.
    pub fn new(directory: &Path) -> io::Result<Self> {
        let file = tempfile::tempfile_in(directory)?;
        Ok(Self { file, entries: Vec::new(), missing: Vec::new(), left: SIZE_MAX })
    }

    pub fn missing(&mut self, name: impl Into<String>, why: impl Into<String>) {
        self.missing.push(Missing { name: name.into(), why: why.into() });
    }

    /// What does not fit or has no name to be called by is said to be missing.
    pub fn add(&mut self, collected: Collected) -> io::Result<()> {
        for piece in collected.pieces {
            if !is_name(&piece.name) || self.has(&piece.name) {
                self.missing(piece.name, "no piece may be called so, or one is already");
            } else if piece.content.len() as u64 > self.left || self.entries.len() >= PIECES_MAX {
                self.missing(piece.name, "the bundle has no room left for it");
            } else {
                self.file.write_all(&piece.content)?;
                let sha256 = hex(&Sha256::digest(&piece.content));
                self.enter(piece.name, piece.content.len() as u64, sha256);
            }
        }
        self.missing.extend(collected.missing);
        Ok(())
    }

    /// A content, kept once as `DIRECTORY/SHA256`; above `limit` bytes only its hash.
    ///
    /// # Errors
    /// Where it cannot be read to its end, or the disk takes no more; nothing of it stays.
    pub fn content(
        &mut self,
        directory: &str,
        from: &mut dyn Read,
        limit: u64,
    ) -> io::Result<Kept> {
        let start = self.file.stream_position()?;
        let kept = self.copy(from, limit.min(self.left));
        let dropped =
            !matches!(&kept, Ok((_, sha256, true)) if !self.has(&format!("{directory}/{sha256}")));
        if dropped || self.entries.len() >= PIECES_MAX {
            self.file.seek(SeekFrom::Start(start))?;
            self.file.set_len(start)?;
        }
        let (size, sha256, is_whole) = kept?;
        let name = format!("{directory}/{sha256}");
        if !dropped && self.entries.len() < PIECES_MAX {
            self.enter(name.clone(), size, sha256.clone());
        }
        let piece = (is_whole && self.has(&name)).then_some(name);
        Ok(Kept { size, sha256, piece })
    }

    /// Size, hash, and whether all of it was written.
    fn copy(&mut self, from: &mut dyn Read, limit: u64) -> io::Result<(u64, String, bool)> {
        /// Of a sparse file nobody hashes more.
        const HASHED_MAX: u64 = 4 << 30;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        let mut size = 0;
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            size += read as u64;
            if size > HASHED_MAX {
                return Err(io::Error::other("it is larger than 4 GiB"));
            }
            hash.update(&buffer[..read]);
            if size <= limit {
                self.file.write_all(&buffer[..read])?;
            }
        }
        Ok((size, hex(&hash.finalize()), size <= limit))
    }

    fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.name == name)
    }

    fn enter(&mut self, name: String, size: u64, sha256: String) {
        self.left -= size;
        self.entries.push(Entry { name, size, sha256 });
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
