//! How a container names hosts: files that its runtime mounts over its own. Whoever is in it may have put anything there.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};

use crate::evidence::Collected;
use crate::redact::Redactor;

const FILES: [&str; 3] = ["etc/hostname", "etc/hosts", "etc/resolv.conf"];
/// Of each, in bytes.
const FILE_MAX: u64 = 64 * 1024;

pub(super) fn files(all: &mut Collected, pid: u32, redactor: &Redactor) {
    for path in FILES {
        let name = format!("network/container/{}", path.trim_start_matches("etc/"));
        match read(&Path::new("/proc").join(pid.to_string()).join("root"), path) {
            Ok(text) => all.piece(name, redactor.redact_text(&text)),
            Err(error) => all.missing(name, format!("cannot read it: {error}")),
        }
    }
}

/// A link in there leads nowhere outside, and a pipe in a file's place is not waited for.
fn read(root: &Path, path: &str) -> io::Result<String> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let root: OwnedFd = openat2(AT_FDCWD, root, OpenHow::new().flags(flags))?;
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let file = File::from(openat2(&root, path, how)?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    file.take(FILE_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_leads_nowhere_outside() {
        let directory = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "outside").unwrap();
        let etc = directory.path().join("etc");
        fs::create_dir(&etc).unwrap();
        fs::write(etc.join("hosts"), "127.0.0.1 localhost\n").unwrap();
        symlink(outside.path().join("secret"), etc.join("resolv.conf")).unwrap();
        nix::unistd::mkfifo(&etc.join("hostname"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert_eq!(read(directory.path(), "etc/hosts").unwrap(), "127.0.0.1 localhost\n");
        let refused = read(directory.path(), "etc/resolv.conf").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::NotFound);
        assert!(read(directory.path(), "etc/hostname").is_err());
    }
}
