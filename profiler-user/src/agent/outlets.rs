//! Where the agent's word goes: the store, the sinks that follow it, metrics and health.

mod heads;
mod sinks;

use std::{path::PathBuf, time::Instant};

use jiff::Timestamp;
use nix::sys::statvfs::statvfs;
use tokio::{
    sync::{oneshot, watch},
    task::{JoinHandle, JoinSet},
};

use self::heads::Heads;
use super::{node::Figures, settings::Settings, silences::Silences};
use crate::{
    attest::Reason,
    drift::{Action, Event},
    error::Error,
    evidence::keeper::Keeper,
    http::{Health, Metrics, Server, Stage},
    runtime::{Health as Runtimes, State},
    sensor::{Status, Tier},
    sink::{Reopener, SinkStatus, Spool},
    store::{Retained, Retention, Store, StoreWriter, Write},
};

/// Seconds between two signs of life of a namespace.
const NAMESPACES_EVERY: u64 = 60;

pub(super) struct Outlets {
    pub(super) metrics: Metrics,
    health: Health,
    stage: Stage,
    writer: StoreWriter,
    writing: JoinHandle<u64>,
    spool: Spool,
    sinks: JoinSet<()>,
    server: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    ticks: u64,
    head: Heads,
    retained: watch::Receiver<Retained>,
    retaining: JoinHandle<()>,
    pub(super) reopener: Option<Reopener>,
    /// Its directory.
    store: PathBuf,
    silences: Silences,
    /// `event.id` of the newest canary.
    pub(super) canary: Option<String>,
    /// Drifts that were new, and not silenced.
    pub(super) drifts: u64,
    pub(super) evidence: Option<Keeper>,
}

impl Outlets {
    /// Opens everything that the settings ask for, before anything is captured.
    pub(super) async fn open(settings: &Settings, store: &Store) -> Result<Self, Error> {
        let metrics = Metrics::new(Timestamp::now()).map_err(anyhow::Error::from)?;
        let health = Health::default();
        health.store_open();
        let stage = health.stage("node");
        let mut spool = Spool::new(store.clone());
        let mut sinks = JoinSet::new();
        let reopener = sinks::open(settings, store, &mut spool, &mut sinks).await?;
        let server = match settings.http {
            Some(address) => Some(serve(&address.to_string(), &metrics, &health).await?),
            None => None,
        };
        let (writer, writing) = StoreWriter::new(store.clone());
        let writing = tokio::spawn(writing);
        store.limit(settings.limits).await?;
        let (status, retained) = watch::channel(Retained::default());
        let retention = Retention::new(store.clone(), settings.limits, settings.machine.clone());
        let names = spool.status().into_iter().map(|sink| sink.name).collect();
        let retaining = tokio::spawn(retention.keep_running(names, status));
        let head = Heads::new(&settings.machine, settings.head_every, Instant::now());
        Ok(Self {
            metrics,
            health,
            stage,
            writer,
            writing,
            spool,
            sinks,
            server,
            ticks: 0,
            head,
            retained,
            retaining,
            reopener,
            silences: Silences::new(settings.silences.clone(), settings.machine.clone()),
            store: settings.store.clone(),
            canary: None,
            drifts: 0,
            evidence: None,
        })
    }

    pub(super) fn probes_loaded(&self, status: &[Status]) {
        for status in status {
            let name = format!("{:?}", status.behaviour).to_lowercase();
            self.metrics.blind(&name, status.tier == Tier::Blind);
        }
        for kind in profiler_common::event::Kind::ALL {
            self.metrics.lost(kind.name(), 0);
        }
        self.health.probes_loaded();
    }

    pub(super) async fn write(&mut self, writes: Vec<Write>) {
        let now = Timestamp::now();
        for mut write in writes {
            if let Write::Evidence(event) = &mut write {
                self.silences.mark(event, now);
                self.count(event);
            } else if let Some(event) = write.event_mut() {
                self.silences.mark(event, now);
                // What a group's event tells of is counted already.
                if event.group.is_none() {
                    self.count(event);
                }
                if event.canary {
                    self.canary = Some(event.id.to_string());
                }
            }
            if let Some(evidence) = &mut self.evidence {
                evidence.look(&write);
            }
            self.writer.write(write).await;
        }
    }

    fn count(&mut self, event: &Event) {
        if event.action != Action::Created || event.canary {
            return;
        }
        if event.silence.is_some() {
            self.metrics.silenced_drift(event.severity, event.time);
            return;
        }
        // What is learned anew was asked for.
        self.drifts += u64::from(event.relearn.is_none());
        let namespace = event.origin.namespace.as_deref();
        self.metrics.drift(event.kind, event.severity, namespace, event.time);
    }

    pub(super) fn sinks_now(&self) -> Vec<SinkStatus> {
        self.spool.status()
    }

    /// Looks what is silenced by now. True where all that crossed from the kernel is to cross again.
    pub(super) async fn look_at_silences(&mut self) -> bool {
        let (mut notes, now) = (Vec::new(), Timestamp::now());
        let has_ended = self.silences.refresh(now, &mut notes);
        for note in notes {
            self.writer.write(note).await;
        }
        self.silences.tell(&self.metrics, now);
        has_ended
    }

    /// About every second.
    pub(super) fn tick(&mut self, figures: &Figures<'_>, runtimes: &Runtimes) {
        self.stage.tick();
        if self.ticks.is_multiple_of(NAMESPACES_EVERY) {
            figures.namespaces.iter().for_each(|namespace| self.metrics.namespace_seen(namespace));
        }
        self.ticks += 1;
        if let Some(write) = self.head.due(Instant::now()) {
            self.writer.offer(write);
        }
        self.metrics.containers(figures.containers);
        self.metrics.baselines(figures.baselines as u64);
        for reason in Reason::ALL {
            let refused = figures.refused.iter().filter(|refused| **refused == reason).count();
            self.metrics.baselines_refused(reason, refused as u64);
        }
        self.metrics.baselines_unsigned(figures.unsigned as u64);
        // Of a disk that cannot be asked nothing new is told.
        if let Ok(disk) = statvfs(&self.store) {
            self.metrics.store_free(disk.blocks_available() * disk.fragment_size());
        }
        self.metrics.images_unprofiled(figures.unprofiled as u64);
        self.metrics.runtime_up(runtimes.is_connected());
        self.metrics.store_failures(self.writer.status().failures);
        self.metrics.retained(&self.retained.borrow());
        self.metrics.sinks(&self.spool.status());
        self.health.runtime(phrase(runtimes));
    }

    /// Writes and delivers what is left. Entries that could not be written.
    pub(super) async fn close(mut self) -> anyhow::Result<u64> {
        let evidence = self.evidence.take();
        // It waits for runtimes, and so beside everything else.
        let kept = tokio::task::spawn_blocking(|| evidence.map(Keeper::close));
        self.writer.offer(self.head.last());
        drop(self.writer);
        // What it was about to remove is there for the next.
        self.retaining.abort();
        let _aborted = self.retaining.await;
        let not_written = self.writing.await?;
        self.spool.stop();
        while let Some(ended) = self.sinks.join_next().await {
            ended?;
        }
        if let Some((stop, served)) = self.server {
            let _it_ended = stop.send(());
            // A scrape that hangs is not waited for.
            let _may_hang = tokio::time::timeout(std::time::Duration::from_secs(1), served).await;
        }
        kept.await?;
        Ok(not_written)
    }
}

async fn serve(
    address: &str,
    metrics: &Metrics,
    health: &Health,
) -> Result<(oneshot::Sender<()>, JoinHandle<()>), Error> {
    let server = Server::bind(address).await.map_err(|error| Error::Machine(error.to_string()))?;
    let (stop, stopped) = oneshot::channel();
    let stopped = async {
        let _stopped_or_dropped = stopped.await;
    };
    let serving = server.serve(metrics.clone(), health.clone(), |_| {}, stopped);
    let task = tokio::spawn(async {
        if let Err(error) = serving.await {
            eprintln!("driftline: {error}; everything else goes on");
        }
    });
    Ok((stop, task))
}

fn phrase(runtimes: &Runtimes) -> String {
    if runtimes.endpoints.is_empty() {
        return "no socket of a container runtime was found".to_owned();
    }
    let one = |link: &crate::runtime::EndpointHealth| match &link.state {
        State::Connecting => format!("{} is being connected to", link.endpoint),
        State::Connected { runtime, .. } => format!("{runtime:?} answers at {}", link.endpoint),
        State::Failing { error, .. } => error.clone(),
    };
    runtimes.endpoints.iter().map(one).collect::<Vec<_>>().join("; ")
}
