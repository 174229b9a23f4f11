//! Cgroups in the hierarchy: from the kernel's id to a path, which containers are there, and who runs in them.

use std::{
    fs, io,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::Path,
};

use nix::libc;

use super::path::identify;
use crate::{
    cgroup::{CgroupId, Hierarchy},
    error::Error,
};

/// Type of a kernfs file handle, which holds the id of the node alone (`FILEID_KERNFS`, include/linux/exportfs.h).
const FILEID_KERNFS: libc::c_int = 0xfe;

/// Turns the kernel's ids of cgroups into paths. Keeps the hierarchy's root directory open.
#[derive(Debug)]
pub struct Locator {
    hierarchy: Hierarchy,
    root: fs::File,
}

/// A file handle with room for the id.
#[repr(C)]
struct Handle {
    head: libc::file_handle,
    id: [u8; 8],
}

impl Locator {
    pub fn new(hierarchy: Hierarchy) -> Result<Self, Error> {
        let root = hierarchy.open()?;
        Ok(Self { hierarchy, root })
    }

    /// The path of a cgroup below the hierarchy's mount, with a leading `/`; `/` is the mount itself. None when the
    /// cgroup is gone, or is not below the mount. It may be gone by the time this returns.
    ///
    /// # Errors
    /// Without `CAP_DAC_READ_SEARCH` in the initial user namespace the kernel refuses (EPERM).
    pub fn path_of(&self, id: CgroupId) -> io::Result<Option<String>> {
        let Some(directory) = self.open(id)? else { return Ok(None) };
        let link = fs::read_link(format!("/proc/self/fd/{}", directory.as_raw_fd()))?;
        let Ok(below) = link.strip_prefix(self.hierarchy.mount()) else { return Ok(None) };
        let path = format!("/{}", below.to_string_lossy());
        // The kernel's mark on a directory that was removed since, unless the directory is called like that.
        Ok(Some(match path.strip_suffix(" (deleted)") {
            Some(gone) if !link.exists() => gone.to_owned(),
            _ => path,
        }))
    }

    /// The directory of a cgroup; none when it is gone.
    pub(crate) fn open(&self, id: CgroupId) -> io::Result<Option<OwnedFd>> {
        let head = libc::file_handle { handle_bytes: 8, handle_type: FILEID_KERNFS, f_handle: [] };
        let mut handle = Handle { head, id: id.0.to_ne_bytes() };
        let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
        // SAFETY: the handle says that 8 bytes follow its head, and they do; the descriptor of the root is open.
        let fd = unsafe {
            libc::open_by_handle_at(self.root.as_raw_fd(), (&raw mut handle).cast(), flags)
        };
        if fd >= 0 {
            // SAFETY: the kernel just made it, and nobody else has it.
            return Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) }));
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::ESTALE | libc::ENOENT) => Ok(None),
            _ => Err(error),
        }
    }
}

/// Every cgroup whose path has a container's id, those below a container's own included, parents first. Paths as
/// in [`Locator::path_of`]. Cgroups that go away meanwhile are left out.
pub fn scan(hierarchy: &Hierarchy) -> io::Result<Vec<(CgroupId, String)>> {
    let mut found = Vec::new();
    walk(hierarchy.mount(), "", &mut found)?;
    Ok(found)
}

fn walk(directory: &Path, path: &str, found: &mut Vec<(CgroupId, String)>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        let name = entry.file_name();
        let child = format!("{path}/{}", String::from_utf8_lossy(name.as_bytes()));
        let below = entry.metadata().and_then(|meta| {
            if identify(&child).is_some() {
                found.push((CgroupId(meta.ino()), child.clone()));
            }
            walk(&entry.path(), &child, found)
        });
        match below {
            Err(error) if is_gone(&error) => {}
            other => other?,
        }
    }
    Ok(())
}

/// The process ids in one cgroup, without those in cgroups below it. None are in one that is gone. A process that
/// this pid namespace cannot name is left out.
pub fn processes(hierarchy: &Hierarchy, path: &str) -> io::Result<Vec<u32>> {
    let file = hierarchy.mount().join(path.trim_start_matches('/')).join("cgroup.procs");
    match fs::read_to_string(file) {
        Ok(procs) => {
            Ok(procs.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).collect())
        }
        // In a threaded cgroup the processes are listed by the domain above it.
        Err(error) if is_gone(&error) || error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

/// A directory that was removed while it was read gives ENODEV.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::Cgroup;

    /// A cgroup below the caller's own; none, and said so, where that is not possible.
    fn own_cgroup() -> Option<(Hierarchy, Cgroup)> {
        let made =
            Hierarchy::find().and_then(|found| Cgroup::create(&found).map(|made| (found, made)));
        made.inspect_err(|error| eprintln!("skipped: {error}")).ok()
    }

    #[test]
    fn an_id_becomes_the_path_of_its_cgroup_until_it_is_removed() {
        let Some((hierarchy, cgroup)) = own_cgroup() else { return };
        let locator = Locator::new(hierarchy.clone()).unwrap();
        let id = cgroup.id();
        let path = match locator.path_of(id) {
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                return eprintln!("skipped: file handles are refused here: {error}");
            }
            path => path.unwrap().unwrap(),
        };
        assert!(path.contains("/driftline-"), "{path}");
        let inode = fs::metadata(hierarchy.mount().join(&path[1..])).unwrap().ino();
        assert_eq!(CgroupId(inode), id);
        drop(cgroup);
        assert_eq!(locator.path_of(id).unwrap(), None);
        assert_eq!(locator.path_of(CgroupId(u64::MAX)).unwrap(), None);
        let root = locator.root.metadata().unwrap().ino();
        assert_eq!(locator.path_of(CgroupId(root)).unwrap().as_deref(), Some("/"));
    }

    #[test]
    fn a_scan_finds_containers_and_what_is_below_them() {
        let Some((hierarchy, cgroup)) = own_cgroup() else { return };
        let locator = Locator::new(hierarchy.clone()).unwrap();
        let Ok(Some(base)) = locator.path_of(cgroup.id()) else {
            return eprintln!("skipped: file handles are refused here");
        };
        let own = format!("{base}/docker/{}", "c3".repeat(32));
        let below = format!("{own}/init.scope");
        fs::create_dir_all(hierarchy.mount().join(&below[1..])).unwrap();
        let mine = |(_, path): &(CgroupId, String)| path.starts_with(&base);
        let found: Vec<_> = scan(&hierarchy).unwrap().into_iter().filter(mine).collect();
        let paths: Vec<_> = found.iter().map(|(_, path)| path.as_str()).collect();
        assert_eq!(paths, [own.as_str(), below.as_str()]);
        for (id, path) in &found {
            assert_eq!(locator.path_of(*id).unwrap().as_ref(), Some(path));
        }
        assert_eq!(processes(&hierarchy, &own).unwrap(), Vec::<u32>::new());
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        fs::write(hierarchy.mount().join(&below[1..]).join("cgroup.procs"), child.id().to_string())
            .unwrap();
        let there = (processes(&hierarchy, &own).unwrap(), processes(&hierarchy, &below).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(there, (Vec::new(), vec![child.id()]));
        assert!(processes(&hierarchy, "/no/such/cgroup").unwrap().is_empty());
    }
}
