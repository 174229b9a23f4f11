//! The silences of this node, read again when their file changes, and put on the events that they hold for.

use std::{collections::HashSet, path::PathBuf};

use jiff::Timestamp;
use ulid::Ulid;

use super::saver::{Stamp, stamp};
use crate::{
    drift::{Event, Node as Machine},
    http::Metrics,
    silence::{Silence, Silences as File, State},
    store::{SilenceNote, Write},
};

pub(super) struct Silences {
    /// None: this agent has none, it records.
    path: Option<PathBuf>,
    machine: Machine,
    stamp: Option<Stamp>,
    is_broken: bool,
    all: Vec<Silence>,
    /// Those that held when last looked.
    held: HashSet<Ulid>,
}

impl Silences {
    pub(super) fn new(path: Option<PathBuf>, machine: Machine) -> Self {
        let (all, held) = (Vec::new(), HashSet::new());
        Self { path, machine, stamp: None, is_broken: false, all, held }
    }

    /// Looks at the file and at the clock. True where one that held does so no more: what it kept quiet is to be told if it
    /// goes on, and does not cross from the kernel again by itself.
    pub(super) fn refresh(&mut self, now: Timestamp, out: &mut Vec<Write>) -> bool {
        let is_first = self.stamp.is_none() && self.held.is_empty();
        let before = self.read(now);
        let holds = |one: &&Silence| one.state(now) == State::Active;
        let active: Vec<Silence> = self.all.iter().filter(holds).cloned().collect();
        let ids: HashSet<Ulid> = active.iter().map(|one| one.id).collect();
        for silence in active.into_iter().filter(|one| !self.held.contains(&one.id)) {
            out.push(self.note(silence, None));
        }
        let mut over: Vec<Silence> = Vec::new();
        for one in &self.all {
            // At the start also of those that ended while no agent looked; the history knows which of them it was told of.
            if !ids.contains(&one.id) && (is_first || self.held.contains(&one.id)) {
                over.push(one.clone());
            }
        }
        let is_gone = |one: &Silence| {
            self.held.contains(&one.id) && !self.all.iter().any(|other| other.id == one.id)
        };
        over.extend(before.into_iter().filter(is_gone));
        let has_ended = self.held.iter().any(|id| !ids.contains(id));
        for silence in over {
            let why = match silence.state(now) {
                State::Ended => "ended",
                State::Expired => "expired",
                State::Active => "removed",
            };
            out.push(self.note(silence, Some(why)));
        }
        self.held = ids;
        has_ended
    }

    /// Reads the file where it is another one. Returned is what was there before; of a file that breaks, what it said stays in
    /// force, which is said once: a mistake in it must not call everybody.
    fn read(&mut self, now: Timestamp) -> Vec<Silence> {
        let Some(path) = &self.path else { return Vec::new() };
        let stamp = stamp(path);
        if stamp == self.stamp {
            return Vec::new();
        }
        self.stamp = stamp;
        match File::load(path, now) {
            Ok(file) => {
                self.is_broken = false;
                std::mem::replace(&mut self.all, file.silences)
            }
            Err(error) => {
                eprintln!("driftline: {error}; until then those that it held before go on");
                self.is_broken = true;
                Vec::new()
            }
        }
    }

    fn note(&self, silence: Silence, over: Option<&'static str>) -> Write {
        let machine = self.machine.clone();
        Write::Silence(Box::new(SilenceNote { silence, over, machine }))
    }

    /// Marks the event where a silence holds for it. A canary tells whether anybody would be called, so none holds for it.
    pub(super) fn mark(&self, event: &mut Event, now: Timestamp) {
        if !event.canary {
            let covers = |one: &&Silence| one.covers(event, now);
            event.silence = self.all.iter().find(covers).map(|one| Box::new(one.mark()));
        }
    }

    pub(super) fn tell(&self, metrics: &Metrics, now: Timestamp) {
        let active = self.all.iter().filter(|one| one.state(now) == State::Active);
        let next_end = active.clone().map(|one| one.until).min();
        metrics.silences(active.count() as u64, next_end, self.is_broken);
    }
}

#[cfg(test)]
mod tests;
