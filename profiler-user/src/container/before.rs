//! Which files were there before a container began: its image's, or where there is no image the machine's.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

use jiff::Timestamp;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{Mode, fstat};

/// A root directory at a time.
pub(crate) struct Before {
    root: OwnedFd,
    mount: String,
    began: Timestamp,
}

impl Before {
    /// `root`: of a container `/proc/PID/root` of one of its processes.
    pub(crate) fn new(root: &Path, began: Timestamp) -> io::Result<Self> {
        let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC);
        let root = openat2(AT_FDCWD, root, how)?;
        Ok(Self { mount: mount_of(&root)?, root, began })
    }

    /// Whether a file of this path lies on the root's own mount and has not changed since. What was removed meanwhile was not an
    /// image's: the next container would have it again.
    pub(crate) fn holds(&self, path: &str) -> bool {
        self.look(path).unwrap_or(false)
    }

    fn look(&self, path: &str) -> io::Result<bool> {
        // A link in the container must not lead out of it.
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)
            .mode(Mode::empty())
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        let file = openat2(&self.root, path, how)?;
        let changed = fstat(&file)?.st_ctime;
        Ok(changed < self.began.as_second() && mount_of(&file)? == self.mount)
    }
}

/// Of an overlay each layer may have a device number of its own, but the mount is one.
fn mount_of(file: &OwnedFd) -> io::Result<String> {
    let about = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd()))?;
    let id = about.lines().find_map(|line| line.strip_prefix("mnt_id:"));
    id.map(|id| id.trim().to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_later_or_lies_elsewhere_was_not_there() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("old"), "").unwrap();
        std::os::unix::fs::symlink("/etc", directory.path().join("away")).unwrap();
        let now = Timestamp::now();
        let later = now + jiff::SignedDuration::from_secs(5);
        let earlier = now - jiff::SignedDuration::from_secs(5);
        let before = |began| Before::new(directory.path(), began).unwrap();
        assert!(before(later).holds("/old"));
        assert!(!before(earlier).holds("/old"));
        assert!(!before(later).holds("/none"));
        assert!(!before(later).holds("/away/passwd"));
        assert!(Before::new(Path::new("/"), later).unwrap().holds("/etc/passwd"));
        assert!(!Before::new(Path::new("/"), later).unwrap().holds("/proc/self/status"));
    }
}
