//! What a container changed of its image's files: the upper directory of the overlay that its root is.
//!
//! Its directory is held open from the first drift on: runtimes unmount the overlay at the container's end, and its upper
//! directory stays until the container is removed. Nothing is opened by following a link, nor leaves that directory.

use std::ffi::CStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{Mode, SFlag, fstatat};
use serde::Serialize;

use super::json;
use crate::evidence::Collected;
use crate::evidence::bundle::Spool;
use crate::redact::Redactor;

/// Of one file, in bytes; of a larger one there is its hash.
const FILE_MAX: u64 = 8 << 20;
const FILES_MAX: usize = 10_000;
const DEPTH_MAX: usize = 64;

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

    pub(super) fn collect(&self, spool: &mut Spool, redactor: &Redactor) -> io::Result<()> {
        let mut found = Vec::new();
        let again = openat(&self.directory, ".", flags() | OFlag::O_DIRECTORY, Mode::empty())?;
        walk(&again, "", 0, &mut found, spool, redactor)?;
        if found.len() >= FILES_MAX {
            spool.missing("changed.json", format!("it was cut at {FILES_MAX} files"));
        }
        let mut collected = Collected::default();
        collected.piece("changed.json", json(&found)?);
        spool.add(collected)
    }
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

fn walk(
    directory: &OwnedFd,
    path: &str,
    depth: usize,
    found: &mut Vec<Changed>,
    spool: &mut Spool,
    redactor: &Redactor,
) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in Dir::from_fd(directory.try_clone()?)?.iter().flatten() {
        let name = entry.file_name().to_owned();
        if ![c".", c".."].contains(&name.as_c_str()) && names.len() < FILES_MAX {
            names.push(name);
        }
    }
    names.sort();
    for name in names {
        if found.len() >= FILES_MAX {
            return Ok(());
        }
        let shown = format!("{path}/{}", String::from_utf8_lossy(name.to_bytes()));
        let Ok(changed) = one(directory, &name, &shown, spool, redactor) else { continue };
        let is_directory = changed.kind == "directory";
        found.push(changed);
        if is_directory && depth < DEPTH_MAX {
            let opened =
                openat(directory, name.as_c_str(), flags() | OFlag::O_DIRECTORY, Mode::empty());
            if let Ok(below) = opened {
                walk(&below, &shown, depth + 1, found, spool, redactor)?;
            }
        }
    }
    Ok(())
}

fn one(
    directory: &OwnedFd,
    name: &CStr,
    shown: &str,
    spool: &mut Spool,
    redactor: &Redactor,
) -> io::Result<Changed> {
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
        path: redactor.redact_text(shown),
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
        changed.target = Some(redactor.redact_text(&String::from_utf8_lossy(target.as_bytes())));
    }
    if kind == "file"
        && let Err(error) = content(directory, name, shown, &mut changed, spool, redactor)
    {
        changed.not_kept = Some(format!("it cannot be read: {error}"));
    }
    Ok(changed)
}

fn content(
    directory: &OwnedFd,
    name: &CStr,
    shown: &str,
    changed: &mut Changed,
    spool: &mut Spool,
    redactor: &Redactor,
) -> io::Result<()> {
    let mut file = File::from(openat(directory, name, flags(), Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file any more"));
    }
    let secret = is_secret(shown, &mut file, redactor)?;
    let limit = if secret { 0 } else { FILE_MAX };
    let kept = spool.content("files", &mut file, limit)?;
    changed.sha256 = Some(kept.sha256);
    if kept.piece.is_none() {
        let why = if secret { "it holds secrets" } else { "it is too large" };
        changed.not_kept = Some(why.to_owned());
    } else if !secret {
        changed.piece = kept.piece;
    }
    Ok(())
}

/// Of a file that holds secrets there is its hash alone: by its name, or because the rules find one in its text.
fn is_secret(path: &str, file: &mut File, redactor: &Redactor) -> io::Result<bool> {
    use std::io::{Read as _, Seek as _};
    const NAMES: [&str; 9] = [
        "/etc/shadow",
        "/etc/gshadow",
        "/.ssh/id_",
        "/.aws/credentials",
        "/.kube/config",
        "/.docker/config.json",
        "/secrets/kubernetes.io/",
        ".pgpass",
        ".netrc",
    ];
    if NAMES.iter().any(|name| path.contains(name)) {
        return Ok(true);
    }
    let mut bytes = Vec::new();
    (&mut *file).take(FILE_MAX).read_to_end(&mut bytes)?;
    file.rewind()?;
    let marker = b"PRIVATE KEY-----";
    if bytes.windows(marker.len()).any(|window| window == marker) {
        return Ok(true);
    }
    // A program's own bytes are kept as they are: they are what is asked for.
    if bytes.contains(&0) {
        return Ok(false);
    }
    let text = String::from_utf8_lossy(&bytes);
    let cleaned = |line: &str| redactor.redact_text(line) != line;
    Ok(text.lines().any(cleaned))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_upper_directory_is_read_from_the_mounts() {
        let line =
            "1 2 0:5 / / rw - overlay overlay rw,lowerdir=/l,upperdir=/u\\040p/fs,workdir=/w";
        assert_eq!(upper(line), Some(PathBuf::from("/u p/fs")));
        assert_eq!(upper("1 2 0:5 / / rw - ext4 /dev/sda rw,upperdir=/x"), None);
        assert_eq!(upper("1 2 0:5 / /a rw - overlay overlay rw,upperdir=/x"), None);
    }

    #[test]
    fn links_and_fifos_are_listed_and_never_opened_and_secrets_stay() {
        let directory = tempfile::tempdir().unwrap();
        let upper = directory.path().join("upper");
        let outside = directory.path().join("outside");
        fs::create_dir_all(upper.join("tmp")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("host"), "of the host").unwrap();
        fs::write(upper.join("tmp/dropped"), "dropped").unwrap();
        fs::write(upper.join("tmp/plan"), "export DB_PASSWORD=planted-hunter2-xyz\n").unwrap();
        symlink(&outside, upper.join("tmp/away")).unwrap();
        symlink(outside.join("host"), upper.join("host")).unwrap();
        nix::unistd::mkfifo(&upper.join("pipe"), Mode::S_IRWXU).unwrap();
        let held = Upper { directory: File::open(&upper).unwrap().into() };
        fs::remove_file(outside.join("host")).unwrap();
        let mut spool = Spool::new(directory.path()).unwrap();
        held.collect(&mut spool, &Redactor::new([7; 32])).unwrap();
        let key = crate::evidence::key::load(None, directory.path()).unwrap();
        let why = crate::evidence::bundle::Why::Demand {};
        let bundle =
            crate::evidence::bundle::write(directory.path(), spool, why, "n", None, &key).unwrap();
        let out = directory.path().join("out");
        let trusted = [key.public().clone()];
        let verified = crate::evidence::bundle::extract(&bundle, &trusted, &out).unwrap();
        let list = fs::read_to_string(out.join("changed.json")).unwrap();
        let list: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
        let told: Vec<_> = list
            .iter()
            .map(|it| format!("{} {}", it["path"].as_str().unwrap(), it["type"].as_str().unwrap()))
            .collect();
        assert_eq!(
            told,
            [
                "/host link",
                "/pipe fifo",
                "/tmp directory",
                "/tmp/away link",
                "/tmp/dropped file",
                "/tmp/plan file"
            ]
        );
        let piece = list[4]["piece"].as_str().unwrap();
        assert_eq!(fs::read(out.join(piece)).unwrap(), b"dropped");
        assert_eq!(list[5]["not_kept"], "it holds secrets");
        assert_eq!(verified.manifest.pieces.len(), 2);
    }
}
