//! What a container changed of its image's files: the upper directory of the overlay that its root is.
//!
//! Its directory is held open from the first drift on: runtimes unmount the overlay at the container's end, and its upper
//! directory stays until the container is removed. Nothing is opened by following a link, nor leaves that directory.
//! Large files, of which there is the hash alone, are read when all others were.

use std::ffi::CStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{Mode, SFlag, fstatat};
use serde::Serialize;

use super::content::{Timed, is_secret};
use super::json;
use crate::evidence::Collected;
use crate::evidence::bundle::Spool;
use crate::redact::Redactor;

/// Of one file, in bytes; of a larger one there is its hash.
const FILE_MAX: u64 = 8 << 20;
const FILES_MAX: usize = 10_000;
const DEPTH_MAX: usize = 64;
/// All paths and targets together, in bytes.
const PATHS_MAX: usize = 8 << 20;
/// Files whose hash alone is taken.
const LARGE_MAX: usize = 64;

#[derive(Debug)]
pub struct Upper {
    directory: OwnedFd,
}

#[derive(Serialize)]
struct Changed {
    path: String,
    #[serde(rename = "type")]
    kind: &'static str,
    mode: String,
    uid: u32,
    gid: u32,
    size: i64,
    /// Seconds since 1970.
    modified: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    piece: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_kept: Option<String>,
}

impl Upper {
    /// Of the overlay that this process has as its root.
    ///
    /// # Errors
    /// Where it has none, or has ended.
    pub fn of(pid: u32) -> io::Result<Self> {
        let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo"))?;
        let path = upper(&mounts).ok_or_else(|| io::Error::other("its root is no overlay"))?;
        // As the runtime has it; an agent in a container of its own sees that through the host's first process.
        let below = path.strip_prefix("/").unwrap_or(&path);
        let directory = Path::new("/proc/1/root").join(below);
        let directory = File::open(&path).or_else(|_| File::open(&directory))?;
        if !directory.metadata()?.is_dir() || directory.metadata()?.nlink() == 0 {
            return Err(io::Error::other("its upper directory is gone"));
        }
        Ok(Self { directory: directory.into() })
    }

    /// `until`: what was not read by then is not kept.
    pub(super) fn collect(
        &self,
        spool: &mut Spool,
        redactor: &Redactor,
        until: Instant,
    ) -> io::Result<()> {
        let again = openat(&self.directory, ".", flags() | OFlag::O_DIRECTORY, Mode::empty())?;
        let (found, large) = (Vec::new(), Vec::new());
        let mut walk = Walk { spool, redactor, found, room: PATHS_MAX, large, until };
        walk.directory(&again, "", 0)?;
        for (at, mut file) in std::mem::take(&mut walk.large) {
            let from = &mut Timed { file: &mut file, until };
            let kept = walk.spool.content("files", from, 0);
            let changed = &mut walk.found[at];
            match kept {
                Ok(kept) => changed.sha256 = Some(kept.sha256),
                Err(error) => changed.not_kept = Some(format!("it cannot be read: {error}")),
            }
        }
        let (found, is_cut) = (walk.found, walk.room == 0);
        if is_cut || found.len() >= FILES_MAX {
            let why = format!("it was cut at {FILES_MAX} files, or {PATHS_MAX} bytes of names");
            spool.missing("changed.json", why);
        }
        let mut collected = Collected::default();
        collected.piece("changed.json", json(&found)?);
        spool.add(collected)
    }
}

/// One look at all of it.
struct Walk<'a> {
    spool: &'a mut Spool,
    redactor: &'a Redactor,
    found: Vec<Changed>,
    /// Bytes that names may still take; 0 where they were too many.
    room: usize,
    /// With their place among those found.
    large: Vec<(usize, File)>,
    until: Instant,
}

fn flags() -> OFlag {
    OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK
}

/// mountinfo's line of `/`: the last one holds.
fn upper(mountinfo: &str) -> Option<PathBuf> {
    let line = mountinfo.lines().rfind(|line| line.split(' ').nth(4) == Some("/"))?;
    let (_, right) = line.split_once(" - ")?;
    let mut fields = right.splitn(3, ' ');
    if fields.next() != Some("overlay") {
        return None;
    }
    let options = fields.nth(1)?;
    let path = options.split(',').find_map(|option| option.strip_prefix("upperdir="))?;
    Some(PathBuf::from(path.replace("\\040", " ").replace("\\134", "\\")))
}

impl Walk<'_> {
    fn directory(&mut self, directory: &OwnedFd, path: &str, depth: usize) -> io::Result<()> {
        let mut names = Vec::new();
        for entry in Dir::from_fd(directory.try_clone()?)?.iter().flatten() {
            let name = entry.file_name().to_owned();
            if ![c".", c".."].contains(&name.as_c_str()) && names.len() < FILES_MAX {
                names.push(name);
            }
        }
        names.sort();
        for name in names {
            if self.found.len() >= FILES_MAX || self.room == 0 {
                return Ok(());
            }
            let shown = format!("{path}/{}", String::from_utf8_lossy(name.to_bytes()));
            let Ok(changed) = self.one(directory, &name, &shown) else { continue };
            let is_directory = changed.kind == "directory";
            let bytes = changed.path.len() + changed.target.as_ref().map_or(0, String::len);
            self.room = self.room.saturating_sub(bytes);
            self.found.push(changed);
            if is_directory && depth < DEPTH_MAX {
                let opened =
                    openat(directory, name.as_c_str(), flags() | OFlag::O_DIRECTORY, Mode::empty());
                if let Ok(below) = opened {
                    self.directory(&below, &shown, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    fn one(&mut self, directory: &OwnedFd, name: &CStr, shown: &str) -> io::Result<Changed> {
        let stat = fstatat(directory.as_fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
        let kind = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
        let kind = match kind {
            SFlag::S_IFREG => "file",
            SFlag::S_IFDIR => "directory",
            SFlag::S_IFLNK => "link",
            SFlag::S_IFIFO => "fifo",
            SFlag::S_IFSOCK => "socket",
            // Of the image's file that was here; overlayfs writes it so.
            SFlag::S_IFCHR if stat.st_rdev == 0 => "deleted",
            _ => "device",
        };
        let mut changed = Changed {
            path: self.redactor.redact_text(shown),
            kind,
            mode: format!("{:04o}", stat.st_mode & 0o7777),
            uid: stat.st_uid,
            gid: stat.st_gid,
            size: stat.st_size,
            modified: stat.st_mtime,
            target: None,
            sha256: None,
            piece: None,
            not_kept: None,
        };
        if kind == "link" {
            let target = readlinkat(directory, name)?;
            let target = String::from_utf8_lossy(target.as_bytes()).into_owned();
            changed.target = Some(self.redactor.redact_text(&target));
        }
        if kind == "file"
            && let Err(error) = self.content(directory, name, shown, &mut changed)
        {
            changed.not_kept = Some(format!("it cannot be read: {error}"));
        }
        Ok(changed)
    }

    fn content(
        &mut self,
        directory: &OwnedFd,
        name: &CStr,
        shown: &str,
        changed: &mut Changed,
    ) -> io::Result<()> {
        let mut file = File::from(openat(directory, name, flags(), Mode::empty())?);
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::other("it is no file any more"));
        }
        if meta.len() > FILE_MAX {
            if self.large.len() >= LARGE_MAX {
                return Err(io::Error::other(format!("more than {LARGE_MAX} are as large")));
            }
            changed.not_kept = Some("it is too large".to_owned());
            self.large.push((self.found.len(), file));
            return Ok(());
        }
        let secret = is_secret(shown, &mut file, FILE_MAX, self.redactor)?;
        let limit = if secret { 0 } else { FILE_MAX };
        let from = &mut Timed { file: &mut file, until: self.until };
        let kept = self.spool.content("files", from, limit)?;
        changed.sha256 = Some(kept.sha256);
        if kept.piece.is_none() {
            let why = if secret { "it holds secrets" } else { "it is too large" };
            changed.not_kept = Some(why.to_owned());
        } else if !secret {
            changed.piece = kept.piece;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
