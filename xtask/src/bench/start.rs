//! How long it takes from starting driftline to the first event, and how much memory it has then.

use std::fs;
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::cost::Rounds;
use super::row::Row;
use super::subject::Bench;

pub(super) const SUITE: &str = "start";

pub(super) fn measure(bench: &Bench, count: usize) -> Result<Vec<Row>> {
    bench.record(&[])?;
    let (mut times, mut memory) = (Rounds::default(), Rounds::default());
    for _ in 0..count {
        let start = Instant::now();
        // The command's own start is the first thing to be seen.
        let watched = bench.under("watch", "idle")?;
        times.add("watch", "first-event", start.elapsed().as_secs_f64() * 1e3);
        memory.add("watch", "resident", resident(watched.started())?);
        watched.end()?;
    }
    Ok([times.rows(SUITE, "ms"), memory.rows(SUITE, "KiB")].concat())
}

/// A process's resident memory, in KiB.
pub(super) fn resident(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("a process without resident memory")?.parse()?)
}
