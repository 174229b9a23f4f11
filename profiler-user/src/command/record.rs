//! `driftline record -- CMD`: what CMD does becomes, or joins, a baseline.

use std::{fs, path::Path, process::ExitCode};

use anyhow::Context;
use jiff::Timestamp;

use super::{
    baseline::{coverage, percent},
    blind, tier_name, warn_of_blindness, warn_of_loss,
};
use crate::{
    agent::{self, Settings},
    baseline::{self, Baseline, Completeness, Image, Limit, LoadError, Run, RunId, Width},
    behaviour::{Behaviour, Observation},
    cli,
    container::Tree,
    error::Error,
    launch::{self, Signals},
    observe::UNKNOWN,
    pipeline::Consumer,
    redact::Redactor,
    requirements,
    session::Session,
};

/// With `--until`, so often at most: what ten runs do not show, more of the same will not either.
const RUNS_UNTIL: u32 = 10;

/// Takes every observation into the baseline.
struct Recorder {
    baseline: Baseline,
    run: RunId,
    /// Observations of processes whose start was lost.
    unattributed: u64,
}

impl Consumer for Recorder {
    fn consume(&mut self, observation: Observation) {
        // Whoever did it: learned, it would be allowed to every process of which nothing is known.
        if *observation.process.executable == *UNKNOWN
            && !matches!(observation.behaviour, Behaviour::Syscall(_))
        {
            self.unattributed += 1;
        } else {
            self.baseline.learn(&self.run, &observation);
        }
    }
}

pub(crate) async fn run(args: cli::Record, mut signals: Signals) -> Result<ExitCode, Error> {
    if args.target.is_node()? {
        if args.runs.is_some() {
            return Err(Error::Usage("--runs repeats a CMD; give one after `--`".to_owned()));
        }
        let settings = Settings::new(args.target.baselines, args.node, args.sensor)?;
        let settings = settings.with_limit(args.duration);
        return agent::record(settings, args.until, args.scope, signals).await;
    }
    if args.scope != Width::Image {
        return Err(Error::Usage(
            "--scope tells containers of a node apart: leave it out, or leave out `--` and CMD"
                .to_owned(),
        ));
    }
    let most = args.runs.unwrap_or(if args.until.is_some() { RUNS_UNTIL } else { 1 });
    for number in 1..=most {
        let last = number == most;
        let again = if last { None } else { Some(signals.again()?) };
        let (status, told) = once(&args, signals).await?;
        let enough = told.is_told_by_enough();
        let reached = args.until.is_some_and(|until| enough && told.coverage >= until);
        if most > 1 {
            progress(number, most, &told, args.until);
        }
        let Some(next) = again else { return Ok(status) };
        // One that failed would do so again; one whose time was over was asked to end by us.
        let failed = status != ExitCode::SUCCESS && args.duration.is_none();
        if reached || failed || next.have_asked()? {
            return Ok(status);
        }
        signals = next;
    }
    Ok(ExitCode::SUCCESS)
}

/// One run of CMD.
async fn once(args: &cli::Record, signals: Signals) -> Result<(ExitCode, Completeness), Error> {
    requirements::check()?;
    let directory = &args.target.baselines;
    let image = Image::here(args.target.image());
    fs::create_dir_all(directory).map_err(|error| {
        Error::Output(format!(
            "cannot make the baselines directory {}: {error}; give --baselines a place that may be written to",
            directory.display()
        ))
    })?;
    let before = load_or_new(directory, &image)?;
    let key = baseline::load_or_create_key(directory).map_err(|e| Error::Output(e.to_string()))?;
    let redactor = Redactor::new(key);

    let session = Session::open(args.sensor.into())?.with_windows();
    warn_of_blindness(&session);
    let run = RunId::new(ulid::Ulid::new().to_string());
    let command = args.target.command.iter().map(|word| word.to_string_lossy().into_owned());
    let details = Run {
        blind: blind(session.statuses()),
        command: Some(redactor.redact_args(command.collect())),
        ..Run::new(Timestamp::now(), crate::host_name(), tier_name(session.tier()))
    };
    let there =
        Tree::before(Path::new("/"), Timestamp::now()).context("looking at the root directory")?;
    let mut learned = before.clone();
    learned.begin_run(run.clone(), details, &redactor.key_id());

    let recorder = Recorder { baseline: learned, run, unattributed: 0 };
    let (mut end, recorder) =
        session.run(&args.target.command, signals, args.duration, redactor, recorder).await?;
    let Recorder { baseline: mut learned, run, unattributed } = recorder;
    if unattributed > 0 {
        end.lost.insert("unattributed".to_owned(), unattributed);
    }
    learned.end_run(&run, Timestamp::now(), &end.lost);
    // What an earlier run left is CMD's own.
    let written = learned.written();
    learned.join_siblings(|pattern| there.has(pattern, |path| written.holds(path)));
    let told = save(directory, &before, learned)?;
    warn_of_loss(&end);
    Ok((launch::exit_code(end.status).into(), told))
}

fn progress(number: u32, most: u32, told: &Completeness, until: Option<f64>) {
    let goal = until.map_or_else(String::new, |until| format!(", wanted {}", percent(until)));
    let next = told.overall.runs.next.map_or_else(String::new, |next| {
        format!("; expect {:.1} new in the next run ({} to {})", next.expected, next.low, next.high)
    });
    eprintln!("driftline: run {number} of {most}: {}{goal}{next}", coverage(told));
}

fn load_or_new(directory: &Path, image: &Image) -> Result<Baseline, Error> {
    match baseline::load(directory, image) {
        Ok(baseline) => Ok(baseline),
        Err(LoadError::NotFound { .. }) => Ok(Baseline::new(image.clone())),
        Err(error) => Err(error.into()),
    }
}

/// Merges with what another recording may have saved meanwhile, so that neither loses.
fn save(directory: &Path, before: &Baseline, learned: Baseline) -> Result<Completeness, Error> {
    let lock = fs::File::open(directory).context("opening the baselines directory")?;
    lock.lock().context("locking the baselines directory")?;
    let on_disk = load_or_new(directory, &learned.image)?;
    let merged = on_disk.merge(learned).map_err(|error| Error::Baseline(error.to_string()))?;
    let path = baseline::save(directory, &merged)?;
    let new = merged.entries().saturating_sub(before.entries());
    let runs = merged.runs.len();
    let (name, held) = (&merged.image.name, merged.entries());
    let what = match new {
        0 => "nothing new".to_owned(),
        1 => "1 new behaviour".to_owned(),
        new => format!("{new} new behaviours"),
    };
    let told = merged.completeness(Timestamp::now());
    // One run alone tells nothing, and nobody need be told so each time.
    let seen = match told.limit {
        Limit::Starts => String::new(),
        _ => format!(", {} seen", coverage(&told)),
    };
    eprintln!(
        "driftline: recorded {what}; {name} now holds {held} from {runs} run{}{seen} ({})",
        if runs == 1 { "" } else { "s" },
        path.display()
    );
    Ok(told)
}
