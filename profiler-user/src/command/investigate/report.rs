//! `driftline investigate report`: an incident as one page.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::which::{Where, Which, Within};
use crate::baseline;
use crate::command;
use crate::error::Error;
use crate::evidence;
use crate::investigate::{self, Form, Heading};
use crate::store::{self, fleet::Address};

#[derive(Debug, Args)]
pub(super) struct Report {
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    within: Within,
    /// At most so many entries in the timeline, the newest ones
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// What it is called
    #[arg(long, value_name = "TEXT", default_value = "Incident report")]
    title: String,
    /// As which text
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Write it here instead of to stdout; all of it, or nothing
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Look for evidence of these containers here as well: the directory of a node's history, or a copy of it with `evidence`
    /// and `evidence-key.pub`; repeat it for more
    #[arg(long, value_name = "DIR")]
    evidence: Vec<PathBuf>,
    /// Do not prove the log, which reads it from the timeline's oldest event on
    #[arg(long)]
    unproven: bool,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    #[default]
    Markdown,
    /// One page without scripts, and without anything to be fetched
    Html,
}

pub(super) async fn run(args: &Report, now: Timestamp) -> Result<ExitCode, Error> {
    let window = args.within.window()?;
    let mut history = args.at.open().await?;
    let selector = args.which.selector(&mut history, now).await?;
    let mut report = investigate::report(&mut history, &selector, window, args.limit).await?;
    history.close().await;
    let ids = report.lives.iter().map(|life| life.identity.id.to_string()).collect();
    for directory in &args.evidence {
        evidence::told::is_place(directory).map_err(Error::History)?;
    }
    for directory in
        args.at.directory().into_iter().chain(args.evidence.iter().map(PathBuf::as_path))
    {
        report.evidence.extend(evidence::told::told(directory, &ids));
    }
    report.evidence.sort_by(|one, other| one.id.cmp(&other.id));
    report.evidence.dedup_by(|one, other| one.id == other.id);
    let (log, log_is_whole) = if args.unproven {
        ("Whether the log is whole was not looked at.".to_owned(), true)
    } else if let Some(directory) = args.at.directory() {
        proof(directory, report.oldest()).await?
    } else {
        let word = "These are copies from many nodes: whether each log is whole is proved at home, by driftline investigate verify-log.";
        (word.to_owned(), true)
    };
    // An address may hold a password.
    let words = std::env::args().map(|word| hidden(&word)).collect::<Vec<_>>();
    let heading = Heading {
        title: args.title.clone(),
        made: now,
        command: shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default(),
        host: crate::host_name(),
        log,
        log_is_whole,
    };
    let form = match args.format {
        Format::Html => Form::Html,
        Format::Markdown => Form::Markdown,
    };
    let text = report.text(&heading, form).map_err(anyhow::Error::from)?;
    match &args.output {
        Some(file) => baseline::write_file(file, text.as_bytes())
            .map_err(|error| Error::Output(error.to_string()))?,
        None => command::print(text.as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A word of the command line without what nobody else shall read.
fn hidden(word: &str) -> String {
    let (flag, value) = word.split_once('=').filter(|(flag, _)| *flag == "--store").unzip();
    match value.unwrap_or(word).parse::<Address>() {
        Ok(address) => flag.map_or(address.to_string(), |flag| format!("{flag}={address}")),
        Err(_) => word.to_owned(),
    }
}

/// Events that are proved in less than a second: so many more are no reason to leave any out.
const FEW: i64 = 10_000;

/// What the proof of the timeline says, whose oldest event is `oldest`; and whether that is whole.
async fn proof(directory: &std::path::Path, oldest: i64) -> Result<(String, bool), Error> {
    let from = if oldest <= FEW { 1 } else { oldest };
    let verdict = store::verify_store_from(directory, &[], from).await;
    let verdict = verdict.map_err(|error| Error::History(error.to_string()))?;
    Ok(match (&verdict.broken, verdict.last, &verdict.hash) {
        (Some(broken), ..) => (
            format!(
                "The log is BROKEN at event {}: {}. What follows cannot be relied on.",
                broken.seq, broken.what
            ),
            false,
        ),
        (None, Some(last), Some(hash)) if from > 1 => (
            format!(
                "The log was proved whole from event {from} on, the oldest in the timeline: {} events, its head is {last}:{hash}. \
                 What is told from before that is proved by driftline investigate verify-log.",
                verdict.events
            ),
            true,
        ),
        (None, Some(last), Some(hash)) => (
            format!(
                "The log was proved whole: {} events, its head is {last}:{hash}.",
                verdict.events
            ),
            true,
        ),
        _ => ("The log was proved whole: it is empty.".to_owned(), true),
    })
}
