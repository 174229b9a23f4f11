//! Containers come and go: their cgroups are made, found, and removed.

use std::collections::HashSet;

use anyhow::Context as _;
use jiff::Timestamp;
use profiler_common::container::ContainerState;

use super::{Node, SWEEP_EVERY, take, tell_losses};
use crate::{
    agent::{
        container::{Container, State},
        takein,
        task::Task,
    },
    cgroup::CgroupId,
    container::{
        ContainerId, locate,
        path::{CgroupIdentity, Class, classify, identify},
    },
    pipeline::unsent,
    store::{Capture, Write},
};

/// A cgroup that was just made cannot be opened yet: the hook runs before the kernel shows it in the hierarchy
/// (`kernfs_activate`). Where the kernel's word of it has no path, being quick must not mean that it is let go.
#[derive(Clone, Copy)]
pub(super) struct Unplaced {
    /// As in the record of its making.
    owner: u64,
    cgroup: u64,
    looks: u32,
}

/// One may come right behind its making, and before it is shown.
const LOOKS: u32 = 3;

impl<T: Task> Node<T> {
    /// Takes in the containers that run already.
    pub(in super::super) fn scan(&mut self) -> anyhow::Result<()> {
        let found = locate::scan(&self.around.hierarchy).context("looking for containers")?;
        let own_pid = std::process::id();
        for (cgroup, path) in found {
            let Some(identity) = identify(&path) else { continue };
            if self.cgroups.contains_key(&cgroup.0) || self.own.contains(&identity.id) {
                continue;
            }
            let mut pids = locate::processes(&self.around.hierarchy, &path).unwrap_or_default();
            if pids.contains(&own_pid) {
                self.own.insert(identity.id.clone());
                self.around.sensor.release(cgroup)?;
                continue;
            }
            // One that was made since the probes are in place is captured already, and its record is on its way.
            if self.around.sensor.is_tracked(cgroup)? {
                continue;
            }
            if takein::own_and_runtimes(&pids).0.is_empty() {
                // Its entrypoint may start meanwhile: whoever starts from now on is seen by the kernel side.
                self.around.sensor.track(cgroup)?;
                pids = locate::processes(&self.around.hierarchy, &path).unwrap_or_default();
            }
            self.take_in(cgroup, identity, &pids)?;
        }
        let is_there = |id: &ContainerId| self.containers.contains_key(id);
        let (around, now) = (&mut self.around, Timestamp::now());
        let gone = around.gaps.settle(is_there, &around.machine, &around.tier, now, &mut self.out);
        for id in gone {
            around.resolver.ask_end(id);
        }
        Ok(())
    }

    /// `pids` must have been looked up since `cgroup` is tracked, unless a program of the container's is among them.
    pub(super) fn take_in(
        &mut self,
        cgroup: CgroupId,
        identity: CgroupIdentity,
        pids: &[u32],
    ) -> anyhow::Result<()> {
        let (pids, runtimes) = takein::own_and_runtimes(pids);
        let running = !pids.is_empty();
        for pid in &pids {
            self.around.sensor.adopt_process(*pid, cgroup)?;
        }
        if running || self.containers.contains_key(&identity.id) {
            self.around.sensor.track_running(cgroup, &runtimes)?;
        }
        let capture = match running {
            // Even if nothing runs in it now: it may have ended meanwhile.
            _ if self.around.gaps.is_known(&identity.id) => Capture::Gaps,
            false => Capture::FromStart,
            true => Capture::Partial,
        };
        let id = identity.id.clone();
        self.begin(cgroup.0, identity, capture)?;
        if let Some(container) = self.containers.get_mut(&id) {
            takein::take_in(&mut container.observer, cgroup.0, &pids, &self.around.redactor);
        }
        Ok(())
    }

    /// A cgroup of a container: the first makes the container.
    pub(super) fn begin(
        &mut self,
        cgroup: u64,
        identity: CgroupIdentity,
        capture: Capture,
    ) -> anyhow::Result<()> {
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
        container.know_calls::<T>(&mut self.around.sensor)?;
        self.listen_for_names(cgroup, 0);
        Ok(())
    }

    /// Where it cannot be opened yet, later: one that is gone by then has nothing more to be heard.
    fn listen_for_names(&mut self, cgroup: u64, looks: u32) {
        let id = CgroupId(cgroup);
        let Ok(Some(directory)) = self.locator.open(id) else {
            if looks < LOOKS {
                self.unheard.push((cgroup, looks + 1));
            }
            return;
        };
        if let Err(error) = self.around.sensor.listen_for_names(id, directory)
            && matches!(self.locator.open(id), Ok(Some(_)))
        {
            eprintln!("driftline: names that a container resolves will not be seen: {error:#}");
        }
    }

    pub(super) fn cgroup_made(
        &mut self,
        owner: u64,
        cgroup: u64,
        path: Option<String>,
    ) -> anyhow::Result<()> {
        // The kernel names it from the machine's root. Where less is mounted here, it may be another node's.
        let path = match path.filter(|_| self.around.hierarchy.is_whole()) {
            Some(path) => Some(path),
            None => self.locator.path_of(CgroupId(cgroup)).unwrap_or(None),
        };
        if path.is_none() {
            self.unplaced.push(Unplaced { owner, cgroup, looks: 0 });
            return Ok(());
        }
        self.placed(owner, cgroup, path.as_deref())
    }

    /// Something happens in a cgroup: it can be opened by now.
    pub(super) fn hear(&mut self, cgroup: u64) {
        if let Some(at) = self.unheard.iter().position(|(unheard, _)| *unheard == cgroup) {
            self.unheard.swap_remove(at);
            self.listen_for_names(cgroup, 0);
        }
    }

    /// Looks again for cgroups that could not be found when they were made. About every second.
    pub(super) fn place(&mut self) -> anyhow::Result<()> {
        for (cgroup, looks) in std::mem::take(&mut self.unheard) {
            if self.cgroups.contains_key(&cgroup) {
                self.listen_for_names(cgroup, looks);
            }
        }
        for mut unplaced in std::mem::take(&mut self.unplaced) {
            let Unplaced { owner, cgroup, .. } = unplaced;
            let path = self.locator.path_of(CgroupId(cgroup)).unwrap_or(None);
            unplaced.looks += 1;
            if path.is_none() && unplaced.looks < LOOKS {
                self.unplaced.push(unplaced);
            } else {
                self.placed(owner, cgroup, path.as_deref())?;
            }
        }
        Ok(())
    }

    fn placed(&mut self, owner: u64, cgroup: u64, path: Option<&str>) -> anyhow::Result<()> {
        let class = path.map_or(Class::Host, classify);
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
                self.begin(cgroup, identity, Capture::FromStart)
            }
            Class::Monitor | Class::Host if owner == cgroup => {
                self.around.sensor.release(CgroupId(cgroup))
            }
            Class::Monitor | Class::Host => Ok(()),
        }
    }

    /// Whose cgroup it is that the kernel reports of; none of ours is released.
    pub(super) fn discover(&mut self, cgroup: u64) -> anyhow::Result<Option<ContainerId>> {
        self.unplaced.retain(|unplaced| unplaced.cgroup != cgroup);
        let path = self.locator.path_of(CgroupId(cgroup)).unwrap_or(None);
        match path.as_deref().and_then(identify) {
            Some(identity) if !self.own.contains(&identity.id) => {
                let id = identity.id.clone();
                self.begin(cgroup, identity, Capture::FromStart)?;
                Ok(Some(id))
            }
            _ => {
                self.around.sensor.release(CgroupId(cgroup))?;
                Ok(None)
            }
        }
    }

    pub(super) fn cgroup_removed(&mut self, cgroup: u64, id: &ContainerId) -> anyhow::Result<()> {
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
    pub(super) fn take_final(&mut self, id: &ContainerId, state: &ContainerState) {
        let Some(container) = self.containers.get_mut(id) else { return };
        for (kind, lost) in state.lost.iter().enumerate() {
            container.lost_before[kind] += lost;
            // Of what is left of its cgroups, the next tick tells.
            container.lost[kind] = 0;
        }
        container.excess.before += state.limited;
        container.excess.now = 0;
        tell_losses(container, &self.around.metrics, &mut self.out);
        if let State::Known { job: Some(job), .. } = &mut container.state {
            self.task.called(job, &state.native.called, Timestamp::now());
        }
        for (number, denied, foreign) in unsent(state) {
            let observation = container.observer.late_syscall(number, denied, foreign);
            take(&mut self.task, &mut container.state, observation, &mut self.out);
        }
    }

    /// A container has ended, and is known: its last words.
    pub(super) fn finish(&mut self, id: &ContainerId) {
        let Some(mut container) = self.containers.remove(id) else { return };
        let (now, lost) =
            (container.ended.unwrap_or_else(Timestamp::now), container.lost_by_kind());
        let exit_code = container.exit_code();
        if let Some(member) = container.member() {
            self.pods.remove(&member.identity);
        }
        let all_seen = container.has_all();
        for observation in container.strangers.rest(all_seen) {
            take(&mut self.task, &mut container.state, observation, &mut self.out);
        }
        if let State::Known { job: Some(job), .. } = container.state {
            self.task.end(job, &lost, now, &mut self.out);
        }
        self.around.resolver.ask_end(id.clone());
        self.out.push(Write::Ended { id: id.clone(), at: now, exit_code, reason: None });
    }

    /// Cgroups whose removal was not told, because the ring buffer was full. Such a record may still be on its way, so
    /// they must be gone twice.
    pub(super) fn sweep(&mut self) -> anyhow::Result<()> {
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
}
