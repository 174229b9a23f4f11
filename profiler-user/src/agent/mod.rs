//! Every container of the node: captured from its cgroup's making, named by its runtime, recorded or watched.
//!
//! One task ([`node`]) owns everything that is known of containers and takes records, the runtime's answers and the clock
//! in turn. What it has to say goes through the store, from which every sink reads at its own pace.

mod binding;
pub(crate) mod canary;
mod catalogue;
mod container;
mod gaps;
mod goal;
mod heirs;
mod incidents;
mod likeness;
mod node;
mod outlets;
mod recorder;
pub(crate) mod replay;
mod saver;
pub(crate) mod selector;
mod settings;
mod shelf;
mod silences;
mod strangers;
mod takein;
mod task;
mod unprofiled;
mod watcher;

use std::{collections::BTreeSet, process::ExitCode, sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::MissedTickBehavior};

pub(crate) use self::settings::Settings;
use self::{
    canary::Canary,
    catalogue::Catalogue,
    gaps::Gaps,
    heirs::Heirs,
    incidents::Incidents,
    node::{Node, Surroundings},
    outlets::Outlets,
    recorder::Recorder,
    task::{Observed, Task},
    watcher::Watcher,
};
use crate::{
    attest::Trust,
    baseline::{self, Width},
    cgroup::Hierarchy,
    error::Error,
    evidence::keeper::{self, Keeper},
    flight::{Log, Shelf},
    http::Metrics,
    launch::Signals,
    redact::Redactor,
    requirements,
    runtime::Resolver,
    sensor::{Records, Sensor, Tier},
    session,
    store::Store,
};

/// The runtime's answers in flight.
const ANSWERS: usize = 1024;

/// Below the store: the directory of the baselines may be somebody else's, and nothing there is judged by unread.
const PROVISIONAL: &str = "provisional";

/// `driftline record` without a command.
///
/// `until`: the coverage of all baselines at which it ends. `scope`: which containers of an image have a baseline of their own.
pub(crate) async fn record(
    settings: Settings,
    until: Option<f64>,
    scope: Width,
    signals: Signals,
) -> Result<ExitCode, Error> {
    requirements::check()?;
    std::fs::create_dir_all(&settings.baselines).map_err(|error| {
        Error::Output(format!(
            "cannot make the baselines directory {}: {error}; give --baselines a place that may be written to",
            settings.baselines.display()
        ))
    })?;
    let key = baseline::load_or_create_key(&settings.baselines)
        .map_err(|error| Error::Output(error.to_string()))?;
    let redactor = Redactor::new(key);
    let (directory, key_id) = (settings.baselines.clone(), redactor.key_id());
    let host = settings.machine.called();
    run(settings, signals, redactor, |tier, blind| {
        Recorder::new(&directory, key_id, Observed { host, tier, blind }, until, scope)
    })
    .await
}

/// `driftline watch` without a command.
pub(crate) async fn watch(settings: Settings, signals: Signals) -> Result<ExitCode, Error> {
    requirements::check()?;
    let key = baseline::load_key(&settings.baselines)
        .map_err(|error| Error::Baseline(error.to_string()))?;
    let redactor = Redactor::new(key.map_or_else(crate::redact::throw_away_key, Ok)?);
    let (directory, key_id) = (settings.baselines.clone(), redactor.key_id());
    let trust = settings.trust.as_deref().map(Trust::open).transpose()?;
    let binding = settings.bind.as_deref().map(binding::Binding::open).transpose()?;
    let log_key = key_id.clone();
    let catalogue = Catalogue::new(&directory, key_id, trust).with_binding(binding);
    let shelf = Shelf::of(&settings.store, settings.limits.size, settings.limits.age);
    let kept = settings.store.join(PROVISIONAL);
    let host = settings.machine.called();
    let rules = Arc::clone(&settings.rules);
    run(settings, signals, redactor, |tier, blind| {
        let observed = Observed { host, tier, blind };
        Watcher::new(catalogue, Heirs::new(&kept, observed), rules, Log::new(shelf, log_key))
    })
    .await
}

async fn run<T: Task>(
    settings: Settings,
    signals: Signals,
    redactor: Redactor,
    make: impl FnOnce(String, BTreeSet<String>) -> T,
) -> Result<ExitCode, Error> {
    let hierarchy = Hierarchy::find()?;
    let store = Store::open(&settings.store).await?;
    let gaps = Gaps::open(&store, Arc::clone(&settings.rules)).await?;
    let mut outlets = Outlets::open(&settings, &store).await?;
    let options = crate::sensor::Options { every_cgroup: true, ..settings.sensor };
    let mut sensor = Sensor::load(&hierarchy, options)
        .map_err(|error| Error::Machine(format!("cannot load the eBPF probes: {error:#}")))?;
    session::require_vital(&sensor)?;
    crate::command::warn_of_untested(sensor.untested());
    for status in sensor.status().iter().filter(|status| status.tier == Tier::Blind) {
        eprintln!(
            "driftline: {:?} is not seen on this kernel ({})",
            status.behaviour,
            status.refused.join("; ")
        );
    }
    outlets.evidence = keeper(&settings, &hierarchy, &redactor, &outlets.metrics)?;
    let tier = crate::command::tier_name(sensor.tier()).to_owned();
    outlets.probes_loaded(sensor.status());
    let mut records = sensor.records()?;
    let (answers_in, mut answers) = mpsc::channel(ANSWERS);
    let resolver = Resolver::start(settings.runtime.clone(), answers_in);
    let task = make(tier.clone(), crate::command::blind(sensor.status()));
    let around = Surroundings {
        sensor,
        hierarchy,
        redactor,
        resolver,
        machine: settings.machine.clone(),
        selector: settings.selector.clone(),
        tier,
        gaps,
        metrics: outlets.metrics.clone(),
        provenance: Arc::clone(&settings.provenance),
    };
    settings.provenance.follow();
    let (machine, every) = (settings.machine.clone(), settings.canary_every);
    let mut canary =
        Canary::open(&settings.store, every, machine, around.tier.clone(), &outlets.metrics);
    let mut node = Node::new(task, around)?;
    // Before anything is judged: what is silenced already calls nobody at the start either.
    outlets.look_at_silences().await;
    node.scan()?;
    let mut incidents = Incidents::start(&settings, &store, node.tier());

    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut saves = tokio::time::interval(Duration::from_millis(400));
    saves.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = tokio::time::sleep(settings.limit.unwrap_or(Duration::MAX));
    tokio::pin!(end);
    let reopener = outlets.reopener.clone();
    let signal = signals.ending(move || reopener.as_ref().inspect(|file| file.reopen()).is_some());
    tokio::pin!(signal);
    eprintln!("driftline: ready");
    loop {
        tokio::select! {
            batch = records.next() => {
                for record in batch? {
                    node.record(&record)?;
                }
            }
            Some(answer) = answers.recv() => node.answer(answer),
            Some(event) = incidents.next() => node.out.push(event),
            _ = saves.tick() => {
                node.task.save();
                canary.tick(&mut node, &mut outlets);
            }
            asker = canary.asked() => canary.promise(asker),
            _ = ticks.tick() => {
                if outlets.look_at_silences().await {
                    node.look_again()?;
                }
                node.tick()?;
                outlets.tick(&node.figures(), &node.runtimes());
                if node.task.is_done(jiff::Timestamp::now()) {
                    break;
                }
            }
            signal = &mut signal => {
                signal?;
                break;
            }
            () = &mut end => break,
        }
        outlets.write(std::mem::take(&mut node.out)).await;
    }
    take_the_rest(&mut records, &mut node)?;
    node.leave();
    outlets.write(std::mem::take(&mut node.out)).await;
    incidents.stop().await;
    let drifts = outlets.drifts;
    let not_written = outlets.close().await?;
    store.close().await;
    Ok(exit_code(not_written, settings.fail_on_drift && drifts > 0))
}

/// None where no evidence is to be kept.
fn keeper(
    settings: &Settings,
    hierarchy: &Hierarchy,
    redactor: &Redactor,
    metrics: &Metrics,
) -> Result<Option<Keeper>, Error> {
    let Some(config) = &settings.evidence else { return Ok(None) };
    let place = keeper::Place {
        store: settings.store.clone(),
        hierarchy: hierarchy.mount().to_owned(),
        node: settings.machine.called(),
        runtimes: settings.runtime.endpoints.clone(),
        redactor: redactor.clone(),
        metrics: metrics.clone(),
    };
    Keeper::start(config, place).map(Some).map_err(Error::Output)
}

fn exit_code(not_written: u64, drifted: bool) -> ExitCode {
    if not_written > 0 {
        eprintln!("driftline: {not_written} entries are missing from the history");
        return crate::error::code::OUTPUT.into();
    }
    if drifted { crate::error::code::DRIFT.into() } else { ExitCode::SUCCESS }
}

/// Records that are in the ring buffer when the agent ends.
fn take_the_rest<T: Task>(records: &mut Records, node: &mut Node<T>) -> anyhow::Result<()> {
    loop {
        let batch = records.drain();
        if batch.is_empty() {
            return Ok(());
        }
        for record in batch {
            node.record(&record)?;
        }
    }
}
