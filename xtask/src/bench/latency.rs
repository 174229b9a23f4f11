//! How long it takes from a deed in a container to the line in the events file, and to the request at Alertmanager.

use anyhow::{Context as _, Result, ensure};

use super::row::Row;
use crate::cargo;

pub(super) const SUITE: &str = "latency";

/// Deeds of which each is told by itself.
const DEEDS: usize = 200;

/// The test `agent_latency` does it, in containers of containerd: it says `latency WHERE COUNT MEDIAN P99`.
pub(super) fn measure(dev: bool) -> Result<Vec<Row>> {
    let mut test = cargo::cargo();
    test.args(["test", "--package", "driftline-tests", "--test", "agent_latency"]);
    if !dev {
        test.arg("--release");
    }
    test.args(["--", "--nocapture"]).env("DRIFTLINE_LATENCY", DEEDS.to_string());
    let output = test.output().context("running the test agent_latency")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the test agent_latency failed:\n{said}");
    let mut rows = Vec::new();
    for line in said.lines().filter_map(|line| line.strip_prefix("latency ")) {
        let words: Vec<_> = line.split(' ').collect();
        let [place, count, median, high] = words[..] else { continue };
        ensure!(count.parse::<usize>()? >= DEEDS, "only {count} deeds were told");
        rows.push(Row::once(SUITE, place, "p50", "ms", median.parse()?));
        rows.push(Row::once(SUITE, place, "p99", "ms", high.parse()?));
    }
    ensure!(rows.len() == 4, "the test agent_latency was skipped:\n{said}");
    Ok(rows)
}
