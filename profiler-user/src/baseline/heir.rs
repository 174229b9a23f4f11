//! What of one image's baseline another image was seen to do: a new version of it, before anybody recorded that.
//!
//! **Invariant:** an heir holds no entry that its ancestor did not record. What is new stays drift, what was only approved stays an
//! approval of the ancestor's, and what a bind file allows stays in that file.

use std::collections::{BTreeMap, BTreeSet};

use super::judge::{Judge, Slot};
use super::learn::{count, flag};
use super::model::{Baseline, Executable, Image};
use super::names::Set;
use super::run::RunId;
use crate::behaviour::Observation;

/// A baseline that another image may inherit from.
#[derive(Debug)]
pub(crate) struct Ancestor {
    /// Everything of it but what was recorded.
    frame: Baseline,
    id: String,
}

impl Ancestor {
    pub(crate) fn new(baseline: &Baseline) -> Self {
        let frame = Baseline {
            schema: baseline.schema.clone(),
            scope: baseline.scope.clone(),
            redaction_key: baseline.redaction_key.clone(),
            generaliser: baseline.generaliser,
            ..Baseline::new(baseline.image.clone())
        };
        Self { frame, id: baseline.id() }
    }

    /// The baseline of an image that was not yet seen to do anything. It is read as its ancestor is: patterns and secrets are in
    /// its words.
    pub(crate) fn heir(&self, image: Image) -> Baseline {
        let ancestors = BTreeSet::from([self.id.clone()]);
        Baseline { image, ancestors, ..self.frame.clone() }
    }
}

impl Baseline {
    /// Counts those entries of an ancestor that hold something of what this image did; `held` by the judge of what the ancestor
    /// recorded. How many are here for the first time.
    pub(crate) fn inherit(
        &mut self,
        judge: &Judge,
        run: &RunId,
        observation: &Observation,
    ) -> usize {
        let Some(moment) = self.runs.get(run).map(|of| of.moment(observation.time)) else {
            return 0;
        };
        let mut new = 0;
        for held in judge.held(observation) {
            let Some(key) = held.recorded else { continue };
            let is_new = match held.slot {
                Slot::Syscall => count(&mut self.syscalls, key, key, run, moment),
                Slot::Fileless(path) => flag(&mut self.executable(path).fileless, run, moment),
                Slot::NotInImage(path) => {
                    flag(&mut self.executable(path).not_in_image, run, moment)
                }
                Slot::In(path, set) => {
                    count(self.executable(path).set_mut(set), key, &held.own, run, moment)
                }
            };
            new += usize::from(is_new);
        }
        new
    }

    /// Leaves out what the ancestor does not hold, or no longer.
    pub(crate) fn hold_to(&mut self, judge: &Judge) {
        self.syscalls.retain(|key, _| judge.has_recorded(Slot::Syscall, key));
        for (path, executable) in &mut self.executables {
            for set in Set::ALL {
                executable
                    .set_mut(set)
                    .retain(|key, _| judge.has_recorded(Slot::In(path, set), key));
            }
            executable.fileless.take_if(|_| !judge.has_recorded(Slot::Fileless(path), path));
            executable.not_in_image.take_if(|_| !judge.has_recorded(Slot::NotInImage(path), path));
        }
        self.executables.retain(|_, executable| *executable != Executable::default());
    }

    fn executable(&mut self, path: &str) -> &mut Executable {
        let executables: &mut BTreeMap<_, _> = &mut self.executables;
        executables.entry(path.to_owned()).or_default()
    }
}

#[cfg(test)]
mod tests;
