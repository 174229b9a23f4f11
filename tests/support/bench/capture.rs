//! Records of real services, as the kernel wrote them.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use profiler_user::cgroup::{Cgroup, Hierarchy};
use profiler_user::sensor::{Options, Sensor};

/// What the scripts call.
const SERVICES: &str = include_str!("services.sh");

/// How long the ring buffer must have been silent once the programs ended.
const SILENCE: Duration = Duration::from_millis(200);

/// Runs the scripts, one after the other, in one container, and returns its records.
pub(crate) fn run(scripts: &[&str]) -> anyhow::Result<Vec<Bytes>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let hierarchy = Hierarchy::find()?;
        let cgroup = Cgroup::create(&hierarchy)?;
        let mut sensor = Sensor::load(&hierarchy, Options::default())?;
        sensor.track(cgroup.id())?;
        let mut records = sensor.records()?;
        let mut captured = Vec::new();
        let (mut child, _script) = start(scripts, &cgroup)?;
        loop {
            match tokio::time::timeout(SILENCE, records.next()).await {
                Ok(batch) => captured.extend(batch?),
                Err(_silence) if child.try_wait()?.is_some() => break,
                Err(_silence) => {}
            }
        }
        ensure!(child.wait()?.success(), "the services failed");
        let lost: u64 = sensor.state(cgroup.id())?.lost.iter().sum();
        ensure!(lost == 0, "{lost} records were lost");
        Ok(captured)
    })
}

/// In a network of their own, so that the services find their ports free.
fn start(
    scripts: &[&str],
    cgroup: &Cgroup,
) -> anyhow::Result<(std::process::Child, tempfile::NamedTempFile)> {
    let mut script = tempfile::NamedTempFile::new()?;
    let lines = ["set -e", "busybox ip link set lo up", SERVICES].into_iter();
    for line in lines.chain(scripts.iter().copied()).chain(["rm -r \"$place\""]) {
        writeln!(script, "{line}")?;
    }
    let mut procs = cgroup.procs().context("opening the container's cgroup")?;
    let mut shell = Command::new("unshare");
    shell.args(["--net", "--", "/bin/sh"]).arg(script.path());
    shell.stdin(Stdio::null()).stdout(Stdio::null());
    // SAFETY: one write between fork and exec, of memory prepared before.
    unsafe { shell.pre_exec(move || procs.write_all(b"0")) };
    Ok((shell.spawn().context("starting the services")?, script))
}
