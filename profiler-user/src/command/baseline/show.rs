//! `driftline baseline show FILE`: what an image does, on a page that is read from top to bottom.

mod files;
mod tree;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::{print, print_json, text};
use crate::{
    baseline::{self, Baseline, Completeness, Entry},
    error::Error,
};

/// System calls in a line.
const LINE: usize = 100;

#[derive(Debug, Args)]
pub(super) struct Show {
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print it as JSON: what the page says, not the file
    #[arg(long)]
    json: bool,
    /// Every file and system call instead of a summary
    #[arg(long)]
    all: bool,
}

#[derive(Serialize)]
pub(super) struct Page<'a> {
    schema_version: &'static str,
    image: &'a baseline::Image,
    scope: &'a baseline::Scope,
    id: String,
    runs: usize,
    entries: usize,
    /// Entries that belong to where it was recorded.
    bound: Vec<Bound<'a>>,
    lost: u64,
    completeness: &'a Completeness,
}

#[derive(Serialize)]
struct Bound<'a> {
    executable: Option<&'a str>,
    list: &'static str,
    object: &'a str,
}

pub(super) fn run(args: &Show, now: Timestamp) -> Result<ExitCode, Error> {
    let held = baseline::load_file(&args.file)?;
    let completeness = held.completeness(now);
    if args.json {
        print_json(&data(&held, &completeness))?;
    } else {
        print(&page(&held, &completeness, args.all, now))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn data<'a>(held: &'a Baseline, completeness: &'a Completeness) -> Page<'a> {
    let bound = held.list().into_iter().filter(|entry| entry.bound);
    let bound =
        bound.map(|Entry { executable, list, key: object, .. }| Bound { executable, list, object });
    Page {
        schema_version: "driftline.baseline-page/v1",
        image: &held.image,
        scope: &held.scope,
        id: held.id(),
        runs: held.runs.len(),
        entries: held.entries(),
        bound: bound.collect(),
        lost: held.lost(),
        completeness,
    }
}

pub(super) fn page(
    held: &Baseline,
    completeness: &Completeness,
    all: bool,
    now: Timestamp,
) -> String {
    let mut page = String::new();
    head(&mut page, held, completeness);
    maturity(&mut page, held, completeness);
    page.push_str("\nPrograms\n");
    tree::write(&mut page, held);
    let mut of_programs = BTreeMap::<&str, Vec<Entry<'_>>>::new();
    for entry in held.list() {
        if let Some(path) = entry.executable {
            of_programs.entry(path).or_default().push(entry);
        }
    }
    for (path, executable) in &held.executables {
        let entries = of_programs.remove(path.as_str()).unwrap_or_default();
        program(&mut page, path, executable.args.len(), &entries, all);
    }
    calls(&mut page, held, all);
    approved(&mut page, held, now);
    if held.list().iter().any(|entry| entry.bound) {
        page.push_str("\n~ belongs to where it was recorded, not to the image\n");
    }
    page
}

/// What was never recorded, and may be done all the same.
fn approved(page: &mut String, held: &Baseline, now: Timestamp) {
    if held.approvals.is_empty() {
        return;
    }
    page.push_str("\nApproved\n");
    for (event, approval) in &held.approvals {
        let of = approval.executable.as_ref().map_or(String::new(), |path| format!("{path}: "));
        let entries: Vec<_> =
            approval.entries().map(|(list, key)| format!("{list} {key}")).collect();
        let by = approval.by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
        let until = match approval.expires {
            Some(end) if approval.is_over(now) => format!(", over since {end}"),
            Some(end) => format!(", until {end}"),
            None => String::new(),
        };
        let mut line = |text: &str| {
            let _ = writeln!(page, "  {}", text::plain(text));
        };
        line(&format!("{of}{} for {}{until}", entries.join(", "), approval.scope));
        line(&format!("  {}{by} ({}, event {event})", approval.reason, approval.approved));
    }
}

fn head(page: &mut String, held: &Baseline, completeness: &Completeness) {
    let day = |time: Timestamp| time.strftime("%Y-%m-%d %H:%MZ").to_string();
    let image = &held.image;
    let _ = writeln!(page, "{}", text::plain(&image.label()));
    let mut line = |what: &str, said: String| {
        let _ = writeln!(page, "  {what:<10} {}", text::plain(&said));
    };
    line(
        "image",
        image.id.clone().map_or_else(
            || image.architecture.clone(),
            |id| format!("{id}, {}", image.architecture),
        ),
    );
    for reference in &image.references {
        line("", reference.clone());
    }
    line("for", held.scope.to_string());
    for (number, ancestor) in held.ancestors.iter().enumerate() {
        let what = if number == 0 { "inherits" } else { "" };
        line(what, format!("of {ancestor} what this image was seen to do, and nothing else"));
    }
    let of_runs = |of: &dyn Fn(&baseline::Run) -> String| {
        let all: BTreeSet<_> = held.runs.values().map(of).filter(|it| !it.is_empty()).collect();
        all.into_iter().collect::<Vec<_>>().join(", ")
    };
    let first = held.runs.values().map(|run| run.started).min();
    let last = held.runs.values().map(|run| run.ended.unwrap_or(run.started)).max();
    if let (Some(first), Some(last)) = (first, last) {
        let runs = held.runs.len();
        let plural = if runs == 1 { "" } else { "s" };
        line("recorded", format!("{runs} run{plural}, {} to {}", day(first), day(last)));
        line(
            "",
            format!(
                "on {}, tier {}",
                of_runs(&|run| run.host.clone()),
                of_runs(&|run| run.tier.clone())
            ),
        );
    }
    let versions = of_runs(&|run| run.observer.clone().unwrap_or_default());
    if !versions.is_empty() {
        line("by", format!("driftline {versions}, generaliser {}", held.generaliser));
    }
    line("holds", format!("{} behaviours of {} programs", held.entries(), held.executables.len()));
    line("seen", text::coverage(completeness));
    line(
        "lost",
        match held.lost() {
            0 => "nothing".to_owned(),
            events => format!("{events} events"),
        },
    );
    for (why, runs) in &completeness.left_out {
        line("", format!("{runs} of {} runs do not count: {why}", held.runs.len()));
    }
}

fn maturity(page: &mut String, held: &Baseline, completeness: &Completeness) {
    let mut known = std::collections::BTreeMap::<_, usize>::new();
    for entry in held.list() {
        *known.entry(entry.aspect()).or_default() += 1;
    }
    let _ = writeln!(
        page,
        "\n{:<12} {:>6} {:>10} {:>22} {:>20} {:>20}",
        "", "known", "seen", "unseen (95 %)", "new in next run", "in next 10 minutes"
    );
    let overall = ("all", held.entries(), &completeness.overall);
    let aspects = completeness
        .aspects
        .iter()
        .map(|(aspect, measure)| (aspect.name(), known.get(aspect).copied().unwrap_or(0), measure));
    for (name, known, measure) in aspects.chain([overall]) {
        let coverage = measure.coverage().map_or_else(|| "unknown".to_owned(), text::percent);
        let unseen = measure.runs.estimate.map_or_else(
            || "-".to_owned(),
            |it| {
                let baseline::Interval { low, high } = it.unseen_interval;
                format!("{:.0} ({low:.0} to {high:.0})", it.unseen)
            },
        );
        let (run, window) = (text::next(&measure.runs), text::next(&measure.windows));
        let _ = writeln!(
            page,
            "{name:<12} {known:>6} {coverage:>10} {unseen:>22} {run:>20} {window:>20}"
        );
    }
}

fn program(page: &mut String, path: &str, args: usize, entries: &[Entry<'_>], all: bool) {
    let _ = writeln!(page, "\n{}", text::plain(path));
    if args > 3 {
        let _ = writeln!(page, "  {:<12} {args} sorts of arguments", "run with");
    }
    let mut lists: Vec<&str> = entries.iter().map(|entry| entry.list).collect();
    lists.dedup();
    for list in lists.into_iter().filter(|list| !matches!(*list, "parents" | "args")) {
        let of_list: Vec<_> = entries.iter().filter(|entry| entry.list == list).collect();
        let what = list.replace('_', " ");
        let lines = match list {
            "fileless" => vec!["it was run without having a file any more".to_owned()],
            "not_in_image" => vec!["it was written after the image".to_owned()],
            _ => files::lines(&of_list, all),
        };
        for (number, line) in lines.into_iter().enumerate() {
            let what = if number == 0 { what.as_str() } else { "" };
            let _ = writeln!(page, "  {what:<12} {}", text::plain(&line));
        }
    }
}

fn calls(page: &mut String, held: &Baseline, all: bool) {
    let (plain, others): (Vec<_>, Vec<_>) =
        held.syscalls.keys().partition(|name| all || !name.contains('('));
    let _ = writeln!(page, "\nSystem calls ({})", held.syscalls.len());
    let mut line = String::new();
    for name in others.into_iter().chain(plain) {
        if line.len() + name.len() > LINE {
            let _ = writeln!(page, " {line}");
            line.clear();
        }
        let _ = write!(line, " {}", text::plain(name).replace(' ', "\u{a0}"));
    }
    if !line.is_empty() {
        let _ = writeln!(page, " {line}");
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::sample as sample_for_tests;
