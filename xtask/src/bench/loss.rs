//! What gets through of very many new behaviours at once: delivered and counted loss are to make up what was done.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::row::Row;
use super::subject::Bench;

pub(super) const SUITE: &str = "loss";

/// Distinct behaviours per second, and for how many of them.
const RATES: &[(u32, u32)] = &[(1_000, 2_000), (10_000, 20_000), (100_000, 100_000)];

/// At this rate nothing may be lost.
const BUSY: u32 = 10_000;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let files = bench.place.join("offered");
    fs::create_dir_all(&files)?;
    let most = RATES.iter().map(|(_, count)| *count).max().unwrap_or(0);
    for number in 0..most {
        fs::write(files.join(format!("f.{number:06}")), "x")?;
    }
    let mut rows = Vec::new();
    for (rate, count) in RATES {
        let name = format!("loss-{rate}");
        let mut workload = bench.under("record", &name)?;
        let took = workload.measure(&format!("offer-{rate}"), *count)?;
        workload.end()?;
        let file = bench.scratch.join("baselines").join(format!("{name}.json"));
        let (delivered, lost) = outcome(&file)?;
        let generated = u64::from(*count);
        ensure!(
            delivered + lost == generated,
            "of {generated} behaviours {delivered} were delivered and {lost} counted as lost"
        );
        ensure!(*rate != BUSY || lost == 0, "{lost} of {generated} were lost at {rate}/s");
        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
        let row =
            |op, unit, value: u64| Row::once(SUITE, &format!("{rate}/s"), op, unit, value as f64);
        rows.push(Row::once(SUITE, &format!("{rate}/s"), "offered", "1/s", 1e9 / took));
        rows.push(row("generated", "events", generated));
        rows.push(row("delivered", "events", delivered));
        rows.push(row("lost", "events", lost));
    }
    Ok(rows)
}

/// How often a baseline says that files of the series were read, and how many opens its runs lost.
fn outcome(file: &Path) -> Result<(u64, u64)> {
    let text = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let baseline: Value = serde_json::from_slice(&text)?;
    let members = |value: &Value| {
        value
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect::<Vec<_>>()
    };
    // `RUN*COUNT` for each of the runs, of which there is one here; without a count it is one.
    let count = |runs: &Value| -> u64 {
        let runs = runs.as_str().unwrap_or_default().split_whitespace();
        runs.map(|run| run.split_once('*').map_or(Some(1), |(_, n)| n.parse().ok()).unwrap_or(0))
            .sum()
    };
    let read = members(&baseline["executables"]);
    let read = read.iter().flat_map(|(_, executable)| members(&executable["read"]));
    let delivered = read.filter(|(path, _)| path.contains("/offered/f."));
    let delivered = delivered.map(|(_, seen)| count(&seen["runs"])).sum();
    let runs = members(&baseline["runs"]);
    let lost = runs.iter().filter_map(|(_, run)| run["lost"]["open"].as_u64()).sum();
    Ok((delivered, lost))
}
