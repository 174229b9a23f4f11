//! `driftline watch -- CMD`: what CMD does beyond its baseline is drift.

use std::{path::Path, process::ExitCode, sync::Arc};

use jiff::Timestamp;

use super::{tier_name, warn_of_blindness, warn_of_loss};
use crate::{
    agent::{self, Settings},
    attest::{self, Trust},
    baseline::{self, Baseline, Image, Judge, Scope, Whereabouts},
    behaviour::Observation,
    bind::Bind,
    cli,
    drift::{
        Aggregator, BaselineSignature, BaselineStatus, Context, Finding, Origin, Told, aggregate,
        event::Action, severity::Table,
    },
    error::{Error, code},
    flight::Recent,
    launch::{self, Signals},
    pipeline::Consumer,
    redact::{self, Redactor},
    requirements,
    session::Session,
    sink::{EventsFile, Terminal},
};

/// Judges, counts and reports.
struct Watcher {
    judge: Judge,
    aggregator: Aggregator,
    context: Context,
    terminal: Terminal,
    events: Option<EventsFile>,
    /// Why events could not be written, from the first time on.
    failure: Option<String>,
    /// Different drifts, and how often anything drifted.
    drifts: u64,
    occurrences: u64,
    /// What came before the next.
    recent: Recent,
}

impl Consumer for Watcher {
    fn consume(&mut self, observation: Observation) {
        for finding in self.judge.judge(&observation) {
            // What is learned anew was asked for.
            self.occurrences += u64::from(finding.relearn.is_none());
            let nearest = |finding: &Finding| self.judge.nearest(&observation, finding);
            let mut told = self.aggregator.observe(&self.context, &observation, finding, nearest);
            for told in &mut told {
                told.set_before(&self.recent);
            }
            self.report(told);
        }
        self.recent.note(&observation);
    }

    fn tick(&mut self, now: Timestamp, lost: u64) {
        self.context.lost_events = lost;
        let events = self.aggregator.updates(&self.context, now);
        self.report(events);
    }
}

impl Watcher {
    fn report(&mut self, told: Vec<Told>) {
        for told in told {
            // There is no store here, so the file is the record: it has what groups' events tell of as well.
            let (mut event, is_shown) = match told {
                Told::Event(event) => (event, true),
                Told::Evidence(event) => (event, false),
                Told::Repeated(_) => continue,
            };
            let is_new = event.action == Action::Created && event.relearn.is_none();
            self.drifts += u64::from(is_new && event.group.is_none());
            // The record first: a terminal that is gone must not cost it an event.
            if let Some(file) = &mut self.events
                && let Err(error) = file.write(&mut event)
            {
                eprintln!("driftline: {error}");
                self.failure.get_or_insert_with(|| error.to_string());
            }
            if is_shown {
                let _stderr_may_be_closed = self.terminal.show(&event);
            }
        }
    }

    fn finish(&mut self, lost: u64) {
        self.context.lost_events = lost;
        let events = self.aggregator.close(&self.context);
        self.report(events);
    }
}

pub(crate) async fn run(args: cli::Watch, signals: Signals) -> Result<ExitCode, Error> {
    if args.target.is_node()? {
        let settings = Settings::new(args.target.baselines, args.node, args.sensor)?;
        let rules = rules(args.rules.as_deref())?;
        let settings = settings.with_provenance(args.provenance.open(args.trust.as_deref())?);
        let settings = settings.with_trust(args.trust).with_bind(args.bind).with_rules(rules);
        let settings = settings.with_silences(args.silences).with_canary(args.canary_every);
        let settings = settings.with_evidence(args.evidence.config()?);
        let settings = settings.with_events(args.events, args.fail_on_drift);
        return agent::watch(settings, signals).await;
    }
    let rules = rules(args.rules.as_deref())?;
    requirements::check()?;
    let directory = &args.target.baselines;
    let image = Image::here(args.target.image());
    let (baseline, signature) = believed(directory, &image, args.trust.as_deref())?;
    let bind = args.bind.as_deref().map(Bind::load).transpose()?;
    // Without the key of the recording, secrets are compared by their place alone.
    let key = baseline::load_key(directory).map_err(|e| Error::Baseline(e.to_string()))?;
    let redactor = Redactor::new(key.map_or_else(redact::throw_away_key, Ok)?);
    let events = args.events.events.as_deref().map(|path| {
        EventsFile::open(path, args.events.rotation(), args.events.events_format)
            .map_err(|error| Error::Output(error.to_string()))
    });
    let events = events.transpose()?;

    let allowed = baseline.with_approved(Whereabouts::default(), Timestamp::now());
    let judge = match &bind {
        Some(bind) => Judge::bound(&allowed, &redactor.key_id(), bind),
        None => Judge::new(&allowed, &redactor.key_id()),
    };
    let mut session = Session::open(args.sensor.into())?;
    warn_of_blindness(&session);
    session.know_calls(judge.known_calls())?;
    let watcher = Watcher {
        judge,
        aggregator: Aggregator::new(aggregate::CAPACITY),
        context: Context {
            baseline_bind: bind.map(|bind| bind.id),
            rules,
            ..context(&baseline, signature, &session)
        },
        terminal: Terminal::stderr(),
        events,
        failure: None,
        drifts: 0,
        occurrences: 0,
        recent: Recent::default(),
    };
    let (end, mut watcher) =
        session.run(&args.target.command, signals, None, redactor, watcher).await?;
    watcher.finish(end.lost.values().sum());
    warn_of_loss(&end);
    let Watcher { drifts, occurrences, failure, events, .. } = watcher;
    if drifts > 0 {
        let name = &baseline.image.name;
        eprintln!("driftline: {name} drifted: {drifts} new behaviours, seen {occurrences} times");
    }
    if failure.is_some() {
        let not_written = events.map_or(0, |file| file.not_written());
        eprintln!("driftline: {not_written} events are missing from the events file");
        return Ok(code::OUTPUT.into());
    }
    if args.fail_on_drift && drifts > 0 {
        return Ok(code::DRIFT.into());
    }
    Ok(launch::exit_code(end.status).into())
}

fn rules(own: Option<&Path>) -> Result<Arc<Table>, Error> {
    Ok(own.map(Table::load).transpose()?.unwrap_or_else(|| Arc::clone(Table::builtin())))
}

/// The baseline, if it is to be believed: like one that is missing, a refused one ends the command before it begins.
fn believed(
    directory: &Path,
    image: &Image,
    trust: Option<&Path>,
) -> Result<(Baseline, BaselineSignature), Error> {
    let trust = trust.map(Trust::open).transpose()?;
    let path = baseline::path_of(directory, image);
    let (baseline, bytes) = baseline::read(directory, image, &Scope::Image)?;
    let Some(trust) = trust else {
        let signature = attest::unchecked(&path);
        return Ok((baseline, signature));
    };
    match attest::check(&path, &bytes, &baseline, trust.keys(), Timestamp::now()) {
        Ok(_) => Ok((baseline, BaselineSignature::Verified)),
        Err(why) => Err(super::baseline::refused(&path, why)),
    }
}

fn context(baseline: &Baseline, signature: BaselineSignature, session: &Session) -> Context {
    let origin = Arc::new(Origin::of_command(crate::host_name(), &baseline.image.name));
    Context {
        baseline_id: Some(baseline.id()),
        baseline_status: BaselineStatus::Exact,
        baseline_signature: Some(signature),
        recorded_runs: baseline.runs.len() as u64,
        baseline_coverage: baseline.told_coverage(Timestamp::now()),
        ..Context::unjudged(origin, tier_name(session.tier()))
    }
}
