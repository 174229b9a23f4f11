//! Cgroups as a kubelet names them, each with a program that has done something and then waits.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use profiler_user::cgroup::Hierarchy;

/// No program of it is in a baseline: every container has events to tell.
const DOES: &str = "busybox cat /etc/passwd >/dev/null; exec busybox sleep 100000";

/// All containers; dropped, they end.
pub(super) struct Containers {
    base: PathBuf,
    running: Vec<Child>,
}

impl Containers {
    pub(super) fn make() -> anyhow::Result<Self> {
        let name = format!("driftline-crowd-{}", std::process::id());
        let base = Hierarchy::find()?.mount().join(name);
        fs::create_dir_all(base.join("kubepods/burstable")).context("a cgroup for containers")?;
        Ok(Self { base, running: Vec::new() })
    }

    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        let number = self.running.len();
        let pod = format!("pod00000000-0000-4000-8000-{number:012}");
        let own = self.base.join("kubepods/burstable").join(pod).join(super::id('a', number));
        fs::create_dir_all(&own)?;
        let mut procs = fs::File::options().write(true).open(own.join("cgroup.procs"))?;
        let mut shell = Command::new("/bin/busybox");
        // What runs in the mount namespace of who moved it here is still the runtime on its way in.
        shell
            .args(["unshare", "-m", "busybox", "sh", "-c", DOES])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        // SAFETY: one write between fork and exec, of memory prepared before.
        unsafe { shell.pre_exec(move || procs.write_all(b"0")) };
        self.running.push(shell.spawn().context("starting a container's program")?);
        Ok(())
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        let _by_hand = fs::write(self.base.join("cgroup.kill"), "1");
        for child in &mut self.running {
            let _ended = child.kill().and_then(|()| child.wait());
        }
        // What was killed leaves its cgroup a little later.
        for _ in 0..100 {
            if remove(&self.base) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Removes a cgroup with all below it.
fn remove(cgroup: &std::path::Path) -> bool {
    for entry in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    fs::remove_dir(cgroup).is_ok()
}
