//! Very many names of one shape as one entry: a directory that fans out says by its shape what the next name will be.
//!
//! **Invariant:** which names are siblings is decided by each name alone, and their entry takes every name that it matches:
//! baselines come together in any order.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::merge::Join as _;
use super::model::{Baseline, Executable};
use super::names::Set;
use super::seen::Seen;
use crate::generalise::siblings;

/// So many names of one shape, to which one executable did the same, become one entry: a dozen files have names of their
/// own, more are somebody's data.
pub const SIBLINGS: usize = 12;

/// Names that such an entry keeps, to show what it stands for.
const EXAMPLES: usize = 8;

/// The sets whose names are paths of data. What is run or mapped is never one of many.
const SETS: [Set; 5] = [Set::Read, Set::ReadDenied, Set::Write, Set::WriteDenied, Set::Delete];

impl Baseline {
    /// Joins siblings that are so many; how many entries fewer there are then. `is_own`: no file of the image has this path.
    pub fn join_siblings(&mut self, is_own: impl Fn(&str) -> bool) -> usize {
        let before = self.entries();
        for executable in self.executables.values_mut() {
            for set in SETS {
                let entries = executable.set_mut(set);
                for (pattern, names) in groups(entries) {
                    let own: Vec<_> = names.into_iter().filter(|name| is_own(name)).collect();
                    if own.len() >= SIBLINGS {
                        take_in(entries, &pattern, &own);
                    }
                }
            }
            executable.take_in_siblings();
        }
        before - self.entries()
    }
}

impl Executable {
    /// Names that came from elsewhere go where their siblings are.
    pub(super) fn take_in_siblings(&mut self) {
        for set in SETS {
            let entries = self.set_mut(set);
            for (pattern, names) in groups(entries) {
                if entries.contains_key(&pattern) {
                    take_in(entries, &pattern, &names);
                }
            }
        }
    }
}

/// Names by the pattern that they would share.
fn groups(entries: &BTreeMap<String, Seen>) -> BTreeMap<String, Vec<String>> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for name in entries.keys() {
        if let Some(pattern) = siblings(name) {
            groups.entry(pattern).or_default().push(name.clone());
        }
    }
    groups
}

fn take_in(entries: &mut BTreeMap<String, Seen>, pattern: &str, names: &[String]) {
    for name in names {
        let Some(mut seen) = entries.remove(name) else { continue };
        let last = name.rsplit('/').next().unwrap_or(name);
        seen.siblings.insert(last.to_owned());
        match entries.get_mut(pattern) {
            Some(known) => known.join(seen),
            None => {
                entries.insert(pattern.to_owned(), seen);
            }
        }
    }
}

/// The examples of two entries: the names with the least hashes, which are the same in whatever order they come.
pub(super) fn examples(mut names: BTreeSet<String>, others: BTreeSet<String>) -> BTreeSet<String> {
    names.extend(others);
    if names.len() <= EXAMPLES {
        return names;
    }
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_by_cached_key(|name| Sha256::digest(name));
    names.truncate(EXAMPLES);
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::super::model::Image;
    use super::super::run::RunId;
    use super::super::seen::{Phases, Sighting};
    use super::*;

    fn seen(run: u8) -> Seen {
        let time = Timestamp::from_second(1_767_312_000 + i64::from(run)).unwrap();
        let runs = BTreeMap::from([(RunId::new(format!("run-{run}")), Sighting::ONCE)]);
        Seen { first: time, last: time, phase: Phases::START, runs, ..Seen::default() }
    }

    fn reading<'a>(names: impl IntoIterator<Item = &'a str>, run: u8) -> Baseline {
        let mut baseline = Baseline::new(Image::here("x"));
        let read = names.into_iter().map(|name| (name.to_owned(), seen(run))).collect();
        let executable = Executable { read, ..Executable::default() };
        baseline.executables.insert("/app".to_owned(), executable);
        baseline
    }

    fn read(baseline: &Baseline) -> Vec<&str> {
        baseline.executables["/app"].read.keys().map(String::as_str).collect()
    }

    fn invoices(count: usize) -> Vec<String> {
        let letter = |number: usize| char::from(b'a' + u8::try_from(number % 26).unwrap());
        (0..count).map(|n| format!("/data/inv-{}uel{}er.pdf", letter(n), letter(n / 26))).collect()
    }

    #[test]
    fn a_dozen_of_one_shape_become_one_entry_with_examples() {
        let names = invoices(SIBLINGS);
        let mut many = reading(names.iter().map(String::as_str).chain(["/data/readme"]), 1);
        let mut few = reading(names[1..].iter().map(String::as_str), 1);
        assert_eq!(many.join_siblings(|_| true), SIBLINGS - 1);
        assert_eq!(read(&many), ["/data/inv-{word:5-8}.pdf", "/data/readme"]);
        let examples = &many.executables["/app"].read["/data/inv-{word:5-8}.pdf"].siblings;
        assert_eq!(examples.len(), EXAMPLES);
        assert_eq!(few.join_siblings(|_| true), 0);
    }

    #[test]
    fn files_of_the_image_are_never_joined() {
        let names = invoices(SIBLINGS + 3);
        let mut baseline = reading(names.iter().map(String::as_str), 1);
        assert_eq!(baseline.join_siblings(|name| !names[..4].iter().any(|own| own == name)), 0);
        assert_eq!(read(&baseline).len(), SIBLINGS + 3);
    }

    #[test]
    fn a_name_from_elsewhere_goes_to_its_siblings() {
        let names = invoices(SIBLINGS + 1);
        let mut one = reading(names[1..].iter().map(String::as_str), 1);
        one.join_siblings(|_| true);
        let both = one.merge(reading([names[0].as_str(), "/data/readme"], 2)).unwrap();
        assert_eq!(read(&both), ["/data/inv-{word:5-8}.pdf", "/data/readme"]);
        assert_eq!(both.executables["/app"].read["/data/inv-{word:5-8}.pdf"].runs(), 2);
    }

    fn some() -> impl Strategy<Value = Baseline> {
        let name = "/data/(inv|log)-(a|b|c)(a|b|c)(a|b|c)(xy|XY)\\.pdf";
        (prop::collection::btree_set(name, 0..40), 1..4_u8, any::<bool>()).prop_map(
            |(names, run, joined)| {
                let mut baseline = reading(names.iter().map(String::as_str), run);
                if joined {
                    baseline.join_siblings(|_| true);
                }
                baseline
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn siblings_merge_in_any_order(a in some(), b in some(), c in some()) {
            let merged = a.clone().merge(b.clone()).unwrap();
            prop_assert_eq!(&merged, &b.clone().merge(a.clone()).unwrap());
            prop_assert_eq!(&merged, &merged.clone().merge(a.clone()).unwrap());
            let left = merged.merge(c.clone()).unwrap();
            prop_assert_eq!(left, a.merge(b.merge(c).unwrap()).unwrap());
        }
    }
}
