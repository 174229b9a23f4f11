//! Taking an observation in.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jiff::Timestamp;

use super::facts::{facts, path_name, syscall_name};
use super::fanout::fan_in_with;
use super::model::Baseline;
use super::names::{self, Set};
use super::run::{Run, RunId, START_SECONDS};
use super::seen::{Moment, Phases, Seen, to_second};
use crate::behaviour::{Behaviour, Observation};
use crate::generalise::GENERALISER;

impl Baseline {
    /// From here on observations may name `id`; `key_id` says which key the secrets in them are hashed with.
    pub fn begin_run(&mut self, id: RunId, run: Run, key_id: &str) {
        self.redaction_key.insert(key_id.to_owned());
        self.take_up_run(id, run);
    }

    /// The same where nothing is learned but what is in another's words.
    pub(crate) fn take_up_run(&mut self, id: RunId, run: Run) {
        let run = Run { started: to_second(run.started), ended: run.ended.map(to_second), ..run };
        match self.runs.entry(id) {
            Entry::Vacant(entry) => {
                entry.insert(run);
            }
            // It was interrupted, and goes on.
            Entry::Occupied(mut entry) => {
                entry.get_mut().partial = true;
                entry.get_mut().ended = None;
            }
        }
    }

    /// `lost`: how many events were lost during the run, by kind.
    pub fn end_run(&mut self, id: &RunId, ended: Timestamp, lost: &BTreeMap<String, u64>) {
        self.lose(id, lost);
        let Some(run) = self.runs.get_mut(id) else { return };
        run.ended = Some(to_second(ended));
        // A short command is not told apart into a start and a stop.
        if ended.as_second() - run.started.as_second() > START_SECONDS {
            self.for_each_seen(|seen| seen.stopped(id, ended));
        }
    }

    /// The same while the run goes on.
    pub fn lose(&mut self, id: &RunId, lost: &BTreeMap<String, u64>) {
        if let Some(run) = self.runs.get_mut(id) {
            let lost = lost.iter().filter(|(_, count)| **count > 0);
            run.lost.extend(lost.map(|(kind, count)| (kind.clone(), *count)));
        }
    }

    /// How many entries are new. What an existing pattern matches is counted there, so that a random name that happens to
    /// look like a word leaves no entry of its own.
    pub fn learn(&mut self, run: &RunId, observation: &Observation) -> usize {
        let time = observation.time;
        let moment = match self.runs.get(run) {
            Some(run) => run.moment(time),
            None => Moment { time: to_second(time), phase: Phases::default(), window: 0 },
        };
        if let Behaviour::Syscall(syscall) = &observation.behaviour {
            let name = syscall_name(syscall);
            return usize::from(count(&mut self.syscalls, &name, &name, run, moment));
        }
        let name = path_name(&observation.process.executable);
        let key = names::find(&self.executables, Set::Parents, &name)
            .map_or(name.key.clone(), str::to_owned);
        let executable = self.executables.entry(key).or_default();
        // Older rules know no classes.
        let fans_in = self.generaliser == GENERALISER;
        let mut new = 0;
        for fact in facts(observation) {
            let set = executable.set_mut(fact.set);
            let known = fact.names().find_map(|name| names::find(set, fact.set, name));
            let own = fact.name.key.clone();
            let key = known.map_or_else(|| own.clone(), str::to_owned);
            if count(set, &key, &own, run, moment) {
                new += 1;
                if fans_in {
                    fan_in_with(set, fact.set, &key);
                }
            }
        }
        if let Behaviour::Exec(exec) = &observation.behaviour {
            let flags = [
                (exec.fileless, &mut executable.fileless),
                (exec.not_in_image, &mut executable.not_in_image),
            ];
            for (_, seen) in flags.into_iter().filter(|(is_so, _)| *is_so) {
                new += usize::from(flag(seen, run, moment));
            }
        }
        new
    }
}

/// Whether it is the first time. `own`: the key that it would have by itself.
pub(super) fn count(
    set: &mut BTreeMap<String, Seen>,
    key: &str,
    own: &str,
    run: &RunId,
    moment: Moment,
) -> bool {
    match set.get_mut(key) {
        Some(seen) => {
            seen.again(run, moment);
            seen.example(key, own);
            false
        }
        None => set.insert(key.to_owned(), Seen::once(run, moment)).is_none(),
    }
}

/// The same of what has no key.
pub(super) fn flag(seen: &mut Option<Seen>, run: &RunId, moment: Moment) -> bool {
    if let Some(seen) = seen {
        seen.again(run, moment);
        return false;
    }
    *seen = Some(Seen::once(run, moment));
    true
}

#[cfg(test)]
mod tests;
