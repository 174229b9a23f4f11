//! What a watched command meets outside itself: a cgroup that is not its own.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// A cgroup beside those of containers, removed when dropped; whoever is in it by then is killed.
pub struct OtherCgroup(PathBuf);

impl OtherCgroup {
    /// `name` tells those of one test process apart.
    pub fn new(name: &str) -> Self {
        let path = mount().join(format!("driftline-test-{name}-{}", std::process::id()));
        fs::create_dir(&path).expect("a cgroup of our own");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// As the kernel calls it.
    pub fn name(&self) -> String {
        format!("/{}", self.0.file_name().expect("it has a name").to_string_lossy())
    }
}

impl Drop for OtherCgroup {
    fn drop(&mut self) {
        let _already_empty = fs::write(self.0.join("cgroup.kill"), "1");
        let end = Instant::now() + Duration::from_secs(20);
        while fs::remove_dir(&self.0).is_err() && Instant::now() < end {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Where this mount namespace has the second version of cgroups.
pub fn mount() -> PathBuf {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("/proc");
    let mut found = mounts.lines().filter_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ").then(|| mount.split(' ').nth(4).map(PathBuf::from))?
    });
    found.next().expect("cgroup2 is mounted")
}
