//! How long driftline itself ran on a processor.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// How long it must not have run for to be idle; its own timers are slower.
const QUIET: Duration = Duration::from_millis(60);

/// Nanoseconds that all threads of a process have run so far, once it has nothing left to do.
pub(super) fn when_idle(pid: u32) -> Result<f64> {
    let mut last = running(pid)?;
    loop {
        sleep(QUIET);
        let now = running(pid)?;
        if (now - last).abs() < f64::EPSILON {
            return Ok(now);
        }
        last = now;
    }
}

/// The first field of `schedstat`, in nanoseconds.
fn running(pid: u32) -> Result<f64> {
    let tasks = format!("/proc/{pid}/task");
    let tasks = fs::read_dir(&tasks).with_context(|| format!("reading {tasks}"))?;
    let mut sum = 0.0;
    for task in tasks {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        let field = text.split(' ').next().context("schedstat is empty")?;
        sum += field.parse::<f64>()?;
    }
    Ok(sum)
}
