//! Records per second that one core decodes and judges, and occurrences of drift per second that the store takes.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::row::Row;
use super::workload::bound;
use crate::sh;

pub(super) const SUITE: &str = "userspace";

pub(super) fn measure(replay: &Path, rounds: usize) -> Result<Vec<Row>> {
    let said = sh::output(bound(replay).arg(rounds.to_string()))?;
    let of = |name: &str| -> Result<Vec<f64>> {
        let values = said.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        values.map(|value| Ok(value.parse()?)).collect()
    };
    let row = |op, unit, values: &[f64]| {
        Row::of(SUITE, "judge", op, unit, values).with_context(|| format!("no {op} was measured"))
    };
    let percent: Vec<_> = of("novel")?.into_iter().map(|share| share * 100.0).collect();
    Ok(vec![
        row("events", "1/s", &of("rate")?)?,
        row("novel", "%", &percent)?,
        row("stored, once each", "1/s", &of("firsts")?)?,
        row("stored, 100 times each", "1/s", &of("repeats")?)?,
        row("stored, in a group", "1/s", &of("grouped")?)?,
        row("stored, of 10,000/s for 20 s", "1/s", &of("sustained")?)?,
        row("behind then, median", "ms", &of("sustained-median")?)?,
        row("behind then, worst", "ms", &of("sustained-worst")?)?,
    ])
}
