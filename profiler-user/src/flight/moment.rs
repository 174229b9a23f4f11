//! A container's last moments, for the events that follow them.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Done;
use crate::behaviour::{Behaviour, Observation, Process};
use crate::drift::DriftKind;
use crate::generalise::{change, join_args};

/// Moments that are kept, and that an event tells of.
const MOMENTS: usize = 16;

/// What was longer ago led to nothing.
const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// Bytes of an object that are kept: 16 moments of a container then take 8 KiB at most.
const OBJECT_MAX: usize = 256;

/// One thing that a container did.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Moment {
    #[serde(serialize_with = "nanoseconds")]
    pub time: Timestamp,
    /// As `drift.kind` would have it, or `exit`.
    pub kind: &'static str,
    /// What it was done to; of an exec its arguments, of an exit the program and how it ended.
    pub object: String,
    /// Of whoever did it; of an exec what was run.
    pub executable: Arc<str>,
    pub pid: u32,
}

/// The last moments of one container, of the last five minutes and at most sixteen. System calls, capabilities and sorts of
/// sockets are left out: they would fill it and say little.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    moments: VecDeque<Moment>,
}

impl Recent {
    pub fn note(&mut self, observation: &Observation) {
        self.note_done(observation.time, &observation.process, Done::Did(&observation.behaviour));
    }

    pub(crate) fn note_done(&mut self, time: Timestamp, process: &Process, done: Done<'_>) {
        let Some((kind, object)) = told(process, done) else { return };
        if self.moments.len() == MOMENTS {
            self.moments.pop_front();
        }
        let (executable, pid) = (Arc::clone(&process.executable), process.pid);
        self.moments.push_back(Moment { time, kind, object: cut(object), executable, pid });
    }

    /// What came before `time`, the newest last.
    pub fn before(&self, time: Timestamp) -> Vec<Moment> {
        let is_recent =
            |moment: &&Moment| moment.time <= time && time.duration_since(moment.time) <= WINDOW;
        let mut moments: Vec<_> = self.moments.iter().filter(is_recent).cloned().collect();
        // The records of two processors need not come in order.
        moments.sort_by_key(|moment| moment.time);
        moments
    }
}

/// What a person is told of it; none of what says little.
pub(crate) fn told(process: &Process, done: Done<'_>) -> Option<(&'static str, String)> {
    let behaviour = match done {
        Done::Did(behaviour) => behaviour,
        Done::Exited(status) => return Some(("exit", ended(status))),
    };
    let peer = |protocol: &dyn std::fmt::Display, peer: &dyn std::fmt::Display| {
        format!("{protocol} {peer}")
    };
    let (kind, object) = match behaviour {
        Behaviour::Exec(_) => (DriftKind::Exec, join_args(&process.args)),
        Behaviour::File(file) => {
            let kind = if file.write { DriftKind::FileWrite } else { DriftKind::FileRead };
            (kind, file.path.clone())
        }
        Behaviour::Change(changed) => {
            (crate::baseline::kind_of(&changed.operation), change(changed).object())
        }
        Behaviour::Map(map) => (DriftKind::FileMapExec, map.path.clone()),
        Behaviour::Connect(to) => (DriftKind::NetConnect, peer(&to.protocol, &to.peer)),
        Behaviour::Listen(on) => (DriftKind::NetListen, peer(&on.protocol, &on.local)),
        Behaviour::Accept(from) => (DriftKind::NetAccept, peer(&from.protocol, &from.peer)),
        Behaviour::Unix(unix) => (DriftKind::NetUnix, unix.peer.clone()),
        Behaviour::Identity(change) => (DriftKind::Identity, change.to_string()),
        Behaviour::Escape(escape) => (DriftKind::ContainerEscape, escape.cgroup.clone()),
        Behaviour::Dns(answer) => (DriftKind::Dns, answer.name.clone()),
        Behaviour::Syscall(_) | Behaviour::Socket(_) | Behaviour::Capability(_) => return None,
    };
    Some((kind.name(), object))
}

/// A wait status in words.
fn ended(status: u32) -> String {
    match (status & 0x7f, (status >> 8) & 0xff) {
        (0, code) => format!("status {code}"),
        (signal, _) => format!("signal {signal}"),
    }
}

fn cut(mut object: String) -> String {
    if object.len() > OBJECT_MAX {
        let end = (0..=OBJECT_MAX).rev().find(|at| object.is_char_boundary(*at)).unwrap_or(0);
        object.truncate(end);
        object.push('…');
        object.shrink_to_fit();
    }
    object
}

fn nanoseconds<S: serde::Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("{time:.9}"))
}
