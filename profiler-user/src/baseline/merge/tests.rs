use jiff::Timestamp;
use proptest::prelude::*;

use super::super::model::Image;
use super::super::run::RunId;
use super::super::scope::Scope;
use super::super::seen::{Phases, Windows};
use super::*;

fn time() -> impl Strategy<Value = Timestamp> {
    (0..100_i64).prop_map(|second| Timestamp::from_second(1_767_312_000 + second).unwrap())
}

fn map<V: std::fmt::Debug>(
    value: impl Strategy<Value = V>,
) -> impl Strategy<Value = BTreeMap<String, V>> {
    prop::collection::btree_map("[a-d]", value, 0..4)
}

fn run_id() -> impl Strategy<Value = RunId> {
    "[1-4]".prop_map(RunId::new)
}

/// Often what makes an entry's text its shortest.
fn sighting() -> impl Strategy<Value = Sighting> {
    let windows = prop_oneof![Just(1), 1..=u64::MAX].prop_map(Windows);
    let any = (1..9_u64, windows).prop_map(|(count, windows)| Sighting { count, windows });
    prop_oneof![Just(Sighting::ONCE), any]
}

fn phase() -> impl Strategy<Value = Phases> {
    prop::sample::subsequence(vec![Phases::START, Phases::STEADY, Phases::STOP], 0..=3)
        .prop_map(|phases| phases.into_iter().fold(Phases::default(), Phases::and))
}

fn seen() -> impl Strategy<Value = Seen> {
    let runs = prop::collection::btree_map(run_id(), sighting(), 1..4);
    (time(), time(), phase(), runs).prop_map(|(one, other, phase, runs)| Seen {
        first: one.min(other),
        last: one.max(other),
        phase,
        runs,
        ..Seen::default()
    })
}

fn run() -> impl Strategy<Value = Run> {
    let command = prop::option::of(prop::collection::vec("[a-c]", 0..2));
    let observer = (prop::option::of("[12]"), prop::collection::btree_set("[ab]", 0..2));
    let times = (time(), prop::option::of(time()));
    (times, "[ab]", observer, "[ab]", any::<bool>(), map(0..9_u64), command).prop_map(
        |((started, ended), host, (observer, blind), tier, partial, lost, command)| Run {
            started,
            ended,
            host,
            observer,
            tier,
            blind,
            partial,
            lost,
            command,
        },
    )
}

fn executable() -> impl Strategy<Value = Executable> {
    let sets = (map(seen()), map(seen()), map(seen()), map(seen()), map(seen()));
    let changes = (map(seen()), map(seen()), map(seen()), map(seen()));
    let more = (map(seen()), map(seen()), map(seen()), map(seen()), map(seen()));
    let one = || prop::option::of(seen());
    (sets, changes, more, one(), one()).prop_map(
        |(
            (parents, args, read, write_denied, connect),
            (delete, link, meta, map_exec),
            (socket, unix, identity, escape, dns),
            fileless,
            not_in_image,
        )| Executable {
            parents,
            args,
            fileless,
            not_in_image,
            read,
            write_denied,
            delete,
            link,
            meta,
            map_exec,
            connect,
            socket,
            unix,
            identity,
            escape,
            dns,
            ..Executable::default()
        },
    )
}

fn baseline() -> impl Strategy<Value = Baseline> {
    let keys = prop::collection::btree_set("[a-c]", 0..3);
    let runs = prop::collection::btree_map(run_id(), run(), 0..4);
    let ancestors = prop::collection::btree_set("[a-c]", 0..3);
    (keys, ancestors, runs, map(seen()), map(executable())).prop_map(
        |(redaction_key, ancestors, runs, syscalls, executables)| {
            let mut baseline = Baseline {
                ancestors,
                redaction_key,
                runs,
                syscalls,
                executables,
                ..Baseline::new(Image::here("x"))
            };
            // What an entry was seen in is a run.
            let mut named = Vec::new();
            baseline.for_each_seen(|seen| named.extend(seen.runs.keys().cloned()));
            for id in named {
                baseline
                    .runs
                    .entry(id)
                    .or_insert_with(|| Run::new(Timestamp::UNIX_EPOCH, "a", "a"));
            }
            baseline
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn merge_is_commutative(a in baseline(), b in baseline()) {
        prop_assert_eq!(a.clone().merge(b.clone()), b.merge(a));
    }

    #[test]
    fn merge_is_associative(a in baseline(), b in baseline(), c in baseline()) {
        let left = a.clone().merge(b.clone()).unwrap().merge(c.clone());
        prop_assert_eq!(left, a.merge(b.merge(c).unwrap()));
    }

    #[test]
    fn merge_is_idempotent(a in baseline(), b in baseline()) {
        let once = a.clone().merge(b.clone()).unwrap();
        prop_assert_eq!(once.clone().merge(b).unwrap(), once.clone());
        prop_assert_eq!(a.clone().merge(a.clone()).unwrap(), a);
    }

    #[test]
    fn a_baseline_survives_its_file(a in baseline()) {
        let text = super::super::layout::render(&a);
        prop_assert_eq!(super::super::schema::faults(&text), Vec::<String>::new());
        prop_assert_eq!(super::super::layout::read(text.as_bytes()).unwrap(), a);
    }
}

#[test]
fn baselines_of_different_things_stay_apart() {
    let one = Baseline::new(Image::here("one"));
    let two = Baseline::new(Image::here("two"));
    assert!(matches!(one.clone().merge(two), Err(MergeError::OtherImage { .. })));
    let newer = Baseline { generaliser: 99, ..one.clone() };
    assert!(matches!(one.clone().merge(newer), Err(MergeError::OtherGeneraliser { .. })));
    let narrower = Baseline { scope: Scope::Namespace("shop".to_owned()), ..one.clone() };
    let error = one.clone().merge(narrower).unwrap_err();
    assert!(error.to_string().contains("for namespace shop"), "{error}");
    let mut other = one.clone();
    other.image.architecture = "pdp11".into();
    let error = one.merge(other).unwrap_err();
    assert!(error.to_string().contains("on pdp11"), "{error}");
}
