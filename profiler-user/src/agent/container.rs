//! One container as the agent follows it, from its cgroup's making to its end.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use profiler_common::event::{KINDS, Kind};

use super::{
    strangers::Strangers,
    task::{Member, Task},
};
use crate::{
    behaviour::{Observation, Process},
    cgroup::CgroupId,
    container::{Identity, path::CgroupIdentity},
    observe::{Clock, Observer},
    provenance::Provenance,
    sensor::{Event, EventBody, Sensor},
    store::Capture,
};

/// Observations that wait for a container to be identified: at about 300 bytes each, 3 MB.
const WAITING_MAX: usize = 10_000;

pub(super) struct Container<J> {
    /// What the path of its cgroup says.
    pub(super) path: CgroupIdentity,
    pub(super) observer: Observer,
    pub(super) strangers: Strangers,
    clock: Clock,
    pub(super) capture: Capture,
    pub(super) seen: Timestamp,
    pub(super) state: State<J>,
    /// Kernel ids of its cgroups that are still there.
    pub(super) cgroups: Vec<u64>,
    /// Lost events by kind: of cgroups that are gone, and of those that are there.
    pub(super) lost_before: [u64; KINDS],
    pub(super) lost: [u64; KINDS],
    lost_told: [u64; KINDS],
    /// Of the lost, those beyond what a container may send.
    pub(super) excess: Excess,
    /// The entrypoint's process, when it began, and how it ended.
    entrypoint: Option<u32>,
    started: Option<Timestamp>,
    status: Option<u32>,
    /// When its last cgroup went.
    pub(super) ended: Option<Timestamp>,
}

/// Events beyond the rate that a container may send at.
#[derive(Default)]
pub(super) struct Excess {
    /// In cgroups that are gone, and in those that are there.
    pub(super) before: u64,
    pub(super) now: u64,
    told: u64,
    told_at: Option<Timestamp>,
}

impl Excess {
    /// What is to be told of: at most once a minute.
    pub(super) fn untold(&mut self, now: Timestamp) -> Option<u64> {
        let minute = SignedDuration::from_mins(1);
        let more = (self.before + self.now).saturating_sub(self.told);
        if more == 0 || self.told_at.is_some_and(|at| now.duration_since(at) < minute) {
            return None;
        }
        self.told += more;
        self.told_at = Some(now);
        Some(more)
    }
}

pub(super) enum State<J> {
    /// Nobody has said yet who it is.
    Waiting(Vec<Observation>),
    Known {
        member: Member,
        job: Option<J>,
    },
}

impl<J> Container<J> {
    pub(super) fn new(
        path: CgroupIdentity,
        clock: Clock,
        capture: Capture,
        seen: Timestamp,
    ) -> Self {
        Self {
            path,
            observer: Observer::new(clock),
            strangers: Strangers::default(),
            clock,
            capture,
            seen,
            state: State::Waiting(Vec::new()),
            cgroups: Vec::new(),
            lost_before: [0; KINDS],
            lost: [0; KINDS],
            lost_told: [0; KINDS],
            excess: Excess::default(),
            entrypoint: None,
            started: None,
            status: None,
            ended: None,
        }
    }

    /// Keeps an observation for later. False when too many wait.
    pub(super) fn has_room(&self) -> bool {
        match &self.state {
            State::Waiting(waiting) => waiting.len() < WAITING_MAX,
            State::Known { .. } => true,
        }
    }

    /// Follows the first process, whose end is the container's exit code also when the runtime has forgotten it.
    /// Whether it began now.
    pub(super) fn follow(&mut self, event: &Event) -> bool {
        match event.body {
            EventBody::Exec { first: true, .. } => {
                self.entrypoint = Some(event.pid);
                self.started = Some(self.clock.at(event.time));
                return true;
            }
            EventBody::Exit { status } if self.entrypoint == Some(event.pid) => {
                self.status = Some(status);
            }
            _ => {}
        }
        false
    }

    /// Tells the kernel which calls its job knows.
    pub(super) fn know_calls<T: Task<Job = J>>(&self, sensor: &mut Sensor) -> anyhow::Result<()> {
        let State::Known { job: Some(job), .. } = &self.state else { return Ok(()) };
        let calls = T::known_calls(job);
        self.cgroups.iter().try_for_each(|cgroup| sensor.know_calls(CgroupId(*cgroup), calls))
    }

    /// The end that an event tells of: when, whose, and how.
    pub(super) fn exit(&self, event: &Event) -> Option<(Timestamp, Arc<Process>, u32)> {
        let EventBody::Exit { status } = event.body else { return None };
        Some((self.clock.at(event.time), self.observer.ending(event.pid)?, status))
    }

    /// Adds what the kernel showed of its start: a runtime is mostly asked before it knows of that itself.
    pub(super) fn complete(&self, identity: &mut Identity) {
        if identity.started.is_none() {
            identity.started = self.started;
        }
        if identity.pid.is_none() && self.status.is_none() {
            identity.pid = self.entrypoint;
        }
    }

    /// As a runtime reports it: 128 and the signal's number for one that was killed.
    pub(super) fn exit_code(&self) -> Option<i32> {
        let status = self.status?;
        let (signal, code) = (status & 0x7f, (status >> 8) & 0xff);
        Some(if signal == 0 { code } else { 128 + signal }.cast_signed())
    }

    /// What was lost since this was last asked.
    pub(super) fn untold_losses(&mut self) -> Vec<(Kind, u64)> {
        let lost = self.lost_by_kind();
        let told = std::mem::replace(&mut self.lost_told, lost);
        let more = Kind::ALL.into_iter().zip(lost.iter().zip(told));
        let more = more.map(|(kind, (lost, told))| (kind, lost.saturating_sub(told)));
        more.filter(|(_, more)| *more > 0).collect()
    }

    /// Whether the start of each of its processes was seen, as far as the losses are known.
    pub(super) fn has_all(&self) -> bool {
        self.capture == Capture::FromStart && self.lost_by_kind().iter().all(|lost| *lost == 0)
    }

    pub(super) fn lost_by_kind(&self) -> [u64; KINDS] {
        std::array::from_fn(|kind| self.lost_before[kind] + self.lost[kind])
    }

    pub(super) fn member(&self) -> Option<&Member> {
        match &self.state {
            State::Known { member, .. } => Some(member),
            State::Waiting(_) => None,
        }
    }
}

impl Member {
    pub(super) fn new(
        identity: Identity,
        node: &crate::drift::Node,
        capture: Capture,
        provenance: Option<Arc<Provenance>>,
    ) -> Self {
        let origin = crate::drift::Origin::of_container(node, &identity);
        let origin = crate::drift::Origin { provenance, ..origin };
        Self { identity: Arc::new(identity), origin: Arc::new(origin), capture }
    }
}
