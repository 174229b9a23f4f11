//! All containers of the node: records in, each to its container, and what the runtime says of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;

mod arrivals;
mod figures;
mod names;
mod pods;

use self::arrivals::Unplaced;
pub(super) use self::figures::Figures;
use self::pods::Pods;
use super::{
    canary::Cage,
    container::{Container, State},
    gaps::Gaps,
    selector::Selector,
    task::Task,
};
use crate::{
    behaviour::Observation,
    cgroup::{CgroupId, Hierarchy},
    container::{ContainerId, Identity, locate::Locator},
    drift::{BaselineStatus, Node as Machine},
    http::Metrics,
    observe::Clock,
    provenance::{Provenance, Sources},
    redact::Redactor,
    runtime::Resolver,
    sensor::{self, Event, EventBody, Sensor},
    store::{LedgerEntry, Write},
};

/// Seconds between two looks for cgroups that went unnoticed.
const SWEEP_EVERY: u64 = 10;

/// What the node is told of from outside.
pub(super) struct Surroundings {
    pub(super) sensor: Sensor,
    pub(super) hierarchy: Hierarchy,
    pub(super) redactor: Redactor,
    pub(super) resolver: Resolver,
    pub(super) machine: Machine,
    pub(super) selector: Selector,
    pub(super) tier: String,
    pub(super) gaps: Gaps,
    pub(super) metrics: Metrics,
    pub(super) provenance: Arc<Sources>,
}

pub(super) struct Node<T: Task> {
    pub(super) task: T,
    around: Surroundings,
    locator: Locator,
    clock: Clock,
    containers: HashMap<ContainerId, Container<T::Job>>,
    /// Kernel ids of cgroups → their container.
    cgroups: HashMap<u64, ContainerId>,
    pods: Pods,
    /// The agent's own container: its writing about what it writes would never end.
    own: HashSet<ContainerId>,
    /// Cgroups that were made without a record, when last looked.
    unseen: u64,
    ticks: u64,
    /// Cgroups that were made, and of which neither the kernel nor a look at the hierarchy says where.
    unplaced: Vec<Unplaced>,
    /// Cgroups of containers that could not be opened when they were made, and how often they were looked for since.
    unheard: Vec<(u64, u32)>,
    /// Cgroups that were gone at the last sweep.
    gone: HashSet<u64>,
    /// Runs, says a runtime, and has no cgroup that was found.
    listed: HashSet<ContainerId>,
    /// Driftline's own canary: no container of anybody's.
    canary: Option<Cage>,
    pub(super) out: Vec<Write>,
}

impl<T: Task> Node<T> {
    pub(super) fn new(task: T, around: Surroundings) -> anyhow::Result<Self> {
        let locator = Locator::new(around.hierarchy.clone())?;
        Ok(Self {
            task,
            locator,
            around,
            clock: Clock::now().context("reading the clocks")?,
            containers: HashMap::new(),
            cgroups: HashMap::new(),
            pods: Pods::default(),
            own: HashSet::new(),
            unseen: 0,
            ticks: 0,
            unplaced: Vec::new(),
            unheard: Vec::new(),
            gone: HashSet::new(),
            listed: HashSet::new(),
            canary: None,
            out: Vec::new(),
        })
    }

    /// `full` or `restricted`.
    pub(super) fn tier(&self) -> &str {
        &self.around.tier
    }

    pub(super) fn record(&mut self, record: &[u8]) -> anyhow::Result<()> {
        match sensor::decode(record, &self.around.redactor) {
            Ok(event) => self.event(event),
            Err(error) => {
                eprintln!(
                    "driftline: a record from the kernel cannot be decoded: {error}; please report this"
                );
                Ok(())
            }
        }
    }

    fn event(&mut self, event: Event) -> anyhow::Result<()> {
        if let Some(canary) = &mut self.canary
            && canary.cgroup().0 == event.container
        {
            canary.take(event, &mut self.out);
            return Ok(());
        }
        if let EventBody::CgroupMade { cgroup, path } = event.body {
            return self.cgroup_made(event.container, cgroup, path);
        }
        if !matches!(event.body, EventBody::CgroupRemoved) {
            self.hear(event.container);
        }
        let id = match self.cgroups.get(&event.container) {
            Some(id) => id.clone(),
            // The record of its making was lost.
            None => match self.discover(event.container)? {
                Some(id) => id,
                None => return Ok(()),
            },
        };
        if matches!(event.body, EventBody::CgroupRemoved) {
            return self.cgroup_removed(event.container, &id);
        }
        let Some(container) = self.containers.get_mut(&id) else { return Ok(()) };
        if container.follow(&event) {
            self.started(&id);
        }
        let Some(container) = self.containers.get_mut(&id) else { return Ok(()) };
        if !container.has_room() {
            let why = "too much happened in it before a runtime answered".to_owned();
            self.unresolved(&id, &why);
        }
        let Some(container) = self.containers.get_mut(&id) else { return Ok(()) };
        if let Some((at, process, status)) = container.exit(&event)
            && let State::Known { job: Some(job), .. } = &mut container.state
        {
            self.task.exited(job, at, &process, status);
        }
        let Some(observation) = container.observer.observe(event) else { return Ok(()) };
        for observation in container.strangers.admit(observation) {
            let observation = self.pods.name_peer(observation);
            take(&mut self.task, &mut container.state, observation, &mut self.out);
        }
        Ok(())
    }

    /// About every second.
    pub(super) fn tick(&mut self) -> anyhow::Result<()> {
        let now = Timestamp::now();
        let judged_anew = self.task.every_second(now);
        for container in self.containers.values_mut() {
            container.lost = [0; profiler_common::event::KINDS];
            container.excess.now = 0;
            for cgroup in &container.cgroups {
                let Ok(state) = self.around.sensor.state(CgroupId(*cgroup)) else { continue };
                for (sum, lost) in container.lost.iter_mut().zip(state.lost) {
                    *sum += lost;
                }
                container.excess.now += state.limited;
                if let State::Known { job: Some(job), .. } = &mut container.state {
                    self.task.called(job, &state.native.called, now);
                }
            }
            tell_losses(container, &self.around.metrics, &mut self.out);
            for observation in container.strangers.overdue(now, container.has_all()) {
                take(&mut self.task, &mut container.state, observation, &mut self.out);
            }
            let lost = container.lost_by_kind().iter().sum();
            if let State::Known { job: Some(job), .. } = &mut container.state {
                self.task.tick(job, lost, now, &mut self.out);
                if let Some(excess) = container.excess.untold(now) {
                    self.task.limited(job, excess, now, &mut self.out);
                }
            }
        }
        if self.canary.as_mut().is_some_and(Cage::is_done) {
            self.take_out();
        }
        if judged_anew {
            // After the jobs have changed over: what crosses from now on is judged by what is known now.
            for container in self.containers.values() {
                container.know_calls::<T>(&mut self.around.sensor)?;
            }
            self.around.sensor.forget_seen()?;
        }
        if self.around.gaps.are_told() {
            self.out.push(Write::Heartbeat(now));
        }
        self.place()?;
        let unseen = self.around.sensor.unseen_cgroups()?;
        if unseen != self.unseen {
            self.unseen = unseen;
            self.scan()?;
        }
        self.sweep()
    }

    pub(super) fn hierarchy(&self) -> &Hierarchy {
        &self.around.hierarchy
    }

    /// Runs the canary of this cage; the one before is done with.
    pub(super) fn put(&mut self, mut cage: Cage) -> anyhow::Result<()> {
        self.take_out();
        self.around.sensor.track(cage.cgroup())?;
        cage.sing(self.clock)?;
        self.canary = Some(cage);
        Ok(())
    }

    /// Its cgroup goes with it.
    fn take_out(&mut self) {
        if let Some(cage) = self.canary.take() {
            // Nothing would come of it any more.
            let _may_be_gone = self.around.sensor.release(cage.cgroup());
        }
    }

    /// What was told of before shall cross again when it is done again.
    pub(super) fn look_again(&mut self) -> anyhow::Result<()> {
        self.around.sensor.forget_seen()
    }

    /// The agent ends: what is still waiting is taken as far as it is known.
    pub(super) fn leave(&mut self) {
        let now = Timestamp::now();
        let ids: Vec<_> = self.containers.keys().cloned().collect();
        for id in ids {
            self.unresolved(&id, "driftline ends");
            let Some(mut container) = self.containers.remove(&id) else { continue };
            let lost = container.lost_by_kind();
            let all_seen = container.has_all();
            for observation in container.strangers.rest(all_seen) {
                take(&mut self.task, &mut container.state, observation, &mut self.out);
            }
            if let State::Known { job: Some(job), .. } = container.state {
                self.task.leave(job, &lost, now, &mut self.out);
            }
        }
        self.task.stop();
        if self.around.gaps.are_told() {
            self.out.push(Write::Heartbeat(now));
        }
    }
}

/// A container as it is known now.
fn ledger_entry<J>(
    around: &Surroundings,
    container: &Container<J>,
    identity: Identity,
    baseline: Option<(Option<String>, BaselineStatus)>,
    provenance: Option<Arc<Provenance>>,
) -> Write {
    Write::Container(Box::new(LedgerEntry {
        identity,
        cgroup: Some(container.path.own.clone()),
        node: around.machine.called(),
        seen: container.seen,
        capture: container.capture,
        tier: Some(around.tier.clone()),
        baseline,
        provenance,
    }))
}

/// What was lost of this container since this was last called.
fn tell_losses<J>(container: &mut Container<J>, metrics: &Metrics, out: &mut Vec<Write>) {
    for (kind, more) in container.untold_losses() {
        metrics.lost(kind.name(), more);
        let total = container.lost_by_kind()[kind as usize];
        out.push(Write::Lost { id: container.path.id.clone(), kind: kind.name(), total });
    }
}

/// Gives an observation to the task, or keeps it until it is known whose it is.
fn take<T: Task>(
    task: &mut T,
    state: &mut State<T::Job>,
    observation: Observation,
    out: &mut Vec<Write>,
) {
    match state {
        State::Waiting(waiting) => waiting.push(observation),
        State::Known { job: Some(job), .. } => task.take(job, observation, out),
        State::Known { job: None, .. } => {}
    }
}
