//! Seconds until a question of `docs/runbook.md` is answered over a million events, in both stores.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::row::Row;
use crate::sh;

pub(super) const SUITE: &str = "questions";

/// Of the history that is asked.
const EVENTS: u32 = 1_000_000;

pub(super) fn measure(history: &Path, rounds: usize) -> Result<Vec<Row>> {
    let mut command = Command::new(history);
    let said = sh::output(command.arg(EVENTS.to_string()).arg(rounds.to_string()))?;
    // Each question's rounds follow one another.
    let mut found: Vec<((&str, &str), Vec<f64>)> = Vec::new();
    for line in said.lines() {
        let mut columns = line.split('\t');
        let (Some(store), Some(question), Some(seconds)) =
            (columns.next(), columns.next(), columns.next())
        else {
            // How long the making took.
            continue;
        };
        let seconds = seconds.parse()?;
        match found.last_mut() {
            Some((last, values)) if *last == (store, question) => values.push(seconds),
            _ => found.push(((store, question), vec![seconds])),
        }
    }
    let row = |((store, question), values): &((&str, &str), Vec<f64>)| {
        Row::of(SUITE, store, question, "s", values).context("a question was never asked")
    };
    found.iter().map(row).collect()
}
