//! `driftline baseline list DIR`: a table of its baselines.

use std::{fmt::Write as _, path::PathBuf, process::ExitCode};

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::{print, print_json, text};
use crate::{baseline, error::Error};

#[derive(Debug, Args)]
pub(super) struct List {
    /// The directory
    #[arg(value_name = "DIR", env = "DRIFTLINE_BASELINES", default_value = "baselines")]
    directory: PathBuf,
    /// Print the table as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    file: PathBuf,
    #[serde(flatten)]
    known: Option<Known>,
    /// Why it cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    unusable: Option<String>,
}

#[derive(Serialize)]
struct Known {
    image: String,
    architecture: String,
    scope: String,
    id: String,
    runs: usize,
    entries: usize,
    /// 0 where there is not enough to tell.
    coverage: f64,
    lost: u64,
    last_recorded: Option<Timestamp>,
}

pub(super) fn run(args: &List, now: Timestamp) -> Result<ExitCode, Error> {
    let listed = baseline::list(&args.directory).map_err(|error| {
        Error::Baseline(format!(
            "cannot read the baselines directory {}: {error}; give another one",
            args.directory.display()
        ))
    })?;
    let rows: Vec<Row> = listed.into_iter().map(|listed| row(listed.path, now)).collect();
    if args.json {
        print_json(&rows)?;
    } else {
        print(&table(&rows))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn row(file: PathBuf, now: Timestamp) -> Row {
    match baseline::load_file(&file) {
        Ok(held) => {
            let known = Known {
                image: held.label(),
                architecture: held.image.architecture.clone(),
                scope: held.scope.to_string(),
                id: held.id(),
                runs: held.runs.len(),
                entries: held.entries(),
                coverage: held.completeness(now).coverage,
                lost: held.lost(),
                last_recorded: held.runs.values().map(|run| run.ended.unwrap_or(run.started)).max(),
            };
            Row { file, known: Some(known), unusable: None }
        }
        Err(error) => Row { file, known: None, unusable: Some(error.to_string()) },
    }
}

fn table(rows: &[Row]) -> String {
    let mut page = String::new();
    let width = rows.iter().filter_map(|row| Some(row.known.as_ref()?.image.len()));
    let width = width.max().unwrap_or(0).max(5);
    let known: Vec<_> = rows.iter().filter_map(|row| row.known.as_ref()).collect();
    if !known.is_empty() {
        let _ = writeln!(
            page,
            "{:<width$}  {:>5}  {:>7}  {:>8}  {:>6}  last recorded",
            "image", "runs", "entries", "coverage", "lost"
        );
    }
    for Known { image, runs, entries, coverage, lost, last_recorded, .. } in known {
        let coverage =
            if *coverage > 0.0 { text::percent(*coverage) } else { "unknown".to_owned() };
        let last = last_recorded.map(|time| time.strftime("%Y-%m-%d %H:%MZ").to_string());
        let _ = writeln!(
            page,
            "{:<width$}  {runs:>5}  {entries:>7}  {coverage:>8}  {lost:>6}  {}",
            text::plain(image),
            last.unwrap_or_default()
        );
    }
    for why in rows.iter().filter_map(|row| row.unusable.as_ref()) {
        let _ = writeln!(page, "{}", text::plain(why));
    }
    page
}
