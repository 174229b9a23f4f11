//! What very many names have shown about a directory holds for whoever else handles those files and met few of them: a
//! clean-up that deletes now and then what another program writes all day.

use std::collections::BTreeMap;

use super::frames;
use super::model::{Baseline, Executable};
use super::seen::Seen;
use super::siblings::{DEEDS, PATHS};
use crate::generalise::{Kin as _, Sibling, first_operand, is_of_siblings, join_args, split_args};
use crate::observe::INJECTED;

/// So many of a frame are no accident, where it is known already that its names differ.
const HABIT: usize = 3;

/// By their frame, the names that stand for very many somewhere in a baseline.
pub(super) struct Shown(BTreeMap<String, Sibling>);

impl Shown {
    pub(super) fn of(baseline: &Baseline) -> Self {
        let mut shown = BTreeMap::<String, Sibling>::new();
        for executable in baseline.executables.values() {
            let keys = PATHS.iter().flat_map(|set| executable.set(*set).keys());
            for sibling in
                keys.filter(|key| is_of_siblings(key)).filter_map(|key| Sibling::parse(key))
            {
                let frame = sibling.frame();
                let joined = match shown.remove(&frame) {
                    Some(before) => before.join(sibling),
                    None => sibling,
                };
                shown.insert(frame, joined);
            }
        }
        Self(shown)
    }

    /// Joins those of an executable's entries that are about such files. `path`: its own.
    pub(super) fn join(&self, executable: &mut Executable, path: &str) {
        for set in PATHS {
            regroup(executable.set_mut(set), |key| self.widened(key));
        }
        for set in DEEDS {
            regroup(executable.set_mut(set), |line| self.widened_words(line, |_| Some(1)));
        }
        // What people run in a container is as many decisions.
        if !executable.parents.contains_key(INJECTED) {
            let operands = |args: &[String]| first_operand(path, args);
            regroup(&mut executable.args, |line| self.widened_words(line, operands));
        }
    }

    /// A name's pattern for all of its frame, where that is another.
    fn widened(&self, path: &str) -> Option<String> {
        let frame = Sibling::parse(path)?.frame();
        self.0.get(&frame).map(Sibling::line).filter(|line| line != path)
    }

    /// The same of a line's words. `from`: the first that may be another.
    fn widened_words(
        &self,
        line: &str,
        from: impl Fn(&[String]) -> Option<usize>,
    ) -> Option<String> {
        let mut words = split_args(line)?;
        let from = from(&words)?;
        let mut is_wider = false;
        for word in words.iter_mut().skip(from).filter(|word| word.starts_with('/')) {
            if let Some(wide) = self.widened(word) {
                *word = wide;
                is_wider = true;
            }
        }
        is_wider.then(|| join_args(&words))
    }
}

fn regroup(entries: &mut BTreeMap<String, Seen>, wide: impl Fn(&str) -> Option<String>) {
    let mut groups = BTreeMap::<String, Vec<String>>::new();
    for key in entries.keys() {
        if let Some(pattern) = wide(key) {
            groups.entry(pattern).or_default().push(key.clone());
        }
    }
    for (pattern, keys) in groups {
        if keys.len() >= HABIT || entries.contains_key(&pattern) {
            frames::take_in(entries, &pattern, &keys);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{baseline, exec, observation, read, run};
    use super::super::judge::Judge;
    use super::super::model::Baseline;
    use crate::behaviour::{Behaviour, Change, Observation, Operation};

    const WORDS: [&str; 14] = [
        "carter", "sanders", "morgan", "porter", "walker", "hunter", "fisher", "turner", "parker",
        "cooper", "archer", "tanner", "weaver", "miller",
    ];

    fn order(word: &str) -> String {
        format!("/data/order-{word}.csv")
    }

    fn deleted(path: &str) -> Observation {
        let change = Change { path: path.to_owned(), operation: Operation::Delete };
        observation("/bin/rm", &[], Behaviour::Change(change))
    }

    /// Whose clean-up met so many of the orders that another program reads.
    fn learned(met: usize) -> Baseline {
        let mut baseline = baseline();
        for word in &WORDS[..12] {
            baseline.learn(&run(), &read("/bin/app", &order(word)));
        }
        for word in &WORDS[..met] {
            baseline.learn(&run(), &exec("/bin/rm", &["rm", "-f", &order(word)], Some("/bin/app")));
            baseline.learn(&run(), &exec("/bin/sh", &["sh", &order(word)], Some("/bin/app")));
            baseline.learn(&run(), &deleted(&order(word)));
        }
        baseline.join_siblings(|_| false);
        baseline
    }

    #[test]
    fn who_met_few_of_a_directory_that_fans_out_may_meet_the_others() {
        let judge = Judge::new(&learned(3), "0011aabb");
        let next = order(WORDS[13]);
        assert!(judge.is_known(&deleted(&next)));
        assert!(judge.is_known(&exec("/bin/rm", &["rm", "-f", &next], Some("/bin/app"))));
        for other in [
            deleted("/data/order-carter.csv.gz"),
            deleted("/data/other/order-carter.csv"),
            exec("/bin/rm", &["rm", &next], Some("/bin/app")),
            // What is run is never one of many.
            exec("/bin/sh", &["sh", &next], Some("/bin/app")),
        ] {
            assert!(!judge.is_known(&other), "{other:?}");
        }
    }

    #[test]
    fn two_are_an_accident() {
        let judge = Judge::new(&learned(2), "0011aabb");
        assert!(!judge.is_known(&deleted(&order(WORDS[13]))));
        assert!(judge.is_known(&deleted(&order(WORDS[0]))));
    }
}
