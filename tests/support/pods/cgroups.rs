//! Cgroups that a node makes: one for its own processes, and one for every pod.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use nix::{
    fcntl::{Flock, FlockArg},
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
};

use super::{BASE, hold::note};

/// Where the second version of cgroups is mounted in this mount namespace.
pub(super) fn root() -> anyhow::Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let mut found = mounts.lines().filter_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ").then(|| mount.split(' ').nth(4).map(PathBuf::from))?
    });
    found.next().context("no cgroup2 is mounted")
}

/// The cgroup of a node's own processes: the runtime, its shims, whatever the test runs there.
pub(super) fn of_node(directory: &Path) -> PathBuf {
    let name = directory.file_name().expect("a node's directory has a name");
    Path::new("/").join(format!("driftline-{}", name.to_string_lossy()))
}

/// The directory of that cgroup, seen from outside: in a node that is apart, processes are in one below its root.
pub(super) fn of_processes(directory: &Path) -> anyhow::Result<PathBuf> {
    let node = inside(&of_node(directory))?;
    let init = node.join(INIT);
    Ok(if init.exists() { init } else { node })
}

const INIT: &str = "init";

/// Makes this process's cgroups those below the node's alone, and shows nothing else.
pub(super) fn set_apart(directory: &Path) -> anyhow::Result<()> {
    let node = inside(&of_node(directory))?;
    fs::write(node.join("cgroup.procs"), "0").context("into the node's cgroup")?;
    unshare(CloneFlags::CLONE_NEWCGROUP).context("cgroups of its own")?;
    // Controllers are given to cgroups below one that has no processes.
    fs::create_dir(node.join(INIT)).context("a cgroup for processes")?;
    fs::write(node.join(INIT).join("cgroup.procs"), "0").context("into the node's cgroup")?;
    let here = root()?;
    umount2(&here, MntFlags::MNT_DETACH).context("the machine's cgroups hidden")?;
    mount(Some("cgroup2"), &here, Some("cgroup2"), MsFlags::empty(), None::<&str>)
        .context("cgroup2 mounted")
}

/// Where this process is, to come back to.
pub(super) fn own() -> anyhow::Result<File> {
    let text = fs::read_to_string("/proc/self/cgroup")?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::")).context("no cgroup2")?;
    let procs = inside(Path::new(path))?.join("cgroup.procs");
    OpenOptions::new().write(true).open(procs).context("the own cgroup")
}

/// Makes the node's cgroup. It is listed first, so that it is found if this process ends here.
pub(super) fn make(directory: &Path) -> anyhow::Result<()> {
    let cgroup = of_node(directory);
    note(directory, "cgroups", &cgroup.to_string_lossy())?;
    fs::create_dir(inside(&cgroup)?).context("a cgroup of its own")
}

/// Where a cgroup is in the file system.
pub(super) fn inside(cgroup: &Path) -> anyhow::Result<PathBuf> {
    Ok(root()?.join(cgroup.strip_prefix("/")?))
}

/// Kills everything in a cgroup and removes it with those below it. One that is not there is fine.
pub(super) fn remove(cgroup: &Path) -> anyhow::Result<()> {
    let path = inside(cgroup)?;
    if !path.exists() {
        return Ok(());
    }
    fs::write(path.join("cgroup.kill"), "1").context("killing its processes")?;
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        match remove_tree(&path) {
            Ok(()) => return Ok(()),
            // The killed take their time.
            Err(_) if Instant::now() < end => thread::sleep(Duration::from_millis(5)),
            Err(error) => return Err(error).with_context(|| format!("{} stays", path.display())),
        }
    }
}

fn remove_tree(path: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(path)
}

/// The cgroups above those of pods, which nodes share: the last one removes what the first one made.
pub(super) struct Kubepods(Flock<File>);

const KUBEPODS: [&str; 3] = ["/kubepods", "/kubepods/besteffort", "/kubepods/burstable"];

impl Kubepods {
    pub(super) fn share() -> anyhow::Result<Self> {
        let path = Path::new(BASE).join("kubepods");
        let file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        let mut file = Flock::lock(file, FlockArg::LockShared).map_err(|(_, error)| error)?;
        // On a machine that is a node itself they are the kubelet's.
        if !inside(Path::new(KUBEPODS[0]))?.exists() {
            file.write_all(b"made")?;
            for cgroup in KUBEPODS {
                fs::create_dir_all(inside(Path::new(cgroup))?)?;
            }
        }
        Ok(Self(file))
    }

    pub(super) fn release(self) -> anyhow::Result<()> {
        let mut file = self.0;
        if file.relock(FlockArg::LockExclusiveNonblock).is_err() {
            return Ok(());
        }
        let mut text = String::new();
        file.rewind()?;
        file.read_to_string(&mut text)?;
        if text.starts_with("made") {
            for cgroup in KUBEPODS.iter().rev() {
                // Somebody else may have put pods there since, or have removed it.
                let _stays = fs::remove_dir(inside(Path::new(cgroup))?);
            }
            if !inside(Path::new(KUBEPODS[0]))?.exists() {
                file.set_len(0)?;
            }
        }
        Ok(())
    }
}
