//! `driftline baseline diff A B`: what B holds that A does not. As a gate before a release: status 3 when anything is new.

use std::{
    fmt::Write as _,
    io::IsTerminal as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;

use super::{print, print_json, risk, sarif, text};
use crate::{
    baseline::{self, Baseline, Entry, Whereabouts},
    drift::{DriftKind, Novelty, Severity},
    error::{Error, code},
    sink::terminal::code as colour_of,
};

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The baseline that is agreed on
    #[arg(value_name = "A")]
    one: PathBuf,
    /// The one that is to take its place
    #[arg(value_name = "B")]
    other: PathBuf,
    /// As what the differences are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as --format json
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    /// For people
    Text,
    Json,
    /// SARIF 2.1.0, for code review
    Sarif,
}

/// What differs, the gravest first.
#[derive(Debug, Serialize)]
pub(super) struct Differences<'a> {
    pub(super) schema_version: &'static str,
    pub(super) from: Side<'a>,
    pub(super) to: Side<'a>,
    pub(super) new: Vec<Difference<'a>>,
    pub(super) gone: Vec<Difference<'a>>,
    /// In both, but at other times of a run.
    pub(super) changed: Vec<Difference<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Side<'a> {
    pub(super) file: &'a Path,
    image: String,
    id: String,
    runs: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct Difference<'a> {
    pub(super) kind: DriftKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) executable: Option<&'a str>,
    pub(super) list: &'static str,
    pub(super) object: &'a str,
    pub(super) severity: Severity,
    pub(super) novelty: Novelty,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) techniques: &'static [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<&'static str>,
    /// Another environment will have another in its place.
    pub(super) bound: bool,
    /// In how many runs it was seen.
    pub(super) runs: usize,
    pub(super) phase: String,
    /// Of what changed, what it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) phase_before: Option<String>,
}

pub(super) fn run(args: &Diff) -> Result<ExitCode, Error> {
    let (one, other) = (baseline::load_file(&args.one)?, baseline::load_file(&args.other)?);
    if one.generaliser != other.generaliser {
        return Err(Error::Baseline(format!(
            "{} was made with generaliser {} and {} with {}: their patterns mean different things, record the older one again",
            args.one.display(),
            one.generaliser,
            args.other.display(),
            other.generaliser
        )));
    }
    // Who may do more by an approval is told as who does more.
    let now = Timestamp::now();
    let allowed = |held: &Baseline| held.with_approved(Whereabouts::default(), now).into_owned();
    let (one_may, other_may) = (allowed(&one), allowed(&other));
    let mut differences = compare((&args.one, &one_may), (&args.other, &other_may));
    (differences.from.id, differences.to.id) = (one.id(), other.id());
    match (args.format, args.json) {
        (Format::Sarif, false) => {
            let text = std::fs::read_to_string(&args.other).unwrap_or_default();
            print_json(&sarif::log(&differences, &text))?;
        }
        (Format::Text, false) => {
            let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            print(&page(&differences, std::io::stdout().is_terminal() && !no_colour))?;
        }
        _ => print_json(&differences)?,
    }
    Ok(if differences.new.is_empty() { ExitCode::SUCCESS } else { code::DRIFT.into() })
}

pub(super) fn compare<'a>(
    (from, one): (&'a Path, &'a Baseline),
    (to, other): (&'a Path, &'a Baseline),
) -> Differences<'a> {
    let known_anywhere: std::collections::BTreeSet<_> =
        one.list().iter().map(|entry| (entry.list, entry.key)).collect();
    let side = |file, held: &Baseline| Side {
        file,
        image: held.image.label(),
        id: held.id(),
        runs: held.runs.len(),
    };
    let mut new = Vec::new();
    let mut changed = Vec::new();
    for entry in other.list() {
        let novelty = if known_anywhere.contains(&(entry.list, entry.key)) {
            Novelty::Executable
        } else {
            Novelty::Container
        };
        match one.counterpart(&entry) {
            None => new.push(difference(&as_drift(entry, one), novelty, None)),
            Some(seen) => {
                let both_say = !seen.phase.is_empty() && !entry.seen.phase.is_empty();
                if both_say && seen.phase != entry.seen.phase {
                    changed.push(difference(&entry, novelty, Some(seen.phase.to_string())));
                }
            }
        }
    }
    let gone = one.list().into_iter().filter(|entry| other.counterpart(entry).is_none());
    let mut gone: Vec<_> = gone.map(|entry| difference(&entry, Novelty::Container, None)).collect();
    for list in [&mut new, &mut gone, &mut changed] {
        list.sort_by_key(|it| (std::cmp::Reverse(it.severity), it.executable, it.kind));
    }
    let schema_version = "driftline.diff/v1";
    Differences { schema_version, from: side(from, one), to: side(to, other), new, gone, changed }
}

/// Of a program that the other baseline does not know, whoever runs it: it is the program that is new.
fn as_drift<'a>(mut entry: Entry<'a>, one: &Baseline) -> Entry<'a> {
    let is_known = entry.executable.is_none_or(|path| one.executables.contains_key(path));
    match entry.kind {
        DriftKind::ExecParent if !is_known => entry.kind = DriftKind::Exec,
        DriftKind::Exec if is_known => entry.kind = DriftKind::ExecParent,
        _ => {}
    }
    entry
}

fn difference<'a>(
    entry: &Entry<'a>,
    novelty: Novelty,
    phase_before: Option<String>,
) -> Difference<'a> {
    let verdict = risk::of(entry, novelty);
    Difference {
        kind: entry.kind,
        executable: entry.executable,
        list: entry.list,
        object: entry.key,
        severity: verdict.severity,
        novelty,
        techniques: &verdict.techniques,
        why: verdict.why.as_deref(),
        bound: entry.bound,
        runs: entry.seen.runs(),
        phase: entry.seen.phase.to_string(),
        phase_before,
    }
}

impl Difference<'_> {
    /// `/usr/bin/dash: read /etc/shadow`
    pub(super) fn phrase(&self) -> String {
        let list = self.list.replace('_', " ");
        let phrase = match (self.executable, self.kind) {
            (Some(path), DriftKind::Exec) => format!("{path} is run by {}", self.object),
            (Some(path), _) => format!("{path}: {list} {}", self.object),
            (None, _) => format!("system call {}", self.object),
        };
        text::plain(&phrase)
    }
}

pub(super) fn page(differences: &Differences<'_>, colour: bool) -> String {
    let mut page = String::new();
    let Differences { from, to, new, gone, changed, .. } = differences;
    let sides = [(from, "from"), (to, "to  ")];
    for (side, what) in sides {
        let (file, image) = (side.file.display(), text::plain(&side.image));
        let _ = writeln!(page, "{what} {file}: {image}, {} runs", side.runs);
    }
    for (title, list) in [("new", new), ("gone", gone), ("changed", changed)] {
        if list.is_empty() {
            continue;
        }
        let _ = writeln!(page, "\n{title} ({})", list.len());
        for it in list {
            let (on, off) = if colour && title == "new" {
                (colour_of(it.severity), "\x1b[0m")
            } else {
                ("", "")
            };
            let _ = write!(page, "  {on}{:<8}{off} {:<14} {}", it.severity, it.kind, it.phrase());
            if let Some(before) = &it.phase_before {
                let _ = write!(page, " (was {before}, is {})", it.phase);
            }
            if let Some(why) = it.why.filter(|_| title == "new") {
                let _ = write!(page, ": {why}");
            }
            if it.bound {
                page.push_str(" ~");
            }
            page.push('\n');
        }
    }
    if new.is_empty() && gone.is_empty() && changed.is_empty() {
        page.push_str("\nthey hold the same\n");
    } else if [new, gone, changed].into_iter().flatten().any(|it| it.bound) {
        page.push_str("\n~ belongs to where it was recorded, not to the image\n");
    }
    page
}

#[cfg(test)]
mod tests;
