//! Containers get their names: what the runtime says of them, and what it says of their ends.

use jiff::Timestamp;

use super::{Node, ledger_entry};
use crate::{
    agent::{
        container::State,
        task::{Member, Task},
    },
    container::{ContainerId, Identity, path::CgroupIdentity},
    runtime::Answer,
    store::{Capture, LedgerEntry, UNOBSERVED, Write},
};

impl<T: Task> Node<T> {
    pub(in super::super) fn answer(&mut self, answer: Answer) {
        match answer {
            Answer::Identified(identity) => self.identified(*identity),
            Answer::Unresolved { id, why } => self.unresolved(&id, &why),
            Answer::Known(all) => {
                for identity in all {
                    self.listed(identity);
                }
            }
            Answer::Ended(identity) => self.ended(&identity),
            Answer::Forgotten(id) => self.forgotten(id),
            Answer::Health(sentence) => eprintln!("driftline: {sentence}"),
        }
    }

    pub(super) fn unresolved(&mut self, id: &ContainerId, why: &str) {
        let Some(container) = self.containers.get(id) else { return };
        if container.member().is_some() {
            return;
        }
        self.around.metrics.container_unresolved();
        eprintln!("driftline: container {} is known by its cgroup alone: {why}", id.short());
        let CgroupIdentity { runtime, pod_uid, .. } = container.path.clone();
        self.identified(Identity::of_path(id.clone(), runtime, pod_uid));
    }

    pub(super) fn identified(&mut self, mut identity: Identity) {
        let id = identity.id.clone();
        let Some(container) = self.containers.get_mut(&id) else { return };
        let now = Timestamp::now();
        container.complete(&mut identity);
        self.pods.add(&identity);
        let provenance = self.around.provenance.of(&identity, now);
        let machine = &self.around.machine;
        let member = Member::new(identity, machine, container.capture, provenance.clone());
        if let Some(namespace) = member.identity.namespace() {
            self.around.metrics.namespace_seen(namespace);
        }
        let selected = self.around.selector.selects(&member.identity);
        let mut job = if selected { self.task.begin(&member, now, &mut self.out) } else { None };
        let identity = (*member.identity).clone();
        let baseline = job.as_ref().and_then(|job| self.task.baseline(job));
        self.out.push(ledger_entry(&self.around, container, identity, baseline, provenance));
        self.around.gaps.tell(&member, &self.around.tier, now, &mut self.out);
        if let State::Waiting(waiting) = &mut container.state
            && let Some(job) = &mut job
        {
            for observation in std::mem::take(waiting) {
                // Whom it talked to may have got its name meanwhile.
                let observation = self.pods.name_peer(observation);
                self.task.take(job, observation, &mut self.out);
            }
        }
        let ended = container.ended.is_some();
        let before = std::mem::replace(&mut container.state, State::Known { member, job });
        let mut told = container.know_calls::<T>(&mut self.around.sensor);
        if let State::Known { job: Some(job), .. } = before {
            // It was known by its path alone until now: what was told of was judged by that.
            told = told.and_then(|()| self.around.sensor.forget_seen());
            self.task.leave(job, &[], now, &mut self.out);
        }
        if let Err(error) = told {
            eprintln!("driftline: the kernel did not learn which calls are known: {error:#}");
        }
        if ended {
            self.finish(&id);
        }
    }

    /// A container's entrypoint runs, which the runtime did not know when it was asked who that is.
    pub(super) fn started(&mut self, id: &ContainerId) {
        let Some(container) = self.containers.get(id) else { return };
        let State::Known { member, job } = &container.state else { return };
        let mut identity = (*member.identity).clone();
        container.complete(&mut identity);
        if identity != *member.identity {
            let baseline = job.as_ref().and_then(|job| self.task.baseline(job));
            let provenance = member.origin.provenance.clone();
            self.out.push(ledger_entry(&self.around, container, identity, baseline, provenance));
        }
    }

    /// What the runtime lists: containers that ran without us are kept in the ledger.
    pub(super) fn listed(&mut self, identity: Identity) {
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
        let provenance = self.around.provenance.of(&identity, seen);
        self.out.push(Write::Container(Box::new(LedgerEntry {
            identity,
            cgroup: None,
            node: self.around.machine.called(),
            seen,
            capture: Capture::Listed,
            tier: None,
            baseline: None,
            provenance,
        })));
        if let Some(at) = finished {
            self.out.push(Write::Ended { id, at, exit_code, reason });
        } else if self.listed.insert(id.clone()) {
            // It may have ended since the list was made, before its cgroup was looked for.
            self.around.resolver.ask_end(id);
        }
    }

    /// The runtime does not know this one any more: if nobody saw its end, it has one all the same.
    fn forgotten(&mut self, id: ContainerId) {
        if self.listed.remove(&id) && !self.containers.contains_key(&id) {
            self.out.push(Write::Ended {
                id,
                at: Timestamp::now(),
                exit_code: None,
                reason: Some(UNOBSERVED.to_owned()),
            });
        }
    }

    /// The runtime's word on an end: the exit code and why.
    pub(super) fn ended(&mut self, identity: &Identity) {
        self.listed.remove(&identity.id);
        if let Some(at) = identity.finished {
            self.out.push(Write::Ended {
                id: identity.id.clone(),
                at,
                exit_code: identity.exit_code,
                reason: identity.reason.clone(),
            });
        }
    }
}
