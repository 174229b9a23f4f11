//! What `driftline check` says of this machine is what is so.

use std::process::Command;

use support::{can_load, driftline};

#[test]
fn check_reports_every_behaviour() {
    if !can_load() {
        return;
    }
    let output = Command::new(driftline()).args(["check", "--json"]).output().expect("it runs");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let behaviours = report["behaviours"].as_array().expect("behaviours");
    assert_eq!(behaviours.len(), 18);
    let blind = behaviours.iter().filter(|behaviour| behaviour["tier"] == "blind");
    let blind: Vec<_> = blind.filter_map(|behaviour| behaviour["behaviour"].as_str()).collect();
    // Their paths are walked, which lockdown can forbid.
    let confidential = report["lockdown"] == "confidentiality";
    assert_eq!(blind, if confidential { &["change", "map"][..] } else { &[] }, "{report:#}");
    assert_eq!(report["usable"], true);
    assert_eq!(report["untested"], serde_json::Value::Null, "{report:#}");
    // Where the kernel says what it locks down, the tier follows from it. Under integrity some kernels refuse trampolines.
    match report["lockdown"].as_str() {
        Some("none") => assert_eq!(report["tier"], "full", "{report:#}"),
        Some("confidentiality") => assert_eq!(report["tier"], "blind", "{report:#}"),
        _ => {
            let refused = behaviours.iter().any(|behaviour| behaviour.get("refused").is_some());
            assert_eq!(report["tier"], if refused { "restricted" } else { "full" }, "{report:#}");
        }
    }
}

/// What the verifier looks at is most of the time that a start takes: a branch too many multiplies it.
#[test]
fn check_reports_that_no_probe_takes_the_verifier_long() {
    // 6.1's, which sees fewer ways of getting somewhere as the same, needs 131,000 for the names of a change and, where paths
    // are printed instead of walked, 272,000 for `exec`; others stay below 45,000. It gives up at 1,000,000.
    const AT_MOST: u64 = 400_000;
    if !can_load() {
        return;
    }
    let mut check = Command::new(driftline());
    let output = check.arg("check").env("DRIFTLINE_VERIFIER_LOG", "1").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let effort = |line: &str| {
        let rest = line.strip_prefix("driftline: the verifier looked at ")?;
        let (count, program) = rest.split_once(" instructions of ")?;
        Some((program.to_owned(), count.parse::<u64>().expect("a number")))
    };
    let efforts: Vec<_> = said.lines().filter_map(effort).collect();
    assert!(efforts.iter().any(|(program, _)| program == "syscall"), "{said}");
    eprintln!("{efforts:#?}");
    let long: Vec<_> = efforts.iter().filter(|(_, count)| *count > AT_MOST).collect();
    assert!(long.is_empty(), "{long:?}");
}
