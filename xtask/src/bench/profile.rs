//! Which hook an operation's cost comes from: the kernel's own statistics of its programs, in the guest whose nanoseconds are
//! instructions. What calls a program is not in it, the statistics' own clock is.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::row::Row;
use super::subject::{Bench, Op, Running, Subject};

pub(super) const SUITE: &str = "hook";

const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// What `driftline-hooks list` prints of a program that has run.
#[derive(Clone, Copy, Default, Deserialize)]
struct Runs {
    run_time: f64,
    run_count: f64,
}

/// A row for each program that runs in an operation of a behaving container.
pub(super) fn measure(bench: &Bench, ops: &[Op]) -> Result<Vec<Row>> {
    let mut running = bench.start(Subject::Behaving)?;
    let agent = running.agent().context("driftline watches")?;
    for op in ops {
        running.measure(*op)?;
    }
    running.stop_agent()?;
    fs::write(SWITCH, "1").context("switching statistics on")?;
    let mut rows = Vec::new();
    for op in ops {
        // What asking for it takes, by this program and others, is in both.
        let once = Op { count: 1, ..*op };
        let before = counted(bench, agent, &mut running, once)?;
        let after = counted(bench, agent, &mut running, *op)?;
        rows.extend(row(*op, &before, &after));
    }
    fs::write(SWITCH, "0").context("switching statistics off")?;
    running.continue_agent()?;
    running.end()?;
    Ok(rows)
}

fn row(op: Op, before: &BTreeMap<String, Runs>, after: &BTreeMap<String, Runs>) -> Vec<Row> {
    let mut rows = Vec::new();
    for (program, after) in after {
        let before = before.get(program).copied().unwrap_or_default();
        let each = |after: f64, before: f64| (after - before) / f64::from(op.count - 1);
        let count = each(after.run_count, before.run_count);
        if count >= 0.5 {
            let subject = format!("{program}, {count:.1} runs");
            let took = each(after.run_time, before.run_time);
            rows.push(Row::once(SUITE, &subject, op.name, "instructions", took));
        }
    }
    rows.sort_by(|one, other| other.median.total_cmp(&one.median));
    rows
}

/// What an operation adds, and whatever runs meanwhile.
fn counted(
    bench: &Bench,
    agent: u32,
    running: &mut Running,
    op: Op,
) -> Result<BTreeMap<String, Runs>> {
    let before = runs(bench, agent)?;
    running.measure(op)?;
    let mut counted = runs(bench, agent)?;
    for (program, runs) in &mut counted {
        let before = before.get(program).copied().unwrap_or_default();
        runs.run_time -= before.run_time;
        runs.run_count -= before.run_count;
    }
    Ok(counted)
}

fn runs(bench: &Bench, agent: u32) -> Result<BTreeMap<String, Runs>> {
    #[derive(Deserialize)]
    struct Hook {
        program: String,
        #[serde(flatten)]
        runs: Runs,
    }
    let mut all = BTreeMap::<String, Runs>::new();
    for hook in bench.list_hooks(agent)?.lines() {
        let Hook { program, runs } = serde_json::from_str(hook)?;
        all.insert(program, runs);
    }
    Ok(all)
}
