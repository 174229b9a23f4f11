//! Which entries it is that hold what was observed.

use super::{Fact, Judge, Set, Sought, facts, syscall_name};
use crate::behaviour::{Behaviour, Observation};

/// An entry that holds something of what was observed.
#[derive(Debug)]
pub(in super::super) struct Held<'a> {
    pub(in super::super) slot: Slot<'a>,
    /// As it is judged by.
    key: &'a str,
    /// As it was recorded; none of what a bind file alone allows.
    pub(in super::super) recorded: Option<&'a str>,
    /// The key that the observation would have by itself.
    pub(in super::super) own: String,
}

/// Where an entry is: of executables, which by their key.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Slot<'a> {
    Syscall,
    Fileless(&'a str),
    NotInImage(&'a str),
    In(&'a str, Set),
}

impl Judge {
    /// The entries by which it is known, what of it is: of each statement the key that holds it.
    pub fn deciding(&self, observation: &Observation) -> Vec<&str> {
        self.held(observation).into_iter().map(|held| held.key).collect()
    }

    /// The same with where those entries are.
    pub(in super::super) fn held(&self, observation: &Observation) -> Vec<Held<'_>> {
        let literally = |slot, key| Held { slot, key, recorded: Some(key), own: key.to_owned() };
        if let Behaviour::Syscall(syscall) = &observation.behaviour {
            let key = self.syscalls.get(&syscall_name(syscall));
            return key.map(|key| literally(Slot::Syscall, key)).into_iter().collect();
        }
        let Some(place) = self.place(&observation.process.executable) else { return Vec::new() };
        let (executable, known) = (self.paths.key(place), &self.known[place]);
        let of_fact = |fact: Fact| {
            let keys = known.set(fact.set);
            let mut found =
                fact.names().filter_map(|name| keys.find(&Sought::new(name), self.secrets));
            let key = keys.key(found.next()?);
            drop(found);
            let recorded = match &known.bound {
                Some(bound) => bound.as_recorded(fact.set, key),
                None => Some(key),
            };
            Some(Held { slot: Slot::In(executable, fact.set), key, recorded, own: fact.name.key })
        };
        let mut all: Vec<_> = facts(observation).into_iter().filter_map(of_fact).collect();
        if let Behaviour::Exec(exec) = &observation.behaviour {
            if exec.fileless && known.fileless {
                all.push(literally(Slot::Fileless(executable), executable));
            }
            if exec.not_in_image && known.not_in_image {
                all.push(literally(Slot::NotInImage(executable), executable));
            }
        }
        all
    }

    /// Whether there is an entry that was recorded so.
    pub(in super::super) fn has_recorded(&self, slot: Slot<'_>, key: &str) -> bool {
        let known = |executable| self.paths.exact(executable).map(|place| &self.known[place]);
        match slot {
            Slot::Syscall => self.syscalls.contains(key),
            Slot::Fileless(executable) => known(executable).is_some_and(|known| known.fileless),
            Slot::NotInImage(executable) => {
                known(executable).is_some_and(|known| known.not_in_image)
            }
            Slot::In(executable, set) => {
                known(executable).is_some_and(|known| match &known.bound {
                    Some(bound) => {
                        let mut keys = known.set(set).iter();
                        keys.any(|judged| bound.as_recorded(set, judged) == Some(key))
                    }
                    None => known.set(set).has(key),
                })
            }
        }
    }
}
