//! `driftline replay`: what would these baselines have told of what happened?

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use crate::agent::replay::{By, Replay as Judged};
use crate::baseline;
use crate::cli::{DEFAULT_STORE, home};
use crate::drift::severity::Table;
use crate::drift::{Event, clean};
use crate::error::Error;
use crate::flight::{self, FlightError, Segment};
use crate::investigate::{self, History, ToldDrift, moment};
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

/// What these baselines would have told, beside what was told.
#[derive(Debug, Serialize)]
struct Answer {
    schema_version: &'static str,
    /// Of what was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    /// Entries of the behaviour log.
    judged: u64,
    /// Different drifts, by container and fingerprint.
    told: usize,
    would_be_told: usize,
    same: usize,
    more: Vec<One>,
    fewer: Vec<One>,
    /// Entries that the agent had to leave out of the log.
    left_out: u64,
    /// Segments that end in the middle, as those of a killed agent may.
    torn: u64,
}

/// One drift that only one side has.
#[derive(Debug, Serialize)]
struct One {
    /// Of `fewer` the `event.id`; of `more` one that is made from the container, the fingerprint and the time.
    id: String,
    time: Timestamp,
    last: Timestamp,
    count: u64,
    kind: String,
    object: String,
    severity: String,
    sentence: String,
    fingerprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    executable: Option<String>,
    #[serde(rename = "container.id")]
    container: String,
    #[serde(rename = "container.image.name", skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    #[serde(rename = "k8s.namespace.name", skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(rename = "k8s.pod.name", skip_serializing_if = "Option::is_none")]
    pod: Option<String>,
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

fn compare(replay: &Judged<'_>, told: Vec<ToldDrift>, left_out: u64, torn: u64) -> Answer {
    let at = |time: i64| Timestamp::from_nanosecond(time.into()).unwrap_or_default();
    let would = &replay.drift;
    let key = |one: &ToldDrift| (one.container.clone(), one.fingerprint.clone());
    let told: BTreeMap<_, _> = told.into_iter().map(|one| (key(&one), one)).collect();
    let more = would.iter().filter(|(key, _)| !told.contains_key(*key));
    let mut more: Vec<_> = more.map(|(_, would)| One::of_event(&replay.event(would))).collect();
    let fewer = told.iter().filter(|(key, _)| !would.contains_key(*key));
    let mut fewer: Vec<_> = fewer.map(|(_, one)| One::of_told(one)).collect();
    more.sort_by(|one, other| (one.time, &one.id).cmp(&(other.time, &other.id)));
    fewer.sort_by(|one, other| (one.time, &one.id).cmp(&(other.time, &other.id)));
    Answer {
        schema_version: "driftline.replay/v1",
        from: replay.span.map(|(first, _)| at(first)),
        until: replay.span.map(|(_, last)| at(last)),
        judged: replay.judged,
        told: told.len(),
        would_be_told: would.len(),
        same: would.len() - more.len(),
        more,
        fewer,
        left_out,
        torn,
    }
}

impl One {
    fn of_event(event: &Event) -> Self {
        let origin = &event.origin;
        Self {
            id: event.id.to_string(),
            time: event.time,
            last: event.last,
            count: event.count,
            kind: event.kind.name().to_owned(),
            object: event.object.clone(),
            severity: event.severity.name().to_owned(),
            sentence: event.sentence.clone(),
            fingerprint: event.fingerprint.clone(),
            executable: event.process.as_ref().map(|process| process.executable.to_string()),
            container: origin.container_id.clone().unwrap_or_default(),
            image: origin.image_name.clone(),
            namespace: origin.namespace.clone(),
            pod: origin.pod.clone(),
        }
    }

    fn of_told(told: &ToldDrift) -> Self {
        let line = told.line.clone();
        Self {
            id: line.id,
            time: line.time,
            last: Timestamp::from_nanosecond(told.last.into()).unwrap_or(line.time),
            count: told.count.unsigned_abs(),
            kind: line.kind,
            object: line.object,
            severity: line.severity,
            sentence: line.sentence,
            fingerprint: told.fingerprint.clone(),
            executable: line.executable,
            container: told.container.clone(),
            image: line.image,
            namespace: line.namespace,
            pod: line.pod,
        }
    }
}

fn text(answer: &Answer) -> String {
    let mut text = String::new();
    let Answer { more, fewer, told, would_be_told, same, .. } = answer;
    let (Some(from), Some(until)) = (answer.from, answer.until) else {
        return "nothing of that time is in the behaviour log\n".to_owned();
    };
    let _ = writeln!(
        text,
        "{} more, {} fewer: {would_be_told} drifts would be told, {told} were, {same} are the same\n\
         {} entries from {from:.3} to {until:.3}",
        more.len(),
        fewer.len(),
        answer.judged
    );
    if answer.left_out > 0 || answer.torn > 0 {
        let _ = writeln!(
            text,
            "not whole: {} entries were left out by the agent, {} segments end in the middle",
            answer.left_out, answer.torn
        );
    }
    for (sign, all) in [('+', more), ('-', fewer)] {
        for one in all {
            let place = one.pod.as_deref().or(one.image.as_deref()).unwrap_or_default();
            let _ = writeln!(
                text,
                "{sign} {:.3}  {:<8} {:<14} {}×  {}  {}  {}",
                one.time,
                one.severity,
                one.kind,
                one.count,
                one.container.get(..12).unwrap_or(&one.container),
                clean(place),
                clean(&one.sentence)
            );
        }
    }
    text
}

impl From<FlightError> for Error {
    fn from(error: FlightError) -> Self {
        Self::History(error.to_string())
    }
}
