//! All containers of the node: records in, each to its container, and what the runtime says of them.

use std::collections::{BTreeSet, HashMap, HashSet};

use anyhow::Context as _;
use bytes::Bytes;
use jiff::Timestamp;
use profiler_common::container::ContainerState;

use super::{
    container::{Container, State},
    gaps::Gaps,
    selector::Selector,
    takein,
    task::{Member, Task},
};
use crate::{
    behaviour::Observation,
    cgroup::{CgroupId, Hierarchy},
    container::{
        ContainerId, Identity,
        locate::{self, Locator},
        path::{CgroupIdentity, Class, classify, identify},
    },
    drift::{BaselineStatus, Node as Machine},
    http::{Containers, Metrics},
    observe::Clock,
    pipeline::unsent,
    redact::Redactor,
    runtime::{Answer, Resolver},
    sensor::{self, Event, EventBody, Sensor},
    store::{Capture, LedgerEntry, Write},
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
}

pub(super) struct Node<T: Task> {
    pub(super) task: T,
    around: Surroundings,
    locator: Locator,
    clock: Clock,
    containers: HashMap<ContainerId, Container<T::Job>>,
    /// Kernel ids of cgroups → their container.
    cgroups: HashMap<u64, ContainerId>,
    /// The agent's own container: its writing about what it writes would never end.
    own: HashSet<ContainerId>,
    /// Cgroups that were made without a record, when last looked.
    unseen: u64,
    ticks: u64,
    /// Cgroups that were gone at the last sweep.
    gone: HashSet<u64>,
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
            own: HashSet::new(),
            unseen: 0,
            ticks: 0,
            gone: HashSet::new(),
            out: Vec::new(),
        })
    }

    /// Takes in the containers that run already.
    pub(super) fn scan(&mut self) -> anyhow::Result<()> {
        let found = locate::scan(&self.around.hierarchy).context("looking for containers")?;
        let own_pid = std::process::id();
        for (cgroup, path) in found {
            let Some(identity) = identify(&path) else { continue };
            if self.cgroups.contains_key(&cgroup.0) || self.own.contains(&identity.id) {
                continue;
            }
            let pids = locate::processes(&self.around.hierarchy, &path).unwrap_or_default();
            if pids.contains(&own_pid) {
                self.own.insert(identity.id.clone());
                self.around.sensor.release(cgroup)?;
                continue;
            }
            // One that was made since the probes are in place is captured already, and its record is on its way.
            if !self.around.sensor.is_tracked(cgroup)? {
                self.take_in(cgroup, identity, &pids)?;
            }
        }
        let is_there = |id: &ContainerId| self.containers.contains_key(id);
        let (around, now) = (&mut self.around, Timestamp::now());
        let gone = around.gaps.settle(is_there, &around.machine, &around.tier, now, &mut self.out);
        gone.into_iter().for_each(|id| around.resolver.ask_end(id));
        Ok(())
    }

    fn take_in(
        &mut self,
        cgroup: CgroupId,
        identity: CgroupIdentity,
        pids: &[u32],
    ) -> anyhow::Result<()> {
        let running = takein::is_running(pids);
        if running || self.containers.contains_key(&identity.id) {
            self.around.sensor.track_running(cgroup)?;
        } else {
            self.around.sensor.track(cgroup)?;
        }
        let capture = match running {
            // Even if nothing runs in it now: it may have ended meanwhile.
            _ if self.around.gaps.is_known(&identity.id) => Capture::Gaps,
            false => Capture::FromStart,
            true => Capture::Partial,
        };
        let id = identity.id.clone();
        self.begin(cgroup.0, identity, capture);
        if let Some(container) = self.containers.get_mut(&id) {
            takein::take_in(&mut container.observer, cgroup.0, pids, &self.around.redactor);
        }
        Ok(())
    }

    /// A cgroup of a container: the first makes the container.
    fn begin(&mut self, cgroup: u64, identity: CgroupIdentity, capture: Capture) {
        let id = identity.id.clone();
        self.cgroups.insert(cgroup, id.clone());
        // Docker starts a container again under its old id.
        if self.containers.get(&id).is_some_and(|container| container.ended.is_some()) {
            self.finish(&id);
        }
        let container = self.containers.entry(id.clone()).or_insert_with(|| {
            self.around.resolver.ask(id);
            Container::new(identity, self.clock, capture, Timestamp::now())
        });
        container.cgroups.push(cgroup);
    }

    pub(super) fn record(&mut self, record: Bytes) -> anyhow::Result<()> {
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
        if let EventBody::CgroupMade { cgroup, path } = event.body {
            return self.cgroup_made(event.container, cgroup, path);
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
        let Some(observation) = container.observer.observe(event) else { return Ok(()) };
        for observation in container.strangers.admit(observation) {
            take(&mut self.task, &mut container.state, observation, &mut self.out);
        }
        Ok(())
    }

    fn cgroup_made(&mut self, owner: u64, cgroup: u64, path: Option<String>) -> anyhow::Result<()> {
        let path = match path {
            Some(path) => Some(path),
            None => self.locator.path_of(CgroupId(cgroup)).unwrap_or(None),
        };
        let class = path.as_deref().map_or(Class::Host, classify);
        match class {
            Class::Container(identity) if self.own.contains(&identity.id) => {
                self.around.sensor.release(CgroupId(cgroup))
            }
            Class::Container(identity) => {
                if owner != cgroup {
                    if self.cgroups.get(&owner) == Some(&identity.id) {
                        return Ok(());
                    }
                    // A container in a container: it is one of its own.
                    self.around.sensor.track(CgroupId(cgroup))?;
                }
                self.begin(cgroup, identity, Capture::FromStart);
                Ok(())
            }
            Class::Monitor | Class::Host if owner == cgroup => {
                self.around.sensor.release(CgroupId(cgroup))
            }
            Class::Monitor | Class::Host => Ok(()),
        }
    }

    /// Whose cgroup it is that the kernel reports of; none of ours is released.
    fn discover(&mut self, cgroup: u64) -> anyhow::Result<Option<ContainerId>> {
        let path = self.locator.path_of(CgroupId(cgroup)).unwrap_or(None);
        match path.as_deref().and_then(identify) {
            Some(identity) if !self.own.contains(&identity.id) => {
                let id = identity.id.clone();
                self.begin(cgroup, identity, Capture::FromStart);
                Ok(Some(id))
            }
            _ => {
                self.around.sensor.release(CgroupId(cgroup))?;
                Ok(None)
            }
        }
    }

    fn cgroup_removed(&mut self, cgroup: u64, id: &ContainerId) -> anyhow::Result<()> {
        let state = self.around.sensor.state(CgroupId(cgroup));
        self.around.sensor.release(CgroupId(cgroup))?;
        self.cgroups.remove(&cgroup);
        if let Ok(state) = state {
            self.take_final(id, &state);
        }
        let Some(container) = self.containers.get_mut(id) else { return Ok(()) };
        container.cgroups.retain(|known| *known != cgroup);
        if container.cgroups.is_empty() {
            container.ended = Some(Timestamp::now());
            if container.member().is_some() {
                self.finish(id);
            }
        }
        Ok(())
    }

    /// System calls that the kernel holds although their events were lost, and the losses themselves.
    fn take_final(&mut self, id: &ContainerId, state: &ContainerState) {
        let Some(container) = self.containers.get_mut(id) else { return };
        for (kind, lost) in state.lost.iter().enumerate() {
            container.lost_before[kind] += lost;
            // Of what is left of its cgroups, the next tick tells.
            container.lost[kind] = 0;
        }
        for (kind, more) in container.untold_losses() {
            self.around.metrics.lost(kind.name(), more);
        }
        for (number, denied, foreign) in unsent(state) {
            let observation = container.observer.late_syscall(number, denied, foreign);
            take(&mut self.task, &mut container.state, observation, &mut self.out);
        }
    }

    /// A container has ended, and is known: its last words.
    fn finish(&mut self, id: &ContainerId) {
        let Some(mut container) = self.containers.remove(id) else { return };
        let (now, lost) =
            (container.ended.unwrap_or_else(Timestamp::now), container.lost_by_kind());
        let exit_code = container.exit_code();
        let all_seen = container.has_all();
        for observation in container.strangers.rest(all_seen) {
            take(&mut self.task, &mut container.state, observation, &mut self.out);
        }
        if let State::Known { job: Some(job), .. } = container.state {
            self.task.end(job, &lost, now, &mut self.out);
        }
        self.around.resolver.ask_end(id.clone());
        self.out.push(Write::Ended {
            id: id.clone(),
            at: now,
            exit_code,
            reason: None,
            lost: lost.iter().sum(),
        });
    }

    pub(super) fn answer(&mut self, answer: Answer) {
        match answer {
            Answer::Identified(identity) => self.identified(*identity),
            Answer::Unresolved { id, why } => self.unresolved(&id, &why),
            Answer::Known(all) => {
                for identity in all {
                    self.listed(identity);
                }
            }
            Answer::Ended(identity) => self.ended(&identity),
            Answer::Health(sentence) => eprintln!("driftline: {sentence}"),
        }
    }

    fn unresolved(&mut self, id: &ContainerId, why: &str) {
        let Some(container) = self.containers.get(id) else { return };
        if container.member().is_some() {
            return;
        }
        self.around.metrics.container_unresolved();
        eprintln!("driftline: container {} is known by its cgroup alone: {why}", id.short());
        let CgroupIdentity { runtime, pod_uid, .. } = container.path.clone();
        self.identified(Identity::of_path(id.clone(), runtime, pod_uid));
    }

    fn identified(&mut self, mut identity: Identity) {
        let id = identity.id.clone();
        let Some(container) = self.containers.get_mut(&id) else { return };
        let now = Timestamp::now();
        container.complete(&mut identity);
        let member = Member::new(identity, &self.around.machine, container.capture);
        if let Some(namespace) = member.identity.namespace() {
            self.around.metrics.namespace_seen(namespace);
        }
        let selected = self.around.selector.selects(&member.identity);
        let mut job = if selected { self.task.begin(&member, now, &mut self.out) } else { None };
        let identity = (*member.identity).clone();
        let baseline = job.as_ref().and_then(|job| self.task.baseline(job));
        self.out.push(ledger_entry(&self.around, container, identity, baseline));
        self.around.gaps.tell(&member, &self.around.tier, now, &mut self.out);
        if let State::Waiting(waiting) = &mut container.state
            && let Some(job) = &mut job
        {
            for observation in std::mem::take(waiting) {
                self.task.take(job, observation, &mut self.out);
            }
        }
        let ended = container.ended.is_some();
        let before = std::mem::replace(&mut container.state, State::Known { member, job });
        if let State::Known { job: Some(job), .. } = before {
            // It was known by its path alone until now.
            self.task.leave(job, &[], now, &mut self.out);
        }
        if ended {
            self.finish(&id);
        }
    }

    /// A container's entrypoint runs, which the runtime did not know when it was asked who that is.
    fn started(&mut self, id: &ContainerId) {
        let Some(container) = self.containers.get(id) else { return };
        let State::Known { member, job } = &container.state else { return };
        let mut identity = (*member.identity).clone();
        container.complete(&mut identity);
        if identity != *member.identity {
            let baseline = job.as_ref().and_then(|job| self.task.baseline(job));
            self.out.push(ledger_entry(&self.around, container, identity, baseline));
        }
    }

    /// What the runtime lists: containers that ran without us are kept in the ledger.
    fn listed(&mut self, identity: Identity) {
        if let Some(container) = self.containers.get(&identity.id) {
            let by_path = container
                .member()
                .is_some_and(|member| member.identity.source == crate::container::Source::Path);
            if by_path {
                self.identified(identity);
            }
            return;
        }
        let (id, finished) = (identity.id.clone(), identity.finished);
        let (exit_code, reason) = (identity.exit_code, identity.reason.clone());
        if self.own.contains(&id) {
            return;
        }
        let seen = identity.started.or(identity.created).unwrap_or_else(Timestamp::now);
        self.out.push(Write::Container(Box::new(LedgerEntry {
            identity,
            cgroup: None,
            node: self.around.machine.host_name.clone(),
            seen,
            capture: Capture::Listed,
            tier: None,
            baseline: None,
            lost: 0,
        })));
        if let Some(at) = finished {
            self.out.push(Write::Ended { id, at, exit_code, reason, lost: 0 });
        }
    }

    /// The runtime's word on an end: the exit code and why.
    fn ended(&mut self, identity: &Identity) {
        if let Some(at) = identity.finished {
            self.out.push(Write::Ended {
                id: identity.id.clone(),
                at,
                exit_code: identity.exit_code,
                reason: identity.reason.clone(),
                lost: 0,
            });
        }
    }

    /// About every second.
    pub(super) fn tick(&mut self) -> anyhow::Result<()> {
        let now = Timestamp::now();
        for container in self.containers.values_mut() {
            container.lost = [0; profiler_common::event::KINDS];
            for cgroup in &container.cgroups {
                let Ok(state) = self.around.sensor.state(CgroupId(*cgroup)) else { continue };
                for (sum, lost) in container.lost.iter_mut().zip(state.lost) {
                    *sum += lost;
                }
            }
            for (kind, more) in container.untold_losses() {
                self.around.metrics.lost(kind.name(), more);
            }
            for observation in container.strangers.overdue(now, container.has_all()) {
                take(&mut self.task, &mut container.state, observation, &mut self.out);
            }
            let lost = container.lost_by_kind().iter().sum();
            if let State::Known { job: Some(job), .. } = &mut container.state {
                self.task.tick(job, lost, now, &mut self.out);
            }
        }
        self.task.every_second(now);
        self.out.push(Write::Heartbeat(now));
        let unseen = self.around.sensor.unseen_cgroups()?;
        if unseen != self.unseen {
            self.unseen = unseen;
            self.scan()?;
        }
        self.sweep()
    }

    /// Cgroups whose removal was not told, because the ring buffer was full. Such a record may still be on its way, so
    /// they must be gone twice.
    fn sweep(&mut self) -> anyhow::Result<()> {
        self.ticks += 1;
        if !self.ticks.is_multiple_of(SWEEP_EVERY) {
            return Ok(());
        }
        let is_gone = |cgroup: u64| matches!(self.locator.path_of(CgroupId(cgroup)), Ok(None));
        let gone: HashSet<_> =
            self.cgroups.keys().copied().filter(|cgroup| is_gone(*cgroup)).collect();
        for cgroup in gone.intersection(&self.gone).copied().collect::<Vec<_>>() {
            if let Some(id) = self.cgroups.get(&cgroup).cloned() {
                self.cgroup_removed(cgroup, &id)?;
            }
        }
        self.gone = gone;
        Ok(())
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
        self.out.push(Write::Heartbeat(now));
    }

    /// What there is to say about the whole.
    pub(super) fn figures(&self) -> Figures<'_> {
        let mut containers = Containers::default();
        let mut namespaces = BTreeSet::new();
        for container in self.containers.values() {
            match &container.state {
                State::Waiting(_) => containers.unresolved += 1,
                State::Known { job: Some(job), .. } => T::count(job, &mut containers),
                State::Known { job: None, .. } => containers.ignored += 1,
            }
            namespaces.extend(container.member().and_then(|member| member.identity.namespace()));
        }
        let (baselines, unprofiled) = self.task.baselines();
        Figures { containers, namespaces, baselines, unprofiled }
    }

    pub(super) fn runtimes(&self) -> crate::runtime::Health {
        self.around.resolver.health()
    }
}

/// A container as it is known now.
fn ledger_entry<J>(
    around: &Surroundings,
    container: &Container<J>,
    identity: Identity,
    baseline: Option<(Option<String>, BaselineStatus)>,
) -> Write {
    Write::Container(Box::new(LedgerEntry {
        identity,
        cgroup: Some(container.path.own.clone()),
        node: around.machine.host_name.clone(),
        seen: container.seen,
        capture: container.capture,
        tier: Some(around.tier.clone()),
        baseline,
        lost: container.lost_by_kind().iter().sum(),
    }))
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

pub(super) struct Figures<'a> {
    pub(super) containers: Containers,
    pub(super) namespaces: BTreeSet<&'a str>,
    pub(super) baselines: usize,
    pub(super) unprofiled: usize,
}
