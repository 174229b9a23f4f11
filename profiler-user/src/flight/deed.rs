//! What is told of once and counted by number afterwards: who did it, and what.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::behaviour::{Ancestor, Behaviour, Observation, Process};

/// What a process did, or that it ended.
#[derive(Clone, Copy, Debug, Hash, PartialEq)]
pub enum Done<'a> {
    Did(&'a Behaviour),
    /// With this wait status.
    Exited(u32),
}

/// A process as the judge sees it: without the numbers that are others each time.
#[derive(Clone, Debug, Deserialize, Hash, PartialEq, Serialize)]
pub(crate) struct Actor {
    executable: Arc<str>,
    args: Arc<[String]>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    args_cut: bool,
    uid: u32,
    /// Executable and arguments of its parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<(Arc<str>, Arc<[String]>)>,
}

/// One distinct behaviour.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Deed {
    Did(Behaviour),
    Exited(u32),
}

impl Actor {
    pub(super) fn of(process: &Process) -> Self {
        let parent = process.ancestry.first();
        Self {
            executable: Arc::clone(&process.executable),
            args: Arc::clone(&process.args),
            args_cut: process.args_cut,
            uid: process.uid,
            parent: parent.map(|one| (Arc::clone(&one.executable), Arc::clone(&one.args))),
        }
    }

    /// As it was, as far as that was kept.
    pub(crate) fn process(&self, pid: u32) -> Process {
        let parent = self.parent.as_ref().map(|(executable, args)| Ancestor {
            pid: 0,
            executable: Arc::clone(executable),
            args: Arc::clone(args),
        });
        Process {
            pid,
            vpid: None,
            parent_pid: 0,
            uid: self.uid,
            executable: Arc::clone(&self.executable),
            args: Arc::clone(&self.args),
            args_cut: self.args_cut,
            ancestry: parent.into_iter().collect(),
        }
    }
}

impl Deed {
    pub(crate) fn done(&self) -> Done<'_> {
        match self {
            Self::Did(behaviour) => Done::Did(behaviour),
            Self::Exited(status) => Done::Exited(*status),
        }
    }

    /// What the judge is asked; an end is no drift.
    pub(crate) fn observation(&self, by: &Actor, pid: u32, time: Timestamp) -> Option<Observation> {
        let Self::Did(behaviour) = self else { return None };
        Some(Observation { time, process: Arc::new(by.process(pid)), behaviour: behaviour.clone() })
    }
}

/// As [`Deed`] writes it, without owning it.
#[derive(Serialize)]
pub(super) enum Told<'a> {
    Did(&'a Behaviour),
    Exited(u32),
}

impl<'a> From<Done<'a>> for Told<'a> {
    fn from(done: Done<'a>) -> Self {
        match done {
            Done::Did(behaviour) => Self::Did(behaviour),
            Done::Exited(status) => Self::Exited(status),
        }
    }
}
