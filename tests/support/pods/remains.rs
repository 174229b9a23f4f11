//! Taking a node down, and finding nodes whose holder was killed.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::Path,
};

use anyhow::Context;
use nix::fcntl::{Flock, FlockArg};

use super::{BASE, cgroups};

/// Kills what runs on a node and removes its cgroups and files. Its mounts and interfaces go with its last process.
pub(super) fn remove(directory: &Path) -> anyhow::Result<()> {
    let listed = match fs::read_to_string(directory.join("cgroups")) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        listed => listed?,
    };
    // Twice: what the node's own processes started while the pods were being killed is killed then.
    let mut removed = Ok(());
    for _ in 0..2 {
        removed = listed.lines().try_for_each(|cgroup| {
            cgroups::remove(Path::new(cgroup)).with_context(|| format!("the cgroup {cgroup}"))
        });
    }
    removed?;
    fs::remove_dir_all(directory)
        .with_context(|| format!("{} cannot be removed", directory.display()))
}

/// Removes nodes that nobody holds any more. Only directories that have a node's lock are looked at.
pub(super) fn sweep() {
    let Ok(entries) = fs::read_dir(BASE) else { return };
    for directory in entries.flatten().map(|entry| entry.path()) {
        let is_node = directory.file_name().is_some_and(|name| {
            name.to_string_lossy().starts_with("node") && directory.join("lock").is_file()
        });
        if !is_node {
            continue;
        }
        let unheld = File::open(directory.join("lock"))
            .is_ok_and(|lock| Flock::lock(lock, FlockArg::LockExclusiveNonblock).is_ok());
        if unheld && let Err(error) = remove(&directory) {
            eprintln!("driftline-node: what an earlier run left stays: {error:#}");
        }
    }
}
