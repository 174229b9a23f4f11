//! Very many names of one shape as one entry: a directory that fans out says by its shape what the next name will be.

use std::collections::BTreeSet;

use super::frames;
use super::model::{Baseline, Executable};
use super::names::Set;
use super::shown::Shown;
use crate::generalise::{
    Deed, GENERALISER, Kin as _, Sibling, Vector, generalise_path, is_of_siblings, split_args,
};
use crate::observe::INJECTED;

/// The sets whose names are paths of data. What is run or mapped is never one of many.
pub(super) const PATHS: [Set; 5] =
    [Set::Read, Set::ReadDenied, Set::Write, Set::WriteDenied, Set::Delete];

/// The sets of deeds on such paths.
pub(super) const DEEDS: [Set; 2] = [Set::Link, Set::Meta];

/// Paths that a recorded program wrote or gave a name.
pub(crate) struct Written(BTreeSet<String>);

impl Baseline {
    /// Joins entries that are so many; how many fewer there are then. `is_shipped`: whether any file of the image has a path of
    /// this pattern. Where the image has a name of that shape, names are evidence: nothing is joined.
    pub fn join_siblings(&mut self, is_shipped: impl Fn(&str) -> bool) -> usize {
        // A file is judged by the rules that it names, and older ones know no such entry.
        if self.generaliser != GENERALISER {
            return 0;
        }
        let before = self.entries();
        for (path, executable) in &mut self.executables {
            executable.join(path, |frame| !is_shipped(frame), true);
        }
        let shown = Shown::of(self);
        for (path, executable) in &mut self.executables {
            shown.join(executable, path);
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
        let frames = paths.iter().filter(|path| is_of_siblings(path));
        let frames: Vec<_> =
            frames.filter_map(|path| Some(Sibling::parse(path)?.frame())).collect();
        paths.extend(frames);
        Written(paths)
    }
}

impl Written {
    pub(crate) fn holds(&self, path: &str) -> bool {
        let name = generalise_path(path);
        let in_frame = || Sibling::parse(&name).is_some_and(|one| self.0.contains(&one.frame()));
        self.0.contains(&name) || in_frame()
    }
}

impl Executable {
    /// Entries that came from elsewhere go where those of their frame are. `path`: its own.
    pub(super) fn take_in_siblings(&mut self, path: &str) {
        self.join(path, |_| false, false);
    }

    fn join(&mut self, path: &str, may: impl Fn(&str) -> bool, may_lists: bool) {
        for set in PATHS {
            frames::join(self.set_mut(set), Sibling::parse, &may);
        }
        for set in DEEDS {
            frames::join(self.set_mut(set), Deed::parse, |frame| {
                paths(frame).iter().all(|path| may(path))
            });
        }
        // What people run in a container is as many decisions.
        let may_lists = may_lists && !self.parents.contains_key(INJECTED);
        frames::join(&mut self.args, |line| Vector::parse(path, line), |_| may_lists);
    }
}

/// The paths of a deed in which names may differ.
fn paths(frame: &str) -> Vec<String> {
    let words = split_args(frame).unwrap_or_default();
    words.into_iter().filter(|word| word.starts_with('/') && is_of_siblings(word)).collect()
}

#[cfg(test)]
mod lists;
#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::super::frames::MANY;
    use super::super::model::Image;
    use super::super::run::RunId;
    use super::super::seen::{Phases, Seen, Sighting};
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
        let names = invoices(MANY);
        let mut many = reading(names.iter().map(String::as_str).chain(["/data/readme"]), 1);
        let mut few = reading(names[1..].iter().map(String::as_str), 1);
        assert_eq!(many.join_siblings(|_| false), MANY - 1);
        assert_eq!(read(&many), [PATTERN, "/data/readme"]);
        let examples = &many.executables["/app"].read[PATTERN].siblings;
        assert_eq!(examples.len(), 8);
        assert_eq!(few.join_siblings(|_| false), 0);
    }

    #[test]
    fn a_pattern_that_a_file_of_the_image_has_is_never_made() {
        let names = invoices(MANY + 3);
        let mut baseline = reading(names.iter().map(String::as_str), 1);
        let asked = std::cell::RefCell::new(Vec::new());
        let shipped = |pattern: &str| {
            asked.borrow_mut().push(pattern.to_owned());
            true
        };
        assert_eq!(baseline.join_siblings(shipped), 0);
        assert_eq!(asked.into_inner(), ["/data/{letters:3-4}-{letters:5-8}.pdf"]);
        assert_eq!(read(&baseline).len(), MANY + 3);
    }

    #[test]
    fn a_baseline_of_older_rules_stays_as_it_is() {
        let names = invoices(MANY);
        let mut baseline = reading(names.iter().map(String::as_str), 1);
        baseline.generaliser = 1;
        assert_eq!(baseline.join_siblings(|_| false), 0);
    }

    #[test]
    fn renames_and_modes_are_joined_by_the_names_they_are_about() {
        let mut baseline = reading([], 1);
        let app = baseline.executables.get_mut("/app").unwrap();
        for name in invoices(MANY) {
            let file = name.rsplit('/').next().unwrap();
            app.link.insert(format!("rename /data/.{file}.part {name}"), seen(1));
            app.link.insert(format!("rename /etc/{file} /srv/{file}"), seen(1));
            app.meta.insert(format!("mode 0640 {name}"), seen(1));
        }
        baseline.join_siblings(|pattern| pattern.starts_with("/srv"));
        let app = &baseline.executables["/app"];
        let renames: Vec<_> = app.link.keys().filter(|key| !key.contains("/etc/")).collect();
        assert_eq!(renames, [&format!("rename /data/.inv-{{letters:5-8}}.pdf.part {PATTERN}")]);
        assert_eq!(app.link.len(), MANY + 1);
        assert_eq!(app.meta.keys().collect::<Vec<_>>(), [&format!("mode 0640 {PATTERN}")]);
        assert_eq!(app.meta.values().next().unwrap().siblings.len(), 8);
    }

    #[test]
    fn a_name_from_elsewhere_goes_to_its_siblings() {
        let names = invoices(MANY + 1);
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
