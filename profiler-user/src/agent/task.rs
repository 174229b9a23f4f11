//! What is done with a container's observations: recording or watching.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use profiler_common::container::KnownCalls;

use crate::{
    attest::Reason,
    baseline::Run,
    behaviour::{Observation, Process},
    container::Identity,
    drift::{BaselineStatus, Origin},
    http::Containers,
    store::{Capture, Write},
};

/// A container whose identity is known as well as it will be.
pub(super) struct Member {
    pub(super) identity: Arc<Identity>,
    pub(super) origin: Arc<Origin>,
    pub(super) capture: Capture,
}

/// What every run that this agent sees has in common.
#[derive(Clone)]
pub(super) struct Observed {
    pub(super) host: String,
    pub(super) tier: String,
    /// Behaviours that no probe sees.
    pub(super) blind: BTreeSet<String>,
}

impl Observed {
    /// A container's.
    pub(super) fn run(&self, identity: &Identity, partial: bool, now: Timestamp) -> Run {
        let run = Run::new(identity.started.unwrap_or(now), &self.host, &self.tier);
        Run { blind: self.blind.clone(), partial, ..run }
    }
}

/// The agent's work; one container's part of it is a [`Task::Job`].
pub(super) trait Task: Send + 'static {
    type Job: Send;

    /// None where there is nothing to do with this container.
    fn begin(&mut self, member: &Member, now: Timestamp, out: &mut Vec<Write>)
    -> Option<Self::Job>;

    fn take(&mut self, job: &mut Self::Job, observation: Observation, out: &mut Vec<Write>);

    /// A process ended, with this wait status.
    fn exited(
        &mut self,
        _job: &mut Self::Job,
        _at: Timestamp,
        _process: &Arc<Process>,
        _status: u32,
    ) {
    }

    /// Native calls that its processes made so far, also those that did not cross.
    fn called(&mut self, _job: &mut Self::Job, _calls: &KnownCalls, _now: Timestamp) {}

    /// About every second, for each container. `lost`: its events that were lost so far.
    fn tick(&mut self, job: &mut Self::Job, lost: u64, now: Timestamp, out: &mut Vec<Write>);

    /// The container ended; `lost` by kind.
    fn end(&mut self, job: Self::Job, lost: &[u64], now: Timestamp, out: &mut Vec<Write>);

    /// The agent stops, the container goes on.
    fn leave(&mut self, job: Self::Job, lost: &[u64], now: Timestamp, out: &mut Vec<Write>);

    /// About every second, before the jobs' ticks. True where everything is to cross again: they
    /// judge by something else from then on, or another window began.
    fn every_second(&mut self, now: Timestamp) -> bool;

    /// So many events more were beyond what a container may send: they were counted, not read.
    fn limited(&mut self, _job: &Self::Job, _excess: u64, _now: Timestamp, _out: &mut Vec<Write>) {}

    /// Native calls of the container's that this job need not hear of.
    fn known_calls(_job: &Self::Job) -> Option<&KnownCalls> {
        None
    }

    /// Whether what was to be done is done; asked about every second.
    fn is_done(&mut self, _now: Timestamp) -> bool {
        false
    }

    /// A few times a second.
    fn save(&mut self) {}

    /// The last call.
    fn stop(&mut self) {}

    /// Baselines at hand, and images that run without one.
    fn baselines(&self) -> (usize, usize);

    /// Why, for each baseline that is there and not believed.
    fn refused(&self) -> Vec<Reason> {
        Vec::new()
    }

    /// Baselines that are judged by although nobody who is trusted answers for them.
    fn unsigned(&self) -> usize {
        0
    }

    /// Counts a container among those of its state.
    fn count(job: &Self::Job, containers: &mut Containers);

    /// The baseline that a job goes by, for the ledger.
    fn baseline(&self, job: &Self::Job) -> Option<(Option<String>, BaselineStatus)>;
}
