//! Room for newcomers: what is let go of where an aggregator would otherwise remember too much.

use std::collections::hash_map::Entry;

use jiff::Timestamp;

use super::{Aggregator, By, Context, Known, Told};

/// Members of groups that are remembered for each that may be told on its own: they take a sixth of the memory.
pub(super) const MEMBERS: usize = 4;

/// Families whose allowance is remembered.
const FAMILIES: usize = 4_096;

impl Aggregator {
    /// Closes an eighth of what was told on its own, the quietest first: one sort for many newcomers.
    pub(super) fn make_room(&mut self, context: &Context) -> Vec<Told> {
        if self.own < self.capacity {
            return Vec::new();
        }
        let own = |known: &Known| match known {
            Known::Own(open) => Some(open.drift.last),
            Known::Member(_) => None,
        };
        self.forget(context, own, self.capacity.div_ceil(8))
    }

    /// The same of groups' members: their groups have counted them.
    pub(super) fn make_room_for_members(&mut self, context: &Context) -> Vec<Told> {
        let capacity = self.capacity.saturating_mul(MEMBERS);
        if self.known.len() - self.own < capacity {
            return Vec::new();
        }
        let members = |known: &Known| match known {
            Known::Own(_) => None,
            Known::Member(member) => Some(member.last),
        };
        self.forget(context, members, capacity.div_ceil(8))
    }

    fn forget(
        &mut self,
        context: &Context,
        which: impl Fn(&Known) -> Option<Timestamp>,
        many: usize,
    ) -> Vec<Told> {
        let all = self.known.iter().filter_map(|(key, known)| Some((which(known)?, *key)));
        let mut quiet: Vec<_> = all.collect();
        quiet.sort_by_key(|(last, _)| *last);
        quiet.truncate(many);
        let mut told = Vec::new();
        for (_, key) in quiet {
            let Entry::Occupied(entry) = self.known.entry(key) else { continue };
            self.forgotten += 1;
            match entry.remove() {
                Known::Own(open) => {
                    self.own -= 1;
                    told.extend(open.close(context).map(|event| Told::Event(Box::new(event))));
                }
                Known::Member(mut member) => told.extend(member.repeated(context, &key)),
            }
        }
        told
    }

    /// Those that have their whole allowance again, and all where that is not enough: more is told on its own then.
    pub(super) fn forget_families(&mut self, now: Timestamp) {
        if self.allowances.len() < FAMILIES {
            return;
        }
        self.allowances.retain(|family, allowance| !allowance.is_full(family.by, now));
        if self.allowances.len() >= FAMILIES {
            self.allowances.retain(|family, _| family.by == By::Kind);
        }
    }
}
