//! What there is to say about the whole node, for metrics and health.

use std::collections::BTreeSet;

use super::Node;
use crate::{
    agent::{container::State, task::Task},
    attest::Reason,
    http::Containers,
};

impl<T: Task> Node<T> {
    /// What there is to say about the whole.
    pub(in super::super) fn figures(&self) -> Figures<'_> {
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
        let (refused, unsigned) = (self.task.refused(), self.task.unsigned());
        Figures { containers, namespaces, baselines, refused, unsigned, unprofiled }
    }

    pub(in super::super) fn runtimes(&self) -> crate::runtime::Health {
        self.around.resolver.health()
    }
}

pub(in super::super) struct Figures<'a> {
    pub(in super::super) containers: Containers,
    pub(in super::super) namespaces: BTreeSet<&'a str>,
    pub(in super::super) baselines: usize,
    /// Why, for each baseline that is not believed.
    pub(in super::super) refused: Vec<Reason>,
    pub(in super::super) unsigned: usize,
    pub(in super::super) unprofiled: usize,
}
