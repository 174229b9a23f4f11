//! Other tools that watch system calls, as Debian packages them: measured where they are installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::agent_time::Clock;
use super::cost::Rounds;
use super::row::Row;
use super::subject::{Bench, Op};
use super::workload::Served;
use super::{auditd, guest};
use crate::sh::{self, say};
use crate::{pinned, vm};

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
    /// Beside it, and every system call of the machine is slower until the next boot, also after it has ended: in the virtual
    /// machine alone, and last there.
    Machine,
}

/// Tools that count or print something of what Driftline sees.
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
    Peer {
        name: auditd::NAME,
        package: "auditd",
        program: "auditd",
        arguments: auditd::ARGUMENTS,
        way: Way::Machine,
    },
];

/// A tool of libbpf-tools, which prints for every process.
const fn beside(name: &'static str, arguments: &'static [&'static str]) -> Peer {
    Peer { name, package: "libbpf-tools", program: name, arguments, way: Way::Beside }
}

/// A tool that runs, with a workload beside or below it. It ends when this is dropped.
pub(super) struct Watched {
    pub(super) workload: Served,
    tool: Option<Tool>,
}

struct Tool(Child);

/// Some of them need tracefs, which not every host has mounted: they see it, nobody else does.
const WITH_TRACEFS: &str = "[ -d /sys/kernel/tracing/events ] || \
     busybox mount -t tracefs tracing /sys/kernel/tracing && exec \"$@\"";

impl Peer {
    /// Why it cannot be measured here, if so.
    pub(super) fn missing(&self) -> Option<String> {
        let found = ["/usr/bin", "/usr/sbin", "/sbin"]
            .iter()
            .any(|directory| std::path::Path::new(directory).join(self.program).exists());
        (!found).then(|| format!("package `{}` is not installed", self.package))
    }

    /// Why it is never measured on somebody's machine, if so.
    pub(super) fn kept_off(&self) -> Option<String> {
        let told = "it slows every system call until the next boot; --suite guest measures it";
        (self.way == Way::Machine).then(|| told.to_owned())
    }

    /// How much less of everything is done, so that a round stays short.
    pub(super) fn slower(&self) -> u32 {
        if self.way == Way::Around { 50 } else { 1 }
    }

    pub(super) fn start(&self, bench: &Bench) -> Result<Watched> {
        let mut command = sh::command("setpriv");
        command.args(["--pdeathsig", "TERM", "--", "unshare", "--mount", "--"]);
        // A tool that looks for the time zone's file at each event, and watches who opens files, would keep itself busy.
        command.env("TZ", "UTC0");
        command
            .args(["busybox", "sh", "-c", WITH_TRACEFS, "sh", self.program])
            .args(self.arguments);
        if self.way == Way::Around {
            command.arg(&bench.workload).arg(&bench.place);
            return Ok(Watched { workload: Served::start(&mut command)?, tool: None });
        }
        let said = bench.scratch.join(format!("{}.log", self.name));
        let tool = Tool::start(&mut command, &said)?;
        if self.way == Way::Machine {
            auditd::set_rules()?;
        }
        Ok(Watched { workload: Served::start(&mut bench.workload())?, tool: Some(tool) })
    }
}

impl Watched {
    /// What an operation costs, and what of it the tool itself ran then and afterwards, until it had nothing left to do. Where one
    /// processor does everything.
    pub(super) fn measure(&mut self, op: Op) -> Result<(f64, f64)> {
        let tool = self.tool.as_ref().context("it runs the workload")?;
        let (clock, count) = (Clock::of(tool.0.id())?, f64::from(op.count));
        let before = clock.when_idle()?;
        let each = self.workload.measure(op.name, op.count)?;
        let meanwhile = clock.ran()? - before;
        let all = clock.when_idle()? - before;
        Ok((each - meanwhile / count, all / count))
    }
}

impl Tool {
    fn start(command: &mut Command, said: &Path) -> Result<Self> {
        let errors = fs::File::create(said)?;
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        let mut tool = Self(quiet.spawn()?);
        sleep(START);
        match tool.0.try_wait()? {
            None => Ok(tool),
            Some(status) => {
                bail!("it ended early ({status}): {}", reason(&fs::read_to_string(said)?))
            }
        }
    }
}

/// What a tool that could not start said of it, on one line: libbpf tells the cause first.
fn reason(said: &str) -> String {
    let lines: Vec<_> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() { "it said nothing".to_owned() } else { lines.join("; ") }
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

/// While it lives, this process runs before all others.
struct First;

impl First {
    fn new() -> Result<Self> {
        schedule(&["-f", "-p", "1"])?;
        Ok(Self)
    }
}

impl Drop for First {
    fn drop(&mut self) {
        if let Err(error) = schedule(&["-o", "-p", "0"]) {
            say(format!("what comes next is started ahead of all others: {error:#}"));
        }
    }
}

fn schedule(how: &[&str]) -> Result<()> {
    let pid = std::process::id().to_string();
    sh::output(sh::command("chrt").args(how).arg(pid)).map(drop)
}

/// The packages of those that are measured in the virtual machine, unpacked. What cannot be had is said, and left out.
pub(super) fn unpacked() -> Vec<PathBuf> {
    let had = pinned::PEERS.iter().filter_map(|package| match vm::unpacked(package) {
        Ok(directory) => Some(directory),
        Err(error) => {
            say(format!("what package `{package}` brings is skipped: {error:#}"));
            None
        }
    });
    had.collect()
}

/// In the virtual machine: what operations cost beside each of the tools that came with it, in the kernel and in the tool.
pub(super) fn counted(bench: &Bench, ops: &[Op], count: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for peer in PEERS.iter().filter(|peer| peer.way != Way::Around && peer.missing().is_none()) {
        match peer.start(bench).and_then(|watched| peer.counted(watched, ops, count)) {
            Ok(measured) => rows.extend(measured),
            Err(error) => say(format!("{} is skipped: {error:#}", peer.name)),
        }
    }
    rows
}

impl Peer {
    fn counted(&self, mut watched: Watched, ops: &[Op], count: usize) -> Result<Vec<Row>> {
        let (mut kernel, mut tool) = (Rounds::default(), Rounds::default());
        // Once the workload is done, what the tool has left to do waits until this has looked at the clock.
        let _first = First::new()?;
        for op in ops {
            watched.measure(*op)?;
        }
        for _ in 0..count {
            for op in ops {
                let (added, own) = watched.measure(*op)?;
                kernel.add(self.name, op.name, added);
                tool.add(self.name, op.name, own);
            }
        }
        let detail = (self.way == Way::Machine).then(auditd::description).transpose()?;
        watched.workload.end()?;
        let rows = [kernel.rows(guest::SUITE, guest::UNIT), tool.rows(guest::AGENT, guest::UNIT)];
        let described = |row| Row { detail: detail.clone(), ..row };
        Ok(rows.into_iter().flatten().map(described).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn what_a_tool_said_is_the_reason() {
        assert_eq!(reason("cannot attach\n\n  no kprobes\n"), "cannot attach; no kprobes");
        assert_eq!(reason("\n"), "it said nothing");
    }
}
