//! `driftline replay`: what would these baselines have told of what happened?

mod answer;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use answer::{compare, text};
use clap::Args;
use jiff::Timestamp;

use crate::agent::replay::{By, Replay as Judged};
use crate::baseline;
use crate::cli::{DEFAULT_STORE, home};
use crate::drift::severity::Table;
use crate::error::Error;
use crate::flight::{self, FlightError, Segment};
use crate::investigate::{self, History, moment};
use crate::store::{self, nanoseconds};

#[derive(Debug, Args)]
pub struct Replay {
    /// Directory of the history; an agent may be writing to it
    #[arg(long, value_name = "DIR", env = "DRIFTLINE_STORE", default_value = DEFAULT_STORE, hide_env_values = true, value_parser = home())]
    store: PathBuf,
    /// Directory of the baselines to judge by
    #[arg(long, value_name = "DIR", env = "DRIFTLINE_BASELINES", default_value = "baselines")]
    baselines: PathBuf,
    /// What happened since: 2h (ago; s, m, h, d, w), 2026-11-21, 2026-11-21T20:59:01Z
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// What happened until then
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Of this container: its id, or the beginning of it
    #[arg(long, value_name = "ID")]
    container: Option<String>,
    /// Of this namespace
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Believe only baselines that a key of this directory has signed
    #[arg(long, value_name = "DIR", env = "DRIFTLINE_TRUST")]
    trust: Option<PathBuf>,
    /// Judge peers and names by what this file says of this environment
    #[arg(long, value_name = "FILE", env = "DRIFTLINE_BIND")]
    bind: Option<PathBuf>,
    /// Grade drift by these rules first
    #[arg(long, value_name = "FILE", env = "DRIFTLINE_RULES")]
    rules: Option<PathBuf>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: &Replay) -> Result<ExitCode, Error> {
    let now = Timestamp::now();
    let time = |flag: &str, text: &Option<String>| {
        let time = text.as_deref().map(|text| moment(text, now)).transpose();
        time.map_err(|why| Error::Usage(format!("--{flag}: {why}")))
    };
    let (since, until) = (time("since", &args.since)?, time("until", &args.until)?);
    if let (Some(since), Some(until)) = (since, until)
        && since > until
    {
        return Err(Error::Usage(format!(
            "--since {since} is later than --until {until}: nothing is in between"
        )));
    }
    readable_baselines(&args.baselines)?;
    let rules = args.rules.as_deref().map(Table::load).transpose()?;
    let rules = rules.unwrap_or_else(|| Arc::clone(Table::builtin()));
    holds_history(&args.store)?;
    let mut history = History::open(&args.store).await?;
    let container = match &args.container {
        Some(name) => Some(history.container_id(name).await?),
        None => None,
    };
    let found = flight::segments(&args.store)?;
    if found.is_empty() {
        return Err(Error::History(format!(
            "the history {} has no behaviour log to judge: nothing is stored there yet; driftline watch without CMD writes one",
            args.store.display()
        )));
    }
    let (from, to) = (since.map_or(i64::MIN, nanoseconds), until.map_or(i64::MAX, nanoseconds));
    let mut replay = Judged::new(By {
        baselines: &args.baselines,
        trust: args.trust.as_deref(),
        bind: args.bind.as_deref(),
        rules,
    });
    let (mut left_out, mut torn, mut took) = (0, 0, Duration::ZERO);
    for one in &found {
        let begun = Instant::now();
        let segment = match Segment::read(&one.path) {
            // Retention took it meanwhile.
            Err(FlightError::Read { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                continue;
            }
            read => read?,
        };
        replay.take(&segment, from, to, |identity| {
            let is = |asked: &Option<String>, has: Option<&str>| {
                asked.as_deref().is_none_or(|asked| has == Some(asked))
            };
            is(&container, Some(identity.id.as_str())) && is(&args.namespace, identity.namespace())
        })?;
        took += begun.elapsed();
        left_out += segment.left_out;
        torn += u64::from(segment.is_torn);
    }
    let mut told = match replay.span {
        Some((first, last)) => {
            let at = |time: i64| Timestamp::from_nanosecond(time.into()).unwrap_or_default();
            investigate::told_drift(&mut history, at(first), at(last)).await?
        }
        None => Vec::new(),
    };
    history.close().await;
    told.retain(|one| container.as_ref().is_none_or(|asked| one.container == *asked));
    told.retain(|one| args.namespace.is_none() || one.line.namespace == args.namespace);
    let answer = compare(&replay, told, left_out, torn);
    say_speed(answer.judged, took);
    if args.json {
        let mut json = serde_json::to_vec_pretty(&answer).map_err(anyhow::Error::from)?;
        json.push(b'\n');
        super::print(&json)?;
    } else {
        super::print(text(&answer).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A watcher goes on without a baseline that it cannot read; an answer about a directory that was not all read would be taken
/// for the whole one.
fn readable_baselines(directory: &Path) -> Result<(), Error> {
    let unreadable = |error| {
        Error::Baseline(format!(
            "cannot read the baselines directory {}: {error}; give --baselines the directory to judge by",
            directory.display()
        ))
    };
    // What is not there has no baselines, to whoever is to record some.
    std::fs::read_dir(directory).map_err(unreadable)?;
    for listed in baseline::list(directory).map_err(unreadable)? {
        baseline::read_file(&listed.path).map_err(|error| Error::Baseline(error.to_string()))?;
    }
    Ok(())
}

/// Before it is opened: that nothing is there yet is no damage.
fn holds_history(store: &Path) -> Result<(), Error> {
    let advice =
        "give --store the directory of an agent's history; driftline watch without CMD writes one";
    let said = match std::fs::read_dir(store) {
        Err(error) => {
            format!("cannot read the store directory {}: {error}; {advice}", store.display())
        }
        Ok(_) if !store.join(store::FILE).exists() => {
            format!("nothing is stored in {}; {advice}", store.display())
        }
        Ok(_) => return Ok(()),
    };
    Err(Error::History(said))
}

fn say_speed(judged: u64, took: Duration) {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = judged as f64 / took.as_secs_f64().max(1e-9);
    eprintln!(
        "driftline: judged {judged} entries in {:.3} s: {:.2} million a second",
        took.as_secs_f64(),
        rate / 1e6
    );
}

impl From<FlightError> for Error {
    fn from(error: FlightError) -> Self {
        Self::History(error.to_string())
    }
}
