//! Looks for chains whenever something drifted that could be part of one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::Chains;
use super::chains::Chain;
use crate::container::ContainerId;
use crate::drift::severity::Table;
use crate::drift::{Action, Context, DriftKind, Event, Node as Machine, Origin, Sighting};
use crate::investigate::{self, Entry, History, HistoryError, Selector};
use crate::store::fleet::Address;
use crate::store::{Store, StoreError, StoredEvent};

/// Under which name the store keeps how far it has come.
const CURSOR: &str = "incident.lateral";

/// What another pod does belongs to a connection for so long.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// Chains that were told of longer ago than this before the oldest hop that was found do not grow.
const OLD: SignedDuration = SignedDuration::from_hours(1);

/// What comes together is looked at together.
const GATHER: Duration = Duration::from_millis(500);

/// After drift was looked at it is looked at once more: who has an address may be known a moment later.
const AGAIN: Duration = Duration::from_secs(15);

/// Of its time, at most one part in so many is spent looking.
const REST: u32 = 10;

const BATCH: u32 = 1000;

/// How long what was found may take to be in the store before it is looked for again at the next start.
const WRITTEN: Duration = Duration::from_secs(30);

/// Follows one node's store.
pub(crate) struct Finder {
    store: Store,
    directory: PathBuf,
    /// The store that many nodes share: there hops of other nodes are seen as well.
    fleet: Option<Address>,
    machine: Machine,
    rules: Arc<Table>,
    tier: String,
    out: mpsc::Sender<Box<Event>>,
    chains: Chains,
    /// From when on something drifted that was looked at once.
    again: Option<(Instant, Timestamp)>,
    is_failing: bool,
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    History(#[from] HistoryError),
}

impl Finder {
    pub(crate) fn new(
        store: Store,
        directory: PathBuf,
        fleet: Option<Address>,
        machine: Machine,
        rules: Arc<Table>,
        tier: String,
        out: mpsc::Sender<Box<Event>>,
    ) -> Self {
        let chains = Chains::default();
        let (again, is_failing) = (None, false);
        Self { store, directory, fleet, machine, rules, tier, out, chains, again, is_failing }
    }

    /// Until nobody takes what it finds any more. Ending it at any moment loses nothing: the next one goes on from its
    /// place in the store.
    pub(crate) async fn run(mut self) {
        let mut newest = self.store.newest();
        let mut seq = None;
        loop {
            match self.follow(&mut seq).await {
                Ok(()) => self.is_failing = false,
                Err(error) => {
                    if !std::mem::replace(&mut self.is_failing, true) {
                        eprintln!(
                            "driftline: chains from pod to pod are not looked for: {error}; it is tried again"
                        );
                    }
                    sleep(AGAIN).await;
                }
            }
            if self.out.is_closed() {
                return;
            }
            let due = self.again.map(|(due, _)| due.saturating_duration_since(Instant::now()));
            // A store that is gone tells of nothing new: then this task is ended by whoever began it.
            let _changed_or_due =
                timeout(due.unwrap_or(Duration::from_hours(1)), newest.changed()).await;
            sleep(GATHER).await;
        }
    }

    /// Looks at everything that is new.
    async fn follow(&mut self, seq: &mut Option<i64>) -> Result<(), Failed> {
        let mut at = match *seq {
            Some(seq) => seq,
            None => self.store.cursor(CURSOR).await?,
        };
        let mut since: Option<Timestamp> = None;
        if let Some((due, from)) = self.again
            && due <= Instant::now()
        {
            (self.again, since) = (None, Some(from));
        }
        let mut fresh: Option<Timestamp> = None;
        loop {
            let batch = self.store.events_after(at, BATCH).await?;
            let Some(last) = batch.last() else { break };
            at = last.seq;
            let first =
                batch.iter().filter(|event| could_be_part(event)).map(|event| event.time).min();
            fresh = [fresh, first].into_iter().flatten().min();
        }
        since = [since, fresh].into_iter().flatten().min();
        if let Some(since) = since {
            self.look(since).await?;
            if let Some(fresh) = fresh {
                let earliest = self.again.map_or(fresh, |(_, from)| from.min(fresh));
                let due = self.again.map_or_else(|| Instant::now() + AGAIN, |(due, _)| due);
                self.again = Some((due, earliest));
            }
            self.store.advance(CURSOR, at).await?;
        }
        *seq = Some(at);
        Ok(())
    }

    async fn look(&mut self, since: Timestamp) -> Result<(), Failed> {
        let begun = Instant::now();
        let from = since.checked_sub(WINDOW).unwrap_or(since);
        let mut history = self.history().await?;
        let found = self.found(&mut history, from).await;
        history.close().await;
        let mut ids = Vec::new();
        for (chain, sighting) in found? {
            ids.push((sighting.id.to_string(), sighting.incident.hops.len()));
            let event = self.event(&chain, sighting).await?;
            if self.out.send(Box::new(event)).await.is_err() {
                return Ok(());
            }
        }
        self.are_written(&ids).await?;
        sleep(begun.elapsed().min(AGAIN) * REST).await;
        Ok(())
    }

    /// Of all nodes where that can be had. That it cannot is said by the sink that fills it.
    async fn history(&self) -> Result<History, HistoryError> {
        if let Some(address) = &self.fleet
            && let Ok(history) = History::open_fleet(address).await
        {
            return Ok(history);
        }
        History::open(&self.directory).await
    }

    async fn found(
        &mut self,
        history: &mut History,
        from: Timestamp,
    ) -> Result<Vec<(Chain, Sighting)>, Failed> {
        let kind = |kind: DriftKind, from| Selector {
            kind: Some(kind.name().to_owned()),
            from: Some(from),
            ..Selector::default()
        };
        // Without a connection there is no hop, and no more to be asked.
        let connecting = kind(DriftKind::NetConnect, from);
        if investigate::timeline(history, &connecting, 1).await?.entries.is_empty() {
            return Ok(Vec::new());
        }
        let selector = Selector { from: Some(from), ..Selector::default() };
        let lateral = investigate::lateral(history, &selector, WINDOW).await?;
        let Some(first) = lateral.hops.iter().map(|hop| hop.time).min() else {
            return Ok(Vec::new());
        };
        let old = first.checked_sub(OLD).unwrap_or(first);
        self.chains.forget(old);
        let told = kind(DriftKind::IncidentLateral, old);
        for entry in investigate::timeline(history, &told, BATCH).await?.entries {
            if let Entry::Drift(told) = entry {
                self.chains.recall(&history.newest_line(&told.id).await?);
            }
        }
        Ok(self.chains.grow(&lateral, &self.machine.called()))
    }

    async fn event(&self, chain: &Chain, sighting: Sighting) -> Result<Event, Failed> {
        let id = chain.container.as_deref().and_then(ContainerId::parse);
        let row = match &id {
            Some(id) => self.store.container(id).await?,
            None => None,
        };
        let origin = match row {
            Some(row) => {
                let node = row.node.or_else(|| self.machine.name.clone());
                let name = self.machine.name.as_ref().and(node);
                let machine = Machine { name, ..self.machine.clone() };
                Origin::of_container(&machine, &row.identity)
            }
            None => Origin {
                host_name: self.machine.host_name.clone(),
                node: self.machine.name.clone(),
                cluster: self.machine.cluster.clone(),
                ..Origin::default()
            },
        };
        let context = Context {
            rules: Arc::clone(&self.rules),
            ..Context::unjudged(Arc::new(origin), &self.tier)
        };
        Ok(sighting.event(&context))
    }

    /// Waits until the store has what was found: only then has it been told.
    async fn are_written(&self, ids: &[(String, usize)]) -> Result<(), Failed> {
        let end = Instant::now() + WRITTEN;
        for (id, hops) in ids {
            loop {
                let mut history = History::open(&self.directory).await?;
                let line = history.newest_line(id).await;
                history.close().await;
                let mut known = Chains::default();
                let is_there = line.is_ok_and(|line| {
                    known.recall(&line) && known.hops(id).is_some_and(|there| there >= *hops)
                });
                if is_there {
                    break;
                }
                if Instant::now() > end {
                    return Ok(());
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }
}

/// The first word of drift that a hop is made of.
fn could_be_part(event: &StoredEvent) -> bool {
    event.is_drift()
        && event.action == Action::Created
        && event.kind != DriftKind::IncidentLateral.name()
        && event.severity > crate::drift::Severity::Info
}
