//! What was measured, as rows: for JSON, and as a table for a person.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// One thing measured in several rounds.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Row {
    pub(crate) suite: String,
    pub(crate) subject: String,
    pub(crate) op: String,
    pub(crate) unit: String,
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) rounds: usize,
    /// How the subject was set up, where its name does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
}

impl Row {
    /// Sums up what the rounds gave; none if there was no round.
    pub(crate) fn of(
        suite: &str,
        subject: &str,
        op: &str,
        unit: &str,
        rounds: &[f64],
    ) -> Option<Self> {
        let mut sorted = rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let upper = *sorted.get(middle)?;
        let median = if sorted.len().is_multiple_of(2) {
            f64::midpoint(sorted[middle - 1], upper)
        } else {
            upper
        };
        Some(Self {
            suite: suite.to_owned(),
            subject: subject.to_owned(),
            op: op.to_owned(),
            unit: unit.to_owned(),
            median,
            min: sorted[0],
            max: sorted[sorted.len() - 1],
            rounds: sorted.len(),
            detail: None,
        })
    }

    /// One number that was measured once or is the same each time.
    pub(crate) fn once(suite: &str, subject: &str, op: &str, unit: &str, value: f64) -> Self {
        Self::of(suite, subject, op, unit, &[value]).expect("one round")
    }
}

/// The verifier's work for one program, from what `driftline-hooks list` printed of it.
pub(crate) fn of_hook(hook: &str) -> Result<Row> {
    #[derive(Deserialize)]
    struct Hook {
        program: String,
        verified: u32,
    }
    let hook: Hook = serde_json::from_str(hook).context("what driftline-hooks listed")?;
    let verified = f64::from(hook.verified);
    Ok(Row::once("verifier", &hook.program, "load", "instructions", verified))
}

/// The row of this subject and operation.
pub(crate) fn find<'a>(rows: &'a [Row], subject: &str, op: &str) -> Option<&'a Row> {
    rows.iter().find(|row| row.subject == subject && row.op == op)
}

/// Writes all rows as one JSON array.
pub(crate) fn write_json(rows: &[Row], file: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(rows)?;
    std::fs::write(file, text + "\n").with_context(|| format!("writing {}", file.display()))
}

/// A table in Markdown: a line per subject, a column per operation. What one subject costs alone is told whole, of the
/// others what they add to its median, with the spread of their rounds.
pub(crate) fn costs(rows: &[Row], alone: &str) -> String {
    let subjects = distinct(rows.iter().map(|row| &row.subject));
    let ops = distinct(rows.iter().map(|row| &row.op));
    let unit = rows.first().map_or("", |row| row.unit.as_str());
    let mut table = format!("| {unit} |");
    for op in &ops {
        let _ = write!(table, " {op} |");
    }
    let _ = write!(table, "\n|---|{}", "---|".repeat(ops.len()));
    for subject in subjects {
        let _ = write!(table, "\n| {subject} |");
        for op in &ops {
            let cell = match (find(rows, subject, op), find(rows, alone, op)) {
                (Some(row), Some(base)) if row.subject != alone => format!(
                    "{} ({} … {})",
                    added(row.median - base.median),
                    added(row.min - base.median),
                    added(row.max - base.median)
                ),
                (Some(row), _) => {
                    format!("{} ({} … {})", number(row.median), number(row.min), number(row.max))
                }
                (None, _) => "–".to_owned(),
            };
            let _ = write!(table, " {cell} |");
        }
    }
    table + "\n"
}

/// What a behaving container adds to an operation, as a multiple of what empty programs on the same hooks add: the limit is stated
/// for one system call.
pub(crate) fn against_empty(rows: &[Row]) -> String {
    const LIMIT: f64 = 1.25;
    let added = |subject: &str, op: &str| {
        Some(find(rows, subject, op)?.median - find(rows, "nothing", op)?.median)
    };
    let mut told = "| a behaving container, to empty programs |".to_owned();
    let mut line = "| added time |".to_owned();
    let mut verdict = "";
    let ops = distinct(rows.iter().map(|row| &row.op));
    for op in &ops {
        let _ = write!(told, " {op} |");
        let ratio = added("behaving", op).zip(added("empty", op)).filter(|(_, empty)| *empty > 0.0);
        let ratio = ratio.map(|(behaving, empty)| behaving / empty);
        let _ = match ratio {
            Some(ratio) => write!(line, " {ratio:.2}× |"),
            None => write!(line, " – |"),
        };
        if *op == "getppid" {
            verdict = match ratio {
                Some(ratio) if ratio <= LIMIT => "within",
                Some(_) => "over",
                None => "not measurable against",
            };
        }
    }
    let rule = "---|".repeat(ops.len());
    format!("{told}\n|---|{rule}\n{line}\n\nOne system call is {verdict} the limit of {LIMIT}×.\n")
}

/// A line for each subject whose name does not say how it was set up.
pub(crate) fn details(rows: &[Row]) -> String {
    let told = rows.iter().filter_map(|row| Some((&row.subject, row.detail.as_ref()?)));
    let mut lines = Vec::new();
    for (subject, detail) in told {
        let line = format!("{subject}: {detail}\n");
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.concat()
}

/// A table in Markdown with a line per row.
pub(crate) fn list(rows: &[Row]) -> String {
    let mut table =
        "| what | subject | median | min … max | unit |\n|---|---|---|---|---|\n".to_owned();
    for Row { subject, op, unit, median, min, max, .. } in rows {
        let (median, min, max) = (number(*median), number(*min), number(*max));
        let _ = writeln!(table, "| {op} | {subject} | {median} | {min} … {max} | {unit} |");
    }
    table
}

fn distinct<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name.as_str()) {
            seen.push(name.as_str());
        }
    }
    seen
}

fn added(value: f64) -> String {
    format!("{}{}", if value < 0.0 { "−" } else { "+" }, number(value.abs()))
}

/// With separators for a person, and a digit behind the point where that says something.
fn number(value: f64) -> String {
    if value < 100.0 && value.fract() != 0.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Row, against_empty, costs, number};

    #[test]
    fn a_row_has_the_median_and_the_spread() {
        let row = Row::of("host", "nothing", "open", "ns", &[3.0, 1.0, 9.0, 2.0]).unwrap();
        assert_eq!((row.median, row.min, row.max, row.rounds), (2.5, 1.0, 9.0, 4));
        assert!(Row::of("host", "nothing", "open", "ns", &[]).is_none());
    }

    #[test]
    fn a_table_tells_what_a_subject_adds() {
        let rows = [
            Row::once("guest", "nothing", "open", "instructions", 5_000.0),
            Row::once("guest", "behaving", "open", "instructions", 6_200.0),
        ];
        let table = costs(&rows, "nothing");
        assert!(table.contains("| nothing | 5,000 (5,000 … 5,000) |"), "{table}");
        assert!(table.contains("| behaving | +1,200 (+1,200 … +1,200) |"), "{table}");
    }

    #[test]
    fn the_limit_is_for_a_system_call() {
        let rows = |behaving| {
            [("nothing", 50.0), ("empty", 70.0), ("behaving", behaving)]
                .map(|(subject, ns)| Row::once("host", subject, "getppid", "ns", ns))
        };
        assert!(against_empty(&rows(75.0)).contains("| 1.25× |"));
        assert!(against_empty(&rows(75.0)).contains("is within the limit"));
        assert!(against_empty(&rows(75.5)).contains("is over the limit"));
        assert!(against_empty(&rows(75.0)[..1]).contains("not measurable"));
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!([number(1_234_567.0), number(12.34), number(7.0)], ["1,234,567", "12.3", "7"]);
    }
}
