//! `driftline baseline merge`: several recordings of one image as one, on stdout.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use clap::Args;

use super::{print, text};
use crate::{
    baseline::{self, Baseline},
    error::Error,
};

#[derive(Debug, Args)]
pub(super) struct Merge {
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &Merge) -> Result<ExitCode, Error> {
    let mut merged: Option<Baseline> = None;
    for path in &args.files {
        let next = baseline::load_file(path)?;
        merged = Some(match merged {
            Some(before) => before
                .merge(next)
                .map_err(|error| Error::Baseline(format!("{}: {error}", path.display())))?,
            None => next,
        });
    }
    let Some(merged) = merged else {
        return Err(Error::Usage("there is no file to merge".to_owned()));
    };
    print(&baseline::render(&merged))?;
    eprintln!("driftline: {}", summary(&merged, args.files.len()));
    Ok(ExitCode::SUCCESS)
}

/// What came together, and what is still missing.
pub(super) fn summary(merged: &Baseline, files: usize) -> String {
    let runs = merged.runs.len();
    let partial = merged.runs.values().filter(|run| run.partial).count();
    let unfinished = merged.runs.values().filter(|run| run.ended.is_none()).count();
    let mut lost = BTreeMap::<&str, u64>::new();
    for (kind, count) in merged.runs.values().flat_map(|run| &run.lost) {
        let all = lost.entry(kind).or_default();
        *all = all.saturating_add(*count);
    }
    let mut parts = vec![format!("{files} files, {runs} runs, {} behaviours", merged.entries())];
    if partial > 0 {
        parts.push(format!("{partial} runs were not seen from their start or not all of the time"));
    }
    if unfinished > 0 {
        parts.push(format!("of {unfinished} the end was not seen"));
    }
    if !lost.is_empty() {
        let lost: Vec<_> =
            lost.iter().map(|(kind, count)| format!("{count} {}", text::plain(kind))).collect();
        let lost = lost.join(", ");
        parts.push(format!("events were lost ({lost}): record another run to fill the gap"));
    }
    parts.join("; ")
}
