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
use crate::generalise::{Word, generalise_path, is_of_siblings, join_args, siblings, split_args};

/// So many names of one shape, to which one executable did the same, become one entry: a dozen files have names of their
/// own, more are somebody's data.
pub(super) const SIBLINGS: usize = 12;

/// Names that such an entry keeps, to show what it stands for.
const EXAMPLES: usize = 8;

/// Bytes of an example, at most.
const SHOWN: usize = 200;

/// The sets whose names are paths of data. What is run or mapped is never one of many.
const SETS: [Set; 7] = [
    Set::Read,
    Set::ReadDenied,
    Set::Write,
    Set::WriteDenied,
    Set::Delete,
    Set::Link,
    Set::Meta,
];

/// Paths that a recorded program wrote or gave a name.
pub(crate) struct Written(BTreeSet<String>);

impl Baseline {
    /// Joins siblings that are so many; how many entries fewer there are then. `is_shipped`: whether any file of the image has
    /// a path of this pattern. The image's names are evidence, and a pattern that holds one would hide the others.
    /// Argument lists have no place in the image: they are joined by themselves, see [`super::vectors`].
    pub fn join_siblings(&mut self, is_shipped: impl Fn(&str) -> bool) -> usize {
        let before = self.entries();
        for (path, executable) in &mut self.executables {
            executable.join_vectors(path);
            for set in SETS {
                let entries = executable.set_mut(set);
                for (pattern, names) in groups(set, entries) {
                    let is_many = names.len() >= SIBLINGS || entries.contains_key(&pattern);
                    if is_many && !paths(set, &pattern).iter().any(|path| is_shipped(path)) {
                        take_in(entries, &pattern, &names);
                    }
                }
            }
        }
        before - self.entries()
    }

    /// What was made by whom this is about.
    pub(crate) fn written(&self) -> Written {
        let mut paths = BTreeSet::new();
        for executable in self.executables.values() {
            paths.extend(executable.write.keys().cloned());
            let named = executable.link.keys().filter_map(|line| split_args(line)?.pop());
            paths.extend(named);
        }
        Written(paths)
    }
}

impl Written {
    pub(crate) fn holds(&self, path: &str) -> bool {
        let name = generalise_path(path);
        self.0.contains(&name) || siblings(&name).is_some_and(|pattern| self.0.contains(&pattern))
    }
}

impl Executable {
    /// Names that came from elsewhere go where their siblings are.
    pub(super) fn take_in_siblings(&mut self) {
        for set in SETS {
            let entries = self.set_mut(set);
            for (pattern, names) in groups(set, entries) {
                if entries.contains_key(&pattern) {
                    take_in(entries, &pattern, &names);
                }
            }
        }
    }
}

/// Names by the pattern that they would share.
fn groups(set: Set, entries: &BTreeMap<String, Seen>) -> BTreeMap<String, Vec<String>> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for name in entries.keys() {
        if let Some(pattern) = shared(set, name) {
            groups.entry(pattern).or_default().push(name.clone());
        }
    }
    groups
}

/// The pattern that an entry is of with its siblings.
fn shared(set: Set, name: &str) -> Option<String> {
    if !is_line(set) {
        return siblings(name);
    }
    // A deed and the names that it is about, each with its own siblings.
    let mut words = split_args(name)?;
    let mut is_one = false;
    for word in words.iter_mut().filter(|word| word.starts_with('/')) {
        if let Some(pattern) = siblings(word) {
            *word = pattern;
            is_one = true;
        }
    }
    is_one.then(|| join_args(&words))
}

/// The paths of a pattern in which names differ.
fn paths(set: Set, pattern: &str) -> Vec<String> {
    if !is_line(set) {
        return vec![pattern.to_owned()];
    }
    let words = split_args(pattern).unwrap_or_default();
    words.into_iter().filter(|word| word.starts_with('/') && is_of_siblings(word)).collect()
}

const fn is_line(set: Set) -> bool {
    matches!(set, Set::Link | Set::Meta)
}

pub(super) fn take_in(entries: &mut BTreeMap<String, Seen>, pattern: &str, names: &[String]) {
    for name in names.iter().filter(|name| *name != pattern) {
        let Some(mut seen) = entries.remove(name) else { continue };
        seen.example(pattern, name);
        match entries.get_mut(pattern) {
            Some(known) => known.join(seen),
            None => {
                entries.insert(pattern.to_owned(), seen);
            }
        }
    }
}

impl Seen {
    /// Under the pattern of very many, `name`, generalised by itself, is one of them.
    pub(super) fn example(&mut self, pattern: &str, name: &str) {
        if pattern == name || !is_of_many(pattern) || is_of_many(name) {
            return;
        }
        // The directory is the pattern's.
        let is_path = pattern.starts_with('/') && !pattern.contains(' ');
        let name = if is_path { name.rsplit('/').next().unwrap_or(name) } else { name };
        let end = name.floor_char_boundary(SHOWN);
        let one = BTreeSet::from([name[..end].to_owned()]);
        self.siblings = examples(std::mem::take(&mut self.siblings), one);
    }
}

/// Whether it stands for siblings, or for lists of one frame.
fn is_of_many(pattern: &str) -> bool {
    let wild = || split_args(pattern).is_some_and(|args| args.iter().any(|arg| Word::is_wild(arg)));
    is_of_siblings(pattern) || (pattern.contains("{arg") || pattern.contains("{either:")) && wild()
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

    const PATTERN: &str = "/data/inv-{letters:5-8}.pdf";

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
        assert_eq!(many.join_siblings(|_| false), SIBLINGS - 1);
        assert_eq!(read(&many), [PATTERN, "/data/readme"]);
        let examples = &many.executables["/app"].read[PATTERN].siblings;
        assert_eq!(examples.len(), EXAMPLES);
        assert_eq!(few.join_siblings(|_| false), 0);
    }

    #[test]
    fn a_pattern_that_a_file_of_the_image_has_is_never_made() {
        let names = invoices(SIBLINGS + 3);
        let mut baseline = reading(names.iter().map(String::as_str), 1);
        let asked = std::cell::RefCell::new(Vec::new());
        let shipped = |pattern: &str| {
            asked.borrow_mut().push(pattern.to_owned());
            true
        };
        assert_eq!(baseline.join_siblings(shipped), 0);
        assert_eq!(asked.into_inner(), [PATTERN]);
        assert_eq!(read(&baseline).len(), SIBLINGS + 3);
    }

    #[test]
    fn renames_and_modes_are_joined_by_the_names_they_are_about() {
        let mut baseline = reading([], 1);
        let app = baseline.executables.get_mut("/app").unwrap();
        for name in invoices(SIBLINGS) {
            let file = name.rsplit('/').next().unwrap();
            app.link.insert(format!("rename /data/.{file}.part {name}"), seen(1));
            app.link.insert(format!("rename /etc/{file} /srv/{file}"), seen(1));
            app.meta.insert(format!("mode 0640 {name}"), seen(1));
        }
        baseline.join_siblings(|pattern| pattern.starts_with("/srv"));
        let app = &baseline.executables["/app"];
        let renames: Vec<_> = app.link.keys().filter(|key| !key.contains("/etc/")).collect();
        assert_eq!(renames, [&format!("rename /data/.inv-{{letters:5-8}}.pdf.part {PATTERN}")]);
        assert_eq!(app.link.len(), SIBLINGS + 1);
        assert_eq!(app.meta.keys().collect::<Vec<_>>(), [&format!("mode 0640 {PATTERN}")]);
        assert_eq!(app.meta.values().next().unwrap().siblings.len(), EXAMPLES);
    }

    #[test]
    fn a_name_from_elsewhere_goes_to_its_siblings() {
        let names = invoices(SIBLINGS + 1);
        let mut one = reading(names[1..].iter().map(String::as_str), 1);
        one.join_siblings(|_| false);
        let both = one.merge(reading([names[0].as_str(), "/data/readme"], 2)).unwrap();
        assert_eq!(read(&both), [PATTERN, "/data/readme"]);
        assert_eq!(both.executables["/app"].read[PATTERN].runs(), 2);
    }

    fn some() -> impl Strategy<Value = Baseline> {
        let name = "/data/(inv|log)-(a|b|c)(a|b|c)(a|b|c)(xy|XY)\\.pdf";
        (prop::collection::btree_set(name, 0..40), 1..4_u8, any::<bool>()).prop_map(
            |(names, run, joined)| {
                let mut baseline = reading(names.iter().map(String::as_str), run);
                if joined {
                    baseline.join_siblings(|_| false);
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
