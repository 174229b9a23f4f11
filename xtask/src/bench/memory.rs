//! The agent's memory with so many containers, in a virtual machine: there it sees no container but these.
//!
//! A cgroup named as a container's, with one sleeping process, stands for a container. No runtime names it, so it goes by
//! its path, and has no baseline.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use super::guest::say_row;
use super::row::Row;
use super::start::resident;
use crate::{sh, vm};

pub(super) const SUITE: &str = "memory";

const CONTAINERS: [u32; 4] = [1, 50, 200, 1_000];

/// Longer than the agent waits for a runtime to name a container. The machine's idle time passes at once.
const SETTLE: Duration = Duration::from_secs(75);

const CGROUPS: &str = "/sys/fs/cgroup";

/// What runs inside.
#[derive(Args)]
pub(crate) struct Inside {
    /// The program `driftline`
    driftline: PathBuf,
}

/// Boots the guest and returns what was measured there.
pub(super) fn measure(driftline: &Path, kernel: &str) -> Result<Vec<Row>> {
    let this = std::env::current_exe()?;
    let script = format!("{} bench-memory {}\n", vm::quoted(&this), vm::quoted(driftline));
    let programs = [this, driftline.to_owned()];
    let said = vm::run_counting(kernel, &programs, &script, Duration::from_mins(30))?;
    let rows = super::guest::rows(&said)?;
    ensure!(rows.len() == 2 * CONTAINERS.len(), "the guest did not come to its end");
    Ok(rows)
}

/// In the guest.
pub(crate) fn inside(options: &Inside) -> Result<()> {
    let own = Path::new(CGROUPS).join("agent");
    fs::write(Path::new(CGROUPS).join("cgroup.subtree_control"), "+memory")?;
    fs::create_dir(&own)?;
    let mut agent = Command::new(&options.driftline);
    agent.args(["watch", "--baselines", "/run/baselines", "--store", "/run/store"]);
    fs::create_dir("/run/baselines")?;
    let mut agent = in_cgroup(&own, &agent, fs::File::create("/run/agent.log")?.into())?;
    sleep(Duration::from_secs(20));
    let mut containers = Vec::new();
    for count in CONTAINERS {
        for number in u32::try_from(containers.len())?..count {
            let cgroup = Path::new(CGROUPS).join(format!("{number:064x}"));
            fs::create_dir(&cgroup)?;
            let mut sleeper = Command::new("busybox");
            sleeper.args(["sleep", "100000"]);
            containers.push(in_cgroup(&cgroup, &sleeper, Stdio::null())?);
        }
        sleep(SETTLE);
        let log = || fs::read_to_string("/run/agent.log").unwrap_or_default();
        ensure!(agent.try_wait()?.is_none(), "the agent ended: {}", log());
        let subject = format!("{count} containers");
        say_row(&Row::once(SUITE, &subject, "resident", "KiB", resident(agent.id())?))?;
        let current = fs::read_to_string(own.join("memory.current"))?;
        let current = current.trim().parse::<f64>().context("memory.current")? / 1024.0;
        say_row(&Row::once(SUITE, &subject, "cgroup", "KiB", current))?;
    }
    for mut child in containers.into_iter().chain([agent]) {
        child.kill()?;
        child.wait()?;
    }
    Ok(())
}

/// Starts a program that is in the cgroup before its first instruction.
fn in_cgroup(cgroup: &Path, command: &Command, says: Stdio) -> Result<Child> {
    let procs = cgroup.join("cgroup.procs");
    let mut shell = sh::command("busybox");
    shell.args(["sh", "-c", "echo $$ > \"$0\"; exec \"$@\""]).arg(procs);
    shell.arg(command.get_program()).args(command.get_args());
    shell
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(says)
        .spawn()
        .context("starting a program in a cgroup")
}
