//! Argument lists, joined in a baseline.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;

use super::super::frames::MANY;
use super::super::model::{Baseline, ENTRYPOINT, Executable, Image};
use super::super::run::RunId;
use super::super::seen::{Phases, Seen, Sighting};
use crate::observe::INJECTED;

const CONVERT: &str = "/usr/bin/convert";

fn seen(run: u8) -> Seen {
    let time = Timestamp::from_second(1_767_312_000 + i64::from(run)).unwrap();
    let runs = BTreeMap::from([(RunId::new(format!("run-{run}")), Sighting::ONCE)]);
    Seen { first: time, last: time, phase: Phases::START, runs, ..Seen::default() }
}

fn run_as<'a>(path: &str, lines: impl IntoIterator<Item = &'a str>, run: u8) -> Baseline {
    let mut baseline = Baseline::new(Image::here("x"));
    let args = lines.into_iter().map(|line| (line.to_owned(), seen(run))).collect();
    let parents = BTreeMap::from([(ENTRYPOINT.to_owned(), seen(run))]);
    let executable = Executable { parents, args, ..Executable::default() };
    baseline.executables.insert(path.to_owned(), executable);
    baseline
}

fn lines(count: usize, line: impl Fn(char) -> String) -> Vec<String> {
    ('a'..='z').take(count).map(line).collect()
}

/// The lists of what joining leaves.
#[track_caller]
fn joined(path: &str, lines: &[String]) -> Vec<String> {
    let mut baseline = run_as(path, lines.iter().map(String::as_str), 1);
    baseline.join_siblings(|_| false);
    baseline.executables[path].args.keys().cloned().collect()
}

#[test]
fn a_dozen_lists_of_one_frame_become_one_entry_with_examples() {
    let many = lines(MANY, |c| format!("convert -strip {c}.png /out/{c}.jpg"));
    let pattern = "convert -strip {arg:name} {arg:/out}";
    assert_eq!(joined(CONVERT, &many), [pattern]);
    assert_eq!(joined(CONVERT, &many[1..]), many[1..]);
    let mut baseline = run_as(CONVERT, many.iter().map(String::as_str), 1);
    assert_eq!(baseline.join_siblings(|_| false), MANY - 1);
    let examples = &baseline.executables[CONVERT].args[pattern].siblings;
    assert!(examples.len() > 5 && examples.iter().all(|example| many.contains(example)));
}

#[test]
fn what_an_interpreter_is_told_to_run_is_never_joined() {
    for (path, line) in [
        ("/usr/bin/dash", "sh -c 'echo @.png'"),
        ("/usr/bin/python3.11", "python3 -c 'print @'"),
        ("/usr/bin/perl", "perl -e 'print @'"),
        ("/usr/bin/find", "find /data/@ -exec id"),
        ("/usr/bin/dash", "sh /app/@.sh"),
        ("/bin/busybox", "sh -c 'echo @'"),
    ] {
        let many = lines(20, |c| line.replace('@', &c.to_string()));
        assert_eq!(joined(path, &many), many, "{line}");
    }
    let many = lines(20, |c| format!("sh -e /app/job.sh {c}.png"));
    assert_eq!(joined("/usr/bin/dash", &many), ["sh -e /app/job.sh {arg:name}"]);
}

#[test]
fn what_people_run_from_outside_is_never_joined() {
    let many = lines(20, |c| format!("convert {c}.png"));
    let mut baseline = run_as(CONVERT, many.iter().map(String::as_str), 1);
    let executable = baseline.executables.get_mut(CONVERT).unwrap();
    executable.parents.insert(INJECTED.to_owned(), seen(1));
    assert_eq!(baseline.join_siblings(|_| false), 0);
}

#[test]
fn lists_from_elsewhere_widen_the_entry_of_their_frame() {
    let many = lines(MANY, |c| format!("convert {c}.png x.jpg"));
    let mut one = run_as(CONVERT, many.iter().map(String::as_str), 1);
    one.join_siblings(|_| false);
    let other = run_as(CONVERT, ["convert a.png y.jpg", "convert -v a.png"], 2);
    let both = one.merge(other).unwrap();
    let args = &both.executables[CONVERT].args;
    let pattern = "convert {arg:name} {either:x.jpg,y.jpg}";
    // In the order of the file.
    assert_eq!(args.keys().collect::<Vec<_>>(), ["convert -v a.png", pattern]);
    assert_eq!(args[pattern].runs(), 2);
    assert!(!args[pattern].siblings.iter().any(|example| example.contains('{')));
}

fn some() -> impl Strategy<Value = Baseline> {
    let line = "convert( -[vo])?( (a|b|c|d|e|f)\\.png){1,3}( /(data|etc)/[a-e]){0,2}";
    (prop::collection::btree_set(line, 0..60), 1..4_u8, any::<bool>()).prop_map(
        |(lines, run, joined)| {
            let mut baseline = run_as(CONVERT, lines.iter().map(String::as_str), run);
            if joined {
                baseline.join_siblings(|_| false);
            }
            baseline
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn lists_merge_in_any_order(a in some(), b in some(), c in some()) {
        let merged = a.clone().merge(b.clone()).unwrap();
        prop_assert_eq!(&merged, &b.clone().merge(a.clone()).unwrap());
        prop_assert_eq!(&merged, &merged.clone().merge(a.clone()).unwrap());
        let left = merged.merge(c.clone()).unwrap();
        prop_assert_eq!(left, a.merge(b.merge(c).unwrap()).unwrap());
    }
}
