//! Rules of one's own grade drift before those that are built in, and a file that cannot be meant is refused before anything runs.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use support::{Lab, assert_drift, can_load, driftline};

fn rules(file: Option<&Path>) -> Output {
    Command::new(driftline()).arg("rules").args(file).output().expect("driftline runs")
}

/// `watch --rules FILE` of a command that was recorded.
fn watched(lab: &Lab, rules: &Path, command: &[&str]) -> Output {
    lab.watch(command).env("DRIFTLINE_RULES", rules).output().expect("driftline runs")
}

#[test]
fn a_rule_of_ones_own_grades_a_drift_and_is_named_by_it() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let ledger = lab.write("ledger", "1\n");
    let ledger = ledger.to_str().expect("UTF-8");
    let program = lab.write("program.sh", "true\n");
    let command = ["sh", program.to_str().expect("UTF-8")];
    lab.settle(|| lab.record(&command).output().expect("driftline runs"));
    let own = lab.write(
        "rules.json",
        &format!(
            r#"{{"schema_version": "driftline.rules/v1", "version": "acme-3", "rules": [
                {{"name": "ledger", "kinds": ["file.read"], "paths": ["{ledger}"],
                  "severity": "critical", "techniques": ["T1005"], "why": "it is our money"}}]}}"#
        ),
    );
    let said = rules(Some(&own));
    assert!(said.status.success(), "{said:?}");
    assert!(String::from_utf8_lossy(&said.stderr).contains("rules 1+acme-3"), "{said:?}");

    lab.write("program.sh", &format!("read line <{ledger}; read line </etc/shadow\n"));
    let output = watched(&lab, &own, &command);
    assert_drift(&lab, &output, "file.read", ledger, "/usr/bin/dash");
    let events = lab.events();
    let of = |object: &str| {
        events.iter().find(|event| event["drift.object"] == object).expect("it is told")
    };
    let event = of(ledger);
    assert_eq!(event["drift.severity"], "critical");
    assert_eq!(event["drift.rule"], "ledger");
    assert_eq!(event["drift.rules_version"], "1+acme-3");
    assert!(event["drift.sentence"].as_str().expect("text").contains("it is our money"), "{event}");
    let accept = event["drift.accept"].as_str().expect("a command");
    let id = event["event.id"].as_str().expect("text");
    assert_eq!(accept, format!("driftline baseline approve {id} --reason TEXT --events FILE"));
    assert_eq!(of("/etc/shadow")["drift.rule"], "password-hashes");

    // And that command does accept it.
    let words: Vec<_> = accept.split(' ').skip(1).collect();
    let approved = Command::new(driftline())
        .args(words.into_iter().map(|word| match word {
            "TEXT" => "it was looked at".to_owned(),
            "FILE" => lab.path("events.jsonl").display().to_string(),
            word => word.to_owned(),
        }))
        .arg("--baselines")
        .arg(lab.baselines())
        .output()
        .expect("driftline runs");
    assert!(approved.status.success(), "{approved:?}");
    let again = watched(&lab, &own, &command);
    let events = lab.events();
    assert!(events.iter().all(|event| event["drift.object"] != ledger), "{again:?} {events:?}");
}

#[test]
fn what_is_printed_can_be_read_again() {
    let printed = rules(None);
    assert!(printed.status.success() && printed.stderr.is_empty(), "{printed:?}");
    let lab = Lab::new();
    let copy = lab.path("copy.json");
    fs::write(&copy, &printed.stdout).expect("the lab is writable");
    let said = rules(Some(&copy));
    assert!(said.status.success(), "{said:?}");
}

#[test]
fn a_broken_file_ends_watch_before_the_command_begins() {
    let lab = Lab::new();
    let began = lab.path("began");
    let command = ["touch", began.to_str().expect("UTF-8")];
    let missing = lab.path("missing.json");
    let rule = |rest: &str| {
        format!(r#"{{"schema_version": "driftline.rules/v1", "version": "1", "rules": [{rest}]}}"#)
    };
    let kind = rule(r#"{"name": "x", "kinds": ["exce"], "severity": "low"}"#);
    let twice = rule(r#"{"name": "x", "kinds": ["exec"], "kinds": ["exec"], "severity": "low"}"#);
    for (text, reason) in [
        (None, "No such file"),
        (Some("{"), "EOF"),
        (Some(kind.as_str()), "unknown variant `exce`"),
        (Some(twice.as_str()), "kinds"),
        (Some("[]"), "no JSON object"),
        (Some("\u{1b}[2J"), "expected value"),
    ] {
        let path = text.map_or_else(|| missing.clone(), |text| lab.write("broken.json", text));
        for output in [rules(Some(&path)), watched(&lab, &path, &command)] {
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(121), "{said}");
            assert!(said.contains(reason) && said.contains(".json"), "{reason}: {said}");
            assert!(!said.contains('\u{1b}'), "{said}");
        }
    }
    assert!(!began.exists());
}
