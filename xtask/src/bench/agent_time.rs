//! How long driftline, or another tool, itself ran on a processor.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

/// How long it must not have run for to be idle; its own timers are slower.
const QUIET: Duration = Duration::from_millis(60);

/// What takes longer is never idle.
const PATIENCE: Duration = Duration::from_secs(30);

/// The statistics of a process's threads, kept open: a tool that watches who opens files would wake up at each look.
pub(super) struct Clock(Vec<File>);

impl Clock {
    /// For the threads that a process has now.
    pub(super) fn of(pid: u32) -> Result<Self> {
        let tasks = format!("/proc/{pid}/task");
        let tasks = fs::read_dir(&tasks).with_context(|| format!("reading {tasks}"))?;
        let open = |task: std::io::Result<fs::DirEntry>| File::open(task?.path().join("schedstat"));
        Ok(Self(tasks.map(open).collect::<std::io::Result<_>>()?))
    }

    /// Nanoseconds that they have run so far, once they have nothing left to do.
    pub(super) fn when_idle(&self) -> Result<f64> {
        let start = Instant::now();
        let mut last = self.ran()?;
        loop {
            ensure!(start.elapsed() < PATIENCE, "it does not come to rest");
            sleep(QUIET);
            let now = self.ran()?;
            if (now - last).abs() < f64::EPSILON {
                return Ok(now);
            }
            last = now;
        }
    }

    /// Nanoseconds that they have run so far: the first field of `schedstat`.
    pub(super) fn ran(&self) -> Result<f64> {
        let mut sum = 0.0;
        for file in &self.0 {
            let mut text = [0; 128];
            let length = file.read_at(&mut text, 0)?;
            let text = std::str::from_utf8(&text[..length])?;
            let field = text.split(' ').next().context("schedstat is empty")?;
            sum += field.parse::<f64>()?;
        }
        Ok(sum)
    }
}
