use std::collections::BTreeMap;

use super::super::fixtures::{observation, run};
use super::super::{Baseline, Image, Run, layout};
use super::*;
use crate::behaviour::{Behaviour, Observation, Syscall};

fn at(second: i64) -> Timestamp {
    // A window's first second.
    Timestamp::from_second(1_767_312_000 + second).unwrap()
}

fn call(name: &str, second: i64) -> Observation {
    let call = Syscall { name: name.to_owned(), denied: false, foreign: false };
    Observation { time: at(second), ..observation("/x", &[], Behaviour::Syscall(call)) }
}

fn recorded(calls: &[(&str, i64)], ended: i64) -> Baseline {
    let mut baseline = Baseline::new(Image::here("x"));
    baseline.begin_run(run(), Run::new(at(0), "h", "full"), "k");
    for (name, second) in calls {
        baseline.learn(&run(), &call(name, *second));
    }
    baseline.end_run(&run(), at(ended), &BTreeMap::new());
    baseline
}

#[test]
fn what_starts_goes_on_and_stops_is_told_apart() {
    let calls = [
        ("socket", 0),
        ("read", 30),
        ("read", 1000),
        ("openat", 500),
        ("openat", 1995),
        ("unlink", 1998),
        ("sync", 5),
        ("sync", 1999),
    ];
    let baseline = recorded(&calls, 2000);
    let phase = |name: &str| baseline.syscalls[name].phase.to_string();
    assert_eq!(phase("socket"), "start");
    assert_eq!(phase("read"), "start steady");
    assert_eq!(phase("openat"), "steady stop");
    assert_eq!(phase("unlink"), "stop");
    assert_eq!(phase("sync"), "start steady stop");
    // A command of five seconds is all start.
    assert_eq!(recorded(&[("read", 4)], 5).syscalls["read"].phase, Phases::START);
}

#[test]
fn a_long_run_counts_once_for_each_window() {
    let last = 64 * 600;
    let baseline = recorded(&[("read", 0), ("read", 599), ("read", 600), ("read", last * 2)], last);
    let text = layout::render(&baseline);
    assert!(text.contains(r#""runs": "000A@0-1,63*4"}"#), "{text}");
    assert_eq!(layout::read(text.as_bytes()).unwrap(), baseline);
}

#[test]
fn a_file_of_the_first_version_is_read_and_written_as_it_is_now() {
    let mut baseline = recorded(&[("read", 0)], 5);
    let id = run().to_string();
    let now = layout::render(&baseline);
    let then = now
        .replace(r#""phase": "start", "runs": "all""#, &format!(r#""runs": {{"{id}": 3}}"#))
        .replace(&format!("      \"observer\": \"{}\",\n", env!("CARGO_PKG_VERSION")), "");
    assert_ne!(now, then);
    assert_eq!(super::super::schema::faults(&then), [""; 0]);
    baseline.runs.get_mut(&run()).unwrap().observer = None;
    let seen = baseline.syscalls.get_mut("read").unwrap();
    seen.phase = Phases::default();
    seen.runs.get_mut(&run()).unwrap().count = 3;
    assert_eq!(layout::read(then.as_bytes()).unwrap(), baseline);
}

#[test]
fn runs_that_end_alike_are_told_apart() {
    let mut baseline = recorded(&[("read", 0)], 5);
    let other = RunId::new("01K9999999999999999990000A");
    baseline.begin_run(other.clone(), Run::new(at(0), "h", "full"), "k");
    baseline.learn(&other, &call("read", 1));
    baseline.learn(&other, &call("write", 1));
    let text = layout::render(&baseline);
    assert!(text.contains(r#""runs": "all""#) && text.contains(r#""runs": "90000A""#), "{text}");
    assert_eq!(layout::read(text.as_bytes()).unwrap(), baseline);
    for broken in ["\"000A@64\"", "\"000A*x\"", "\"@1\"", "7"] {
        let text = text.replacen("\"all\"", broken, 1);
        assert!(layout::read(text.as_bytes()).is_err(), "{broken}");
    }
}
