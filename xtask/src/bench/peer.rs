//! Other tools that watch system calls, as Debian packages them: measured where they are installed.

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::subject::Bench;
use super::workload::Served;
use crate::sh;

/// How long a tool gets to compile, load and attach what it has.
const START: Duration = Duration::from_secs(4);

/// A tool, and how it is started.
pub(super) struct Peer {
    pub(super) name: &'static str,
    package: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    way: Way,
}

#[derive(PartialEq)]
enum Way {
    /// Beside the workload, which it sees like every other process.
    Beside,
    /// It runs the workload.
    Around,
}

/// Tools that count or print something of what Driftline sees. auditd is not among them: once enabled, it slows every
/// system call of a machine until the next boot, also after it is stopped.
pub(super) const PEERS: &[Peer] = &[
    Peer {
        name: "bpftrace",
        package: "bpftrace",
        program: "bpftrace",
        arguments: &["-e", "tracepoint:raw_syscalls:sys_enter { @[cgroup] = count(); }"],
        way: Way::Beside,
    },
    beside("syscount", &["--interval", "1000"]),
    beside("execsnoop", &[]),
    beside("opensnoop", &[]),
    beside("tcpconnect", &[]),
    Peer {
        name: "strace",
        package: "strace",
        program: "strace",
        arguments: &["--follow-forks", "--output", "/dev/null"],
        way: Way::Around,
    },
];

/// A tool of libbpf-tools, which prints for every process.
const fn beside(name: &'static str, arguments: &'static [&'static str]) -> Peer {
    Peer { name, package: "libbpf-tools", program: name, arguments, way: Way::Beside }
}

/// A tool that runs, with a workload beside or below it. It ends when this is dropped.
pub(super) struct Watched {
    pub(super) workload: Served,
    _tool: Option<Tool>,
}

struct Tool(Child);

/// Some of them need tracefs, which not every host has mounted: they see it, nobody else does.
const WITH_TRACEFS: &str = "[ -d /sys/kernel/tracing/events ] || \
     busybox mount -t tracefs tracing /sys/kernel/tracing && exec \"$@\"";

impl Peer {
    /// Why it cannot be measured here, if so.
    pub(super) fn missing(&self) -> Option<String> {
        let found = ["/usr/bin", "/usr/sbin"]
            .iter()
            .any(|directory| std::path::Path::new(directory).join(self.program).exists());
        (!found).then(|| format!("package `{}` is not installed", self.package))
    }

    /// How much less of everything is done, so that a round stays short.
    pub(super) fn slower(&self) -> u32 {
        if self.way == Way::Around { 50 } else { 1 }
    }

    pub(super) fn start(&self, bench: &Bench) -> Result<Watched> {
        let mut command = sh::command("setpriv");
        command.args(["--pdeathsig", "TERM", "--", "unshare", "--mount", "--"]);
        command
            .args(["busybox", "sh", "-c", WITH_TRACEFS, "sh", self.program])
            .args(self.arguments);
        if self.way == Way::Around {
            command.arg(&bench.workload).arg(&bench.place);
            return Ok(Watched { workload: Served::start(&mut command)?, _tool: None });
        }
        let tool = Tool::start(&mut command).with_context(|| self.name)?;
        Ok(Watched { workload: Served::start(&mut bench.workload())?, _tool: Some(tool) })
    }
}

impl Tool {
    fn start(command: &mut Command) -> Result<Self> {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut tool = Self(quiet.spawn()?);
        sleep(START);
        match tool.0.try_wait()? {
            None => Ok(tool),
            Some(status) => bail!("it ended early ({status}): this kernel may not let it in"),
        }
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        let pid = self.0.id().to_string();
        let _ended_by_itself = sh::output(sh::command("busybox").args(["kill", "-INT", &pid]));
        // It detaches on an interrupt; what does not end by then is made to.
        for _ in 0..50 {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            sleep(Duration::from_millis(100));
        }
        let _killed = self.0.kill();
        let _ended = self.0.wait();
    }
}
