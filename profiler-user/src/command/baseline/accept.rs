//! `driftline baseline accept`: what was told as learned anew is taken into a bind file, on stdout, by a person.

use std::{collections::BTreeMap, fs, path::PathBuf, process::ExitCode};

use clap::Args;
use serde::Deserialize;

use super::print;
use crate::{
    bind::{Accepted, Bind, BindError, BindFile},
    error::Error,
};

#[derive(Debug, Args)]
pub(super) struct Accept {
    /// The bind file that `watch` was given
    #[arg(long, value_name = "FILE", env = "DRIFTLINE_BIND")]
    bind: PathBuf,
    /// The events that `watch` wrote
    #[arg(long, value_name = "FILE", env = "DRIFTLINE_EVENTS")]
    events: PathBuf,
    /// Only these; without any, all that was learned anew
    #[arg(value_name = "EVENT_ID")]
    ids: Vec<String>,
}

/// Of an event, what matters here.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "event.id")]
    id: String,
    #[serde(rename = "drift.relearn")]
    relearn: Option<Accepted>,
}

pub(super) fn run(args: &Accept) -> Result<ExitCode, Error> {
    let refuse = |path: &PathBuf, reason| BindError { path: path.clone(), reason };
    let bytes = fs::read(&args.bind).map_err(|error| refuse(&args.bind, error.to_string()))?;
    let mut file = BindFile::parse(&bytes).map_err(|reason| refuse(&args.bind, reason))?;
    let events = fs::read_to_string(&args.events).map_err(|error| {
        Error::Baseline(format!("cannot read the events of {}: {error}", args.events.display()))
    })?;
    let told = told(&events)
        .map_err(|why| Error::Baseline(format!("events of {}: {why}", args.events.display())))?;
    if let Some(unknown) = args.ids.iter().find(|id| !told.contains_key(*id)) {
        return Err(Error::Usage(format!(
            "{}: there is no event {unknown} of anything learned anew; its ids are {}",
            args.events.display(),
            told.keys().cloned().collect::<Vec<_>>().join(", ")
        )));
    }
    let before = file.accept.len();
    let is_chosen = |id: &String| args.ids.is_empty() || args.ids.contains(id);
    file.accept.extend(told.into_iter().filter(|(id, _)| is_chosen(id)).map(|(_, one)| one));
    let text = serde_json::to_string_pretty(&file).map_err(anyhow::Error::from)?;
    Bind::parse(text.as_bytes()).map_err(|reason| refuse(&args.bind, reason))?;
    print(&format!("{text}\n"))?;
    eprintln!("driftline: accepted {} entries more", file.accept.len() - before);
    Ok(ExitCode::SUCCESS)
}

/// By the event's id.
fn told(events: &str) -> Result<BTreeMap<String, Accepted>, String> {
    let mut told = BTreeMap::new();
    for (at, line) in events.lines().enumerate() {
        let line: Line = serde_json::from_str(line)
            .map_err(|error| format!("line {} is no event: {error}", at + 1))?;
        told.extend(line.relearn.map(|accepted| (line.id, accepted)));
    }
    Ok(told)
}
