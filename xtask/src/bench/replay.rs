//! Entries of a behaviour log that `driftline replay` judges in a second of a processor.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::row::Row;
use super::workload::bound;
use crate::sh;

pub(super) const SUITE: &str = "replay";

pub(super) fn measure(replay: &Path, rounds: usize) -> Result<Vec<Row>> {
    let said = sh::output(bound(replay).arg(rounds.to_string()).arg("log"))?;
    let of = |name: &str, op, unit| {
        let values = said.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let values: Vec<f64> = values.map(str::parse).collect::<Result<_, _>>()?;
        Row::of(SUITE, "replay", op, unit, &values).with_context(|| format!("no {op} was measured"))
    };
    Ok(vec![
        of("known", "services, one of 100 containers drifts", "1/s")?,
        of("known-entries", "their entries", "")?,
        of("drifted", "services, all of them drift", "1/s")?,
        of("drifted-entries", "their entries", "")?,
        of("distinct", "no behaviour comes twice, all is drift", "1/s")?,
        of("distinct-entries", "their entries", "")?,
    ])
}
