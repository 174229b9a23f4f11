//! The process that holds a node's namespaces, and takes the node down when its test is gone, however that ended.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    os::fd::AsFd,
    path::Path,
    process::Command,
};

use anyhow::{Context, ensure};
use nix::{
    fcntl::{Flock, FlockArg},
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
};

use super::{BASE, cgroups, remains};

/// What a node has of its own: a directory of the node's, and where it appears.
pub(super) const OWN: &[(&str, &str)] =
    &[("run", "/run"), ("lib", "/var/lib"), ("log", "/var/log")];

/// Makes a node, says on standard output where its directory is, and removes it when standard input ends.
///
/// `apart`: it sees its own cgroups alone.
pub fn hold(apart: bool) -> anyhow::Result<()> {
    // The terminal's Ctrl-C ends the test; this process outlives it.
    nix::unistd::setsid().context("a session of its own")?;
    let outside = File::open("/proc/self/ns/mnt")?;
    let mut own = cgroups::own()?;
    let (directory, _lock) = make_directory()?;
    let kubepods = cgroups::Kubepods::share()?;
    let set_apart = || if apart { cgroups::set_apart(&directory) } else { Ok(()) };
    let made = enter(&directory).and_then(|()| set_apart()).and_then(|()| {
        let mut stdout = std::io::stdout();
        writeln!(stdout, "{}", directory.display())?;
        stdout.flush()?;
        std::io::stdin().read_to_end(&mut Vec::new())?;
        Ok(())
    });
    // From outside, the mounts of the node are not in the way, and nothing is removed through them.
    setns(outside.as_fd(), CloneFlags::CLONE_NEWNS).context("back to the first namespace")?;
    if apart {
        // What is in the node's cgroups is killed.
        own.write_all(b"0").context("back to the first cgroup")?;
    }
    let removed = remains::remove(&directory);
    kubepods.release()?;
    made.and(removed)
}

/// A new directory, locked for as long as the node lives; what earlier nodes left is removed on the way.
fn make_directory() -> anyhow::Result<(std::path::PathBuf, Flock<File>)> {
    fs::create_dir_all(BASE)?;
    // Nobody else makes a node meanwhile: a directory is never seen before its lock is taken.
    let all = File::create(Path::new(BASE).join("nodes.lock"))?;
    let _all = Flock::lock(all, FlockArg::LockExclusive).map_err(|(_, error)| error)?;
    remains::sweep();
    let directory = tempfile::Builder::new().prefix("node").tempdir_in(BASE)?.keep();
    let lock = File::create(directory.join("lock"))?;
    let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| error)?;
    for (own, _) in OWN {
        fs::create_dir(directory.join(own))?;
    }
    Ok((directory, lock))
}

/// Enters namespaces of the node's own, and mounts in them what a node has.
fn enter(directory: &Path) -> anyhow::Result<()> {
    const NONE: Option<&str> = None;
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)
        .context("namespaces of its own: is this root?")?;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)
        .context("mounts of its own")?;
    // A hybrid host has the second version elsewhere; a node has it here.
    let here = Path::new("/sys/fs/cgroup");
    if cgroups::root()? != here {
        umount2(here, MntFlags::MNT_DETACH).context("the host's cgroups hidden")?;
        mount(Some("cgroup2"), here, Some("cgroup2"), MsFlags::empty(), NONE)
            .context("cgroup2 mounted")?;
    }
    for (own, path) in OWN {
        mount(Some(&directory.join(own)), *path, NONE, MsFlags::MS_BIND, NONE)
            .with_context(|| format!("{path} of its own"))?;
    }
    // The runtime syncs its store at every step, which a test need not wait for. Containers' files are on the disk.
    let (store, snapshots) =
        (Path::new("/var/lib/containerd"), "io.containerd.snapshotter.v1.overlayfs");
    let on_disk = directory.join("lib/containerd").join(snapshots);
    fs::create_dir_all(&on_disk)?;
    mount(Some("tmpfs"), store, Some("tmpfs"), MsFlags::empty(), NONE).context("a store")?;
    fs::create_dir(store.join(snapshots))?;
    mount(Some(&on_disk), &store.join(snapshots), NONE, MsFlags::MS_BIND, NONE)
        .context("snapshots on the disk")?;
    // As on a machine with systemd: mounts of the node show in containers that ask for that.
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_SHARED, NONE).context("shared mounts")?;
    let loopback = Command::new("busybox").args(["ip", "link", "set", "lo", "up"]).status();
    ensure!(loopback.context("busybox runs")?.success(), "the loopback interface stays down");
    cgroups::make(directory)
}

/// Appends a line to one of the lists in a node's directory.
pub(super) fn note(directory: &Path, list: &str, line: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(directory.join(list))?;
    // At once: pods are made side by side.
    file.write_all(format!("{line}\n").as_bytes())
}
