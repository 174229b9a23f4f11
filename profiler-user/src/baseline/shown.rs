//! What very many names have shown about a directory holds for whoever else handles those files and met few of them: a
//! clean-up that deletes now and then what another program writes all day.

use std::collections::{BTreeMap, BTreeSet};

use super::frames::{self, HABIT};
use super::merge::Join as _;
use super::model::{Baseline, Executable};
use super::seen::Seen;
use super::siblings::{DEEDS, PATHS};
use crate::generalise::{Kin as _, Sibling, first_operand, is_of_siblings, join_args, split_args};
use crate::observe::INJECTED;

/// By their family, the patterns that stand for very many somewhere in a baseline, by their frame.
pub(super) struct Shown(BTreeMap<String, BTreeMap<String, Sibling>>);

/// An entry that is about one of such files.
struct Relative {
    family: String,
    /// The pattern that holds it, if there is one.
    own: Option<String>,
    /// All of the family.
    all: Vec<String>,
}

impl Shown {
    pub(super) fn of(baseline: &Baseline) -> Self {
        let mut shown = BTreeMap::<String, BTreeMap<String, Sibling>>::new();
        for executable in baseline.executables.values() {
            let keys = PATHS.iter().flat_map(|set| executable.set(*set).keys());
            let wide = keys.filter(|key| is_of_siblings(key));
            for sibling in wide.filter_map(|key| Sibling::parse(key)) {
                let family = shown.entry(sibling.family()).or_default();
                let joined = match family.remove(&sibling.frame()) {
                    Some(before) => before.join(sibling),
                    None => sibling,
                };
                family.insert(joined.frame(), joined);
            }
        }
        Self(shown)
    }

    /// Joins those of an executable's entries that are about such files. `path`: its own.
    pub(super) fn join(&self, executable: &mut Executable, path: &str) {
        for set in PATHS {
            regroup(executable.set_mut(set), |key| self.relative(key));
        }
        for set in DEEDS {
            regroup(executable.set_mut(set), |line| self.relative_words(line, |_| Some(1)));
        }
        // What people run in a container is as many decisions.
        if !executable.parents.contains_key(INJECTED) {
            let operands = |args: &[String]| first_operand(path, args);
            regroup(&mut executable.args, |line| self.relative_words(line, operands));
        }
    }

    fn relative(&self, path: &str) -> Option<Relative> {
        let sibling = Sibling::parse(path)?;
        let family = sibling.family();
        let shown = self.0.get(&family)?;
        let own = shown.get(&sibling.frame()).map(Sibling::line);
        Some(Relative { family, own, all: shown.values().map(Sibling::line).collect() })
    }

    /// The same of a line, one of whose words is such a name. `from`: the first that may be.
    fn relative_words(
        &self,
        line: &str,
        from: impl Fn(&[String]) -> Option<usize>,
    ) -> Option<Relative> {
        let words = split_args(line)?;
        let mut names = (from(&words)?..words.len())
            .filter(|at| words[*at].starts_with('/'))
            .filter_map(|at| Some((at, self.relative(&words[at])?)));
        let (Some((at, name)), None) = (names.next(), names.next()) else { return None };
        let with = |word: String| {
            let mut words = words.clone();
            words[at] = word;
            join_args(&words)
        };
        Some(Relative {
            family: with(name.family),
            own: name.own.map(with),
            all: name.all.into_iter().map(with).collect(),
        })
    }
}

fn regroup(entries: &mut BTreeMap<String, Seen>, relative: impl Fn(&str) -> Option<Relative>) {
    let mut families = BTreeMap::<String, Vec<(String, Relative)>>::new();
    for key in entries.keys() {
        if let Some(relative) = relative(key) {
            families.entry(relative.family.clone()).or_default().push((key.clone(), relative));
        }
    }
    for members in families.values() {
        let all = &members[0].1.all;
        if members.len() < HABIT && !all.iter().any(|pattern| entries.contains_key(pattern)) {
            continue;
        }
        let seen = members.iter().filter_map(|(key, _)| entries.get(key).cloned());
        let seen = seen.reduce(|mut all, one| {
            all.join(one);
            all
        });
        for (key, Relative { own, .. }) in members {
            if let Some(own) = own {
                frames::take_in(entries, own, std::slice::from_ref(key));
            }
        }
        // What kind of word the next one has is no more decided than the word.
        let Some(seen) = seen.map(|seen| Seen { siblings: BTreeSet::new(), ..seen }) else {
            continue;
        };
        for pattern in all {
            entries.entry(pattern.clone()).or_insert_with(|| seen.clone());
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
        "carter", "sanders", "morgan", "porter", "walker", "carver", "fisher", "turner", "parker",
        "cooper", "archer", "tanner", "marten", "miller",
    ];

    fn order(number: usize) -> String {
        order_of(WORDS[number])
    }

    fn order_of(word: &str) -> String {
        format!("/data/order-{word}.csv")
    }

    fn deleted(path: &str) -> Observation {
        let change = Change { path: path.to_owned(), operation: Operation::Delete };
        observation("/bin/rm", &[], Behaviour::Change(change))
    }

    /// Whose clean-up met so many of the orders that another program reads.
    fn learned(met: usize) -> Baseline {
        let mut baseline = baseline();
        for number in 0..12 {
            baseline.learn(&run(), &read("/bin/app", &order(number)));
        }
        for number in 0..met {
            baseline
                .learn(&run(), &exec("/bin/rm", &["rm", "-f", &order(number)], Some("/bin/app")));
            baseline.learn(&run(), &exec("/bin/sh", &["sh", &order(number)], Some("/bin/app")));
            baseline.learn(&run(), &deleted(&order(number)));
        }
        baseline.join_siblings(|_| false);
        baseline
    }

    #[test]
    fn who_met_few_of_a_directory_that_fans_out_may_meet_the_others() {
        let judge = Judge::new(&learned(3), "0011aabb");
        let next = order(13);
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
    fn whether_a_name_reads_like_a_word_is_no_more_decided_than_the_name() {
        let mut baseline = learned(3);
        for letter in 'b'..='n' {
            baseline.learn(&run(), &read("/bin/app", &order_of(&format!("{letter}xq{letter}v"))));
        }
        baseline.join_siblings(|_| false);
        let judge = Judge::new(&baseline, "0011aabb");
        assert!(judge.is_known(&deleted(&order_of("zxqzv"))));
        assert!(!judge.is_known(&deleted(&order_of("Carter"))), "never shown");
        let deleted = &baseline.executables["/bin/rm"].delete;
        let of_letters = &deleted[&order_of("{letters:3-8}")];
        assert!(of_letters.siblings.is_empty(), "rm met none of them");
    }

    #[test]
    fn two_are_an_accident() {
        let judge = Judge::new(&learned(2), "0011aabb");
        assert!(!judge.is_known(&deleted(&order(13))));
        assert!(judge.is_known(&deleted(&order(0))));
    }
}
