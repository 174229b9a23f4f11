//! How complete a baseline is, from the command line: recording until it is, and comparing as a gate.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use support::{Lab, can_load, driftline, recorded};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The baseline of the lab, which is valid by the schema.
fn baseline(lab: &Lab) -> Value {
    let text = fs::read_to_string(lab.baselines().join("lab.json")).expect("a baseline");
    recorded::valid(&text)
}

fn diff(one: &Path, other: &Path, format: &str) -> Output {
    let mut diff = Command::new(driftline());
    diff.args(["baseline", "diff", "--format", format]).args([one, other]);
    diff.output().expect("driftline runs")
}

#[test]
fn a_command_is_run_until_it_shows_nothing_new() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let mut record =
        lab.record_with(&["--until", "0.9", "--runs", "6"], &["sh", "-c", "/bin/true"]);
    let output = record.output().expect("driftline runs");
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    let runs = baseline(&lab)["runs"].as_object().expect("runs").len();
    // Fewer than five look complete by chance.
    assert_eq!(runs, 5, "{said}");
    assert!(said.contains(&format!("driftline: run {runs} of 6: ")), "{said}");
}

#[test]
fn a_command_that_fails_is_not_run_again() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let output = lab.record_with(&["--runs", "3"], &["sh", "-c", "exit 7"]).output();
    let output = output.expect("driftline runs");
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    assert_eq!(baseline(&lab)["runs"].as_object().expect("runs").len(), 1);
}

#[test]
fn a_difference_is_status_3_and_no_difference_is_none() {
    if !can_load() {
        return;
    }
    let (one, other) = (Lab::new(), Lab::new());
    for (lab, script) in [(&one, "/bin/true"), (&other, "/bin/true; cat /etc/shadow >/dev/null")] {
        assert!(lab.record(&["sh", "-c", script]).status().expect("driftline runs").success());
    }
    let [one, other] = [&one, &other].map(|lab| lab.baselines().join("lab.json"));
    let same = diff(&one, &one, "text");
    assert_eq!(same.status.code(), Some(0), "{}", said(&same));
    let new = diff(&one, &other, "json");
    assert_eq!(new.status.code(), Some(3), "{}", said(&new));
    let told: Value = serde_json::from_slice(&new.stdout).expect("JSON");
    let told = told["new"].as_array().expect("a list");
    let shadow = told.iter().find(|it| it["object"] == "/etc/shadow").expect("it was read");
    assert_eq!(shadow["severity"], "high", "{shadow:#}");
    let sarif = diff(&one, &other, "sarif");
    let log: Value = serde_json::from_slice(&sarif.stdout).expect("JSON");
    assert_eq!(log["runs"][0]["results"].as_array().map(Vec::len), Some(told.len()));
    let missing = diff(&one, &other.with_file_name("none.json"), "text");
    assert_eq!(missing.status.code(), Some(121), "{}", said(&missing));
}
