//! One run of a virtual machine, and what its console says.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::emulator::Emulator;
use crate::sh::say;

/// How the guest's own lines begin; see `init.sh`.
const MARK: &str = "driftline-guest: ";

pub(super) struct Machine<'a> {
    pub(super) emulator: &'a Emulator,
    pub(super) kernel: &'a Path,
    pub(super) initramfs: &'a Path,
    /// What the kernel's command line says besides the usual.
    pub(super) append: &'a str,
    /// Where the console's text goes.
    pub(super) log: &'a Path,
    pub(super) timeout: Duration,
    /// One processor, whose clock counts the instructions it ran.
    pub(super) counting: bool,
}

/// What the console said.
#[derive(Default)]
pub(super) struct Console {
    exits: BTreeMap<String, String>,
    ended: bool,
    panic: Option<String>,
    /// Everything that the guest said to the runner.
    said: Vec<String>,
}

/// Boots the machine, passes its console on, and returns when it is off.
pub(super) fn run(machine: &Machine<'_>) -> Result<Console> {
    let mut log = File::create(machine.log)
        .with_context(|| format!("{} cannot be written", machine.log.display()))?;
    let mut qemu = start(machine)?;
    let lines = lines(&mut qemu)?;
    let deadline = Instant::now() + machine.timeout;
    let mut console = Console::default();
    let off = loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                writeln!(log, "{line}")?;
                say(format!("    {line}"));
                console.read(&line);
            }
            Err(RecvTimeoutError::Disconnected) => break true,
            Err(RecvTimeoutError::Timeout) => break false,
        }
    };
    if !off {
        qemu.kill().context("the virtual machine could not be stopped")?;
    }
    let status = qemu.wait()?;
    if !off {
        bail!("not done after {} s; see {}", machine.timeout.as_secs(), machine.log.display());
    }
    if !status.success() {
        bail!("the emulator failed ({status}); see {}", machine.log.display());
    }
    Ok(console)
}

impl Console {
    /// Whether every test ran and passed.
    pub(super) fn judge<'a>(&self, tests: impl Iterator<Item = &'a str>) -> Result<()> {
        if let Some(panic) = &self.panic {
            bail!("the kernel panicked: {panic}");
        }
        let failed: Vec<_> = tests
            .filter_map(|test| match self.exits.get(test).map(String::as_str) {
                Some("0") => None,
                Some(status) => Some(format!("{test} (exit {status})")),
                None => Some(format!("{test} (did not end)")),
            })
            .collect();
        if !failed.is_empty() {
            bail!("failed: {}", failed.join(", "));
        }
        if !self.ended {
            bail!("the guest stopped before its end");
        }
        Ok(())
    }

    /// What the guest said to the runner, if it came to its end.
    pub(super) fn said(self) -> Result<Vec<String>> {
        self.judge(std::iter::empty())?;
        Ok(self.said)
    }

    fn read(&mut self, line: &str) {
        if line.contains("Kernel panic") {
            self.panic = Some(line.to_owned());
        }
        let Some((_, said)) = line.split_once(MARK) else { return };
        self.said.push(format!("{MARK}{said}"));
        match said.split(' ').collect::<Vec<_>>()[..] {
            ["exit", test, status] => {
                self.exits.insert(test.to_owned(), status.to_owned());
            }
            ["end"] => self.ended = true,
            _ => {}
        }
    }
}

fn start(machine: &Machine<'_>) -> Result<Child> {
    // Without sleep an idle guest's time jumps to its next timer.
    let processors: &[&str] =
        if machine.counting { &["1", "-icount", "shift=0,sleep=off"] } else { &["2"] };
    machine
        .emulator
        .command()
        .args([
            // Both processors in one thread: with one each, the emulator now and then runs instructions that the guest's
            // kernel has just patched (seen as an int3 oops where a tracepoint is attached), which real ones do not.
            "-accel",
            "tcg,thread=single",
            "-m",
            "2G",
            "-nodefaults",
            "-no-reboot",
            "-nic",
            "none",
        ])
        .args(["-display", "none", "-serial", "stdio", "-smp"])
        .args(processors)
        .arg("-kernel")
        .arg(machine.kernel)
        .arg("-initrd")
        .arg(machine.initramfs)
        .args(["-append", &format!("console=ttyS0 panic=-1 quiet {}", machine.append)])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("the emulator did not start")
}

/// The console, line by line, from a thread of its own so that waiting for it can time out.
fn lines(qemu: &mut Child) -> Result<Receiver<String>> {
    let stdout = qemu.stdout.take().context("the emulator's output was asked for")?;
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    Ok(lines)
}
