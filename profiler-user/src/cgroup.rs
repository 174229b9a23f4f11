//! Control groups: the cgroup2 hierarchy, wherever it is mounted, and a fresh cgroup for a command.

use std::{
    fmt, fs, io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use tokio::time::{Instant, sleep};

use crate::error::Error;

/// The kernel's id of a cgroup: the inode number of its directory. Never reused while the machine is up.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct CgroupId(pub u64);

/// A mounted cgroup2 hierarchy.
#[derive(Clone, Debug)]
pub struct Hierarchy {
    /// Where it is mounted.
    mount: PathBuf,
    /// The mount in which this process finds itself, and the cgroup that it shows as its root. In a cgroup namespace
    /// the host's mount begins above the namespace, and says nothing of the names down to it.
    near: (PathBuf, String),
    is_whole: bool,
}

impl Hierarchy {
    /// Finds the cgroup2 mount; on a hybrid host it is not `/sys/fs/cgroup` itself. Of several, the one that shows the
    /// whole hierarchy: an agent in a pod has its own part at `/sys/fs/cgroup`, and the host's where its manifest says.
    pub fn find() -> Result<Self, Error> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|error| {
            Error::Machine(format!("cannot read /proc/self/mountinfo: {error}; mount /proc"))
        })?;
        Self::in_mountinfo(&mounts, is_whole).ok_or_else(|| {
            Error::Machine(
                "no cgroup2 hierarchy is mounted here: this host has version 1 cgroups only, which Driftline cannot \
                 follow; mount one (mount -t cgroup2 none /sys/fs/cgroup/unified) or boot with \
                 systemd.unified_cgroup_hierarchy=1"
                    .to_owned(),
            )
        })
    }

    /// Fields: id, parent, device, root, mount point, options, optional fields, `-`, type, … (proc(5)).
    fn in_mountinfo(mountinfo: &str, is_whole: impl Fn(&Path) -> bool) -> Option<Self> {
        let mounts = mountinfo.lines().filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            if right.split(' ').next() != Some("cgroup2") {
                return None;
            }
            let mut fields = left.split(' ').skip(3);
            let root = unescape(fields.next()?);
            let mount = PathBuf::from(unescape(fields.next()?));
            Some((mount, root))
        });
        let mounts: Vec<_> = mounts.collect();
        let whole = mounts.iter().find(|(mount, _)| is_whole(mount));
        let chosen = whole.or_else(|| mounts.first())?;
        let near = [chosen].into_iter().chain(&mounts).find(|(_, root)| !root.starts_with("/.."));
        let near = near.unwrap_or(chosen).clone();
        Some(Self { mount: chosen.0.clone(), near, is_whole: whole.is_some() })
    }

    /// Whether the mount shows all cgroups of the machine. Where nodes are containers themselves (kind, or a laboratory), each
    /// shows its own, and what is outside is another node's.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Where it is mounted.
    pub fn mount(&self) -> &Path {
        &self.mount
    }

    /// The directory of the whole hierarchy, as far as it is mounted here.
    pub fn open(&self) -> Result<fs::File, Error> {
        fs::File::open(&self.mount).map_err(|error| {
            Error::Machine(format!(
                "cannot open the cgroup2 hierarchy at {}: {error}; run driftline as root",
                self.mount.display()
            ))
        })
    }

    /// The directory of the cgroup that this process is in.
    fn own(&self) -> anyhow::Result<PathBuf> {
        let cgroups = fs::read_to_string("/proc/self/cgroup").context("/proc/self/cgroup")?;
        let path = cgroups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
        let (mount, root) = &self.near;
        let below = path.strip_prefix(root.trim_end_matches('/')).unwrap_or("");
        // Outside the mount's root the kernel writes `/..`.
        let below = if below.starts_with("/..") { "" } else { below };
        Ok(mount.join(below.trim_start_matches('/')))
    }
}

impl fmt::Display for Hierarchy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mount.display().fmt(f)
    }
}

/// Whether this mount shows the hierarchy from its root, the only cgroup without `cgroup.events`. A mount that another
/// one covers shows neither file.
fn is_whole(mount: &Path) -> bool {
    mount.join("cgroup.procs").exists() && !mount.join("cgroup.events").exists()
}

/// mountinfo writes blanks as octal.
fn unescape(field: &str) -> String {
    field.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

/// A cgroup that this process made; removed, with all below it, when dropped.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
    directory: fs::File,
    id: CgroupId,
}

impl Cgroup {
    /// Makes a fresh cgroup below the caller's own, so that the caller's limits hold for it too.
    pub fn create(hierarchy: &Hierarchy) -> Result<Self, Error> {
        let parent = hierarchy.own()?;
        let path = parent.join(format!("driftline-{}", ulid::Ulid::new()));
        let made = fs::create_dir(&path).and_then(|()| fs::File::open(&path));
        let directory = made.map_err(|error| {
            Error::Machine(format!(
                "cannot make a cgroup at {}: {error}; run driftline as root, with cgroup2 mounted writable",
                path.display()
            ))
        })?;
        let id = directory.metadata().context("asking for a cgroup's id")?.ino();
        Ok(Self { path, directory, id: CgroupId(id) })
    }

    /// Its directory, as what programs are attached to.
    pub fn directory(&self) -> io::Result<fs::File> {
        self.directory.try_clone()
    }

    pub fn id(&self) -> CgroupId {
        self.id
    }

    /// Makes a cgroup of this name inside.
    pub fn child(&self, name: &str) -> io::Result<CgroupId> {
        let path = self.path.join(name);
        fs::create_dir(&path)?;
        Ok(CgroupId(fs::metadata(&path)?.ino()))
    }

    /// Removes it again.
    pub fn remove_child(&self, name: &str) -> io::Result<()> {
        fs::remove_dir(self.path.join(name))
    }

    /// Where `cgroup.procs` is: a process that writes `0` there moves in.
    pub fn procs_path(&self) -> PathBuf {
        self.path.join("cgroup.procs")
    }

    /// Opens it.
    pub fn procs(&self) -> io::Result<fs::File> {
        fs::OpenOptions::new().write(true).open(self.procs_path())
    }

    /// Whether any process lives in it or below.
    pub fn populated(&self) -> io::Result<bool> {
        let events = fs::read_to_string(self.path.join("cgroup.events"))?;
        Ok(!events.lines().any(|line| line == "populated 0"))
    }

    /// Waits until it is empty; false if that takes longer.
    pub async fn empties_within(&self, limit: Duration) -> io::Result<bool> {
        let end = Instant::now() + limit;
        let mut pause = Duration::from_millis(1);
        while self.populated()? {
            if Instant::now() >= end {
                return Ok(false);
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(20));
        }
        Ok(true)
    }

    /// The process ids in it and below.
    pub fn processes(&self) -> io::Result<Vec<i32>> {
        let mut pids = Vec::new();
        walk(&self.path, &mut |cgroup| {
            let procs = fs::read_to_string(cgroup.join("cgroup.procs"))?;
            // 0 is a process that this pid namespace cannot name.
            let named = procs.lines().filter_map(|line| line.parse::<i32>().ok());
            pids.extend(named.filter(|pid| *pid > 0));
            Ok(())
        })?;
        Ok(pids)
    }

    /// Kills every process in it and below (kernel 5.14 and newer).
    pub fn kill(&self) -> io::Result<()> {
        fs::write(self.path.join("cgroup.kill"), "1")
    }

    /// Removes it and what the command made below it. Retries a little: a task that is just ending still counts.
    pub async fn remove(self) -> anyhow::Result<()> {
        let end = Instant::now() + Duration::from_secs(2);
        loop {
            match self.remove_now() {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() >= end => {
                    return Err(error)
                        .with_context(|| format!("removing the cgroup {}", self.path.display()));
                }
                Err(_) => sleep(Duration::from_millis(10)).await,
            }
        }
    }

    fn remove_now(&self) -> io::Result<()> {
        match walk(&self.path, &mut |cgroup| fs::remove_dir(cgroup)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

/// Visits a cgroup and all below it, children first.
fn walk(cgroup: &Path, visit: &mut impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    for entry in fs::read_dir(cgroup)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), visit)?;
        }
    }
    visit(cgroup)
}

impl AsFd for Cgroup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // After `remove` it is gone; on any other way out nothing may be left behind.
        if self.path.exists() {
            let _may_be_empty = self.kill();
            for _ in 0..100 {
                if self.remove_now().is_ok() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            eprintln!("driftline: could not remove the cgroup {}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Hierarchy;

    const HYBRID: &str = "\
23 29 0:22 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
24 23 0:23 / /sys/fs/cgroup/memory rw,relatime shared:10 - cgroup cgroup rw,memory
25 23 0:24 / /sys/fs/cgroup/unified rw,relatime shared:11 - cgroup2 cgroup2 rw
";

    #[test]
    fn a_hybrid_hosts_cgroup2_is_found() {
        let hierarchy = Hierarchy::in_mountinfo(HYBRID, |_| false).unwrap();
        assert_eq!(hierarchy.to_string(), "/sys/fs/cgroup/unified");
    }

    #[test]
    fn version_1_alone_is_none() {
        let version_1: Vec<_> = HYBRID.lines().take(2).collect();
        assert!(Hierarchy::in_mountinfo(&version_1.join("\n"), |_| true).is_none());
    }

    #[test]
    fn blanks_in_mount_points_are_read() {
        let line = "25 23 0:24 / /mnt/a\\040b rw - cgroup2 cgroup2 rw";
        assert_eq!(Hierarchy::in_mountinfo(line, |_| true).unwrap().to_string(), "/mnt/a b");
    }

    #[test]
    fn of_several_mounts_the_whole_hierarchy_is_taken() {
        let mounts = "\
1 0 0:29 / /sys/fs/cgroup ro - cgroup2 cgroup rw
2 0 0:29 /../../.. /host/sys/fs/cgroup rw - cgroup2 cgroup rw
3 0 0:29 /../../../kubepods /pods rw - cgroup2 cgroup rw";
        for (whole, expected) in [
            (&["/host/sys/fs/cgroup"][..], "/host/sys/fs/cgroup"),
            (&["/sys/fs/cgroup"], "/sys/fs/cgroup"),
            (&["/sys/fs/cgroup", "/host/sys/fs/cgroup"], "/sys/fs/cgroup"),
            (&["/pods"], "/pods"),
            (&[], "/sys/fs/cgroup"),
        ] {
            // Whichever is taken, new cgroups are made below the own one.
            let is_whole = |mount: &Path| whole.iter().any(|path| mount == Path::new(path));
            let found = Hierarchy::in_mountinfo(mounts, is_whole).unwrap();
            assert_eq!(found.to_string(), expected, "{whole:?}");
            assert_eq!(found.near, ("/sys/fs/cgroup".into(), "/".to_owned()), "{whole:?}");
            assert_eq!(found.is_whole(), !whole.is_empty());
        }
    }
}
