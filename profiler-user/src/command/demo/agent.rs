//! A `driftline record` or `driftline watch` that the demo runs.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::interrupt::Interrupt;
use super::server::Server;

const IMAGE: &str = "demo-nginx";

/// Stopped when dropped, together with its server.
pub(super) struct Agent<'a> {
    child: Child,
    log: PathBuf,
    server: &'a Server,
}

impl<'a> Agent<'a> {
    /// What it and the server print goes to `log`.
    pub(super) fn start(
        command: &str,
        baselines: &Path,
        more: &[&OsStr],
        server: &'a Server,
        log: PathBuf,
    ) -> Result<Self> {
        let output = File::create(&log)?;
        let driftline = std::env::current_exe().context("cannot find the driftline program")?;
        let child = Command::new(&driftline)
            .arg(command)
            .arg("--baselines")
            .arg(baselines)
            .args(["--image", IMAGE])
            .args(more)
            .arg("--")
            .args(server.command())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot run {} {command}", driftline.display()))?;
        Ok(Self { child, log, server })
    }

    pub(super) fn still_runs(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(self.failed(&format!("driftline ended early ({status})"))),
        }
    }

    /// Asks it to end, as one would with Ctrl-C, and waits.
    pub(super) fn stop(mut self, interrupt: &Interrupt) -> Result<()> {
        self.signal(Signal::SIGTERM);
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.failed(&format!("driftline failed ({status})"))),
                None if Instant::now() > deadline => bail!("driftline did not end in 15 seconds"),
                None => interrupt.pause(Duration::from_millis(20))?,
            }
        }
    }

    /// An error with the end of what it printed.
    pub(super) fn failed(&self, what: &str) -> anyhow::Error {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = &lines[lines.len().saturating_sub(10)..];
        match tail {
            [] => anyhow::anyhow!("{what}"),
            tail => anyhow::anyhow!("{what}:\n  {}", tail.join("\n  ")),
        }
    }

    fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // It may have ended just now, which is what is asked for.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// The server outlives a driftline that had to be killed.
    fn stop_server(&self) {
        let Some(pid) = self.server.pid() else { return };
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let config = self.server.config();
        let config = config.as_os_str().as_encoded_bytes();
        // The number may belong to somebody else by now.
        if command.windows(config.len()).any(|part| part == config) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        self.signal_if_running(Signal::SIGTERM);
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.stop_server();
    }
}

impl Agent<'_> {
    /// Once it has been waited for, its number may be somebody else's.
    fn signal_if_running(&mut self, signal: Signal) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(signal);
        }
    }
}
