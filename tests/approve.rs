//! A drift that was looked at: approved by its event, with a reason, and none from then on; until the approval ends.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use serde_json::Value;
use support::{Lab, can_load, driftline, recorded::valid};

/// A job that was recorded doing little, and has since done more: its lab holds the events of that.
struct Drifted {
    lab: Lab,
    job: String,
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

impl Drifted {
    fn new() -> Self {
        let lab = Lab::new();
        let job = lab.write("job.sh", ":\n").to_str().expect("UTF-8").to_owned();
        let recorded = lab.record(&["sh", &job]).output().expect("driftline runs");
        assert!(recorded.status.success(), "{}", said(&recorded));
        lab.write("job.sh", "id -u >/dev/null\ncat /etc/passwd >/dev/null\n");
        let drifted = Self { lab, job };
        assert!(!drifted.watch().is_empty());
        drifted
    }

    fn watch(&self) -> Vec<Value> {
        let output = self.lab.watch(&["sh", &self.job]).output().expect("driftline runs");
        assert!(matches!(output.status.code(), Some(0 | 3)), "{}", said(&output));
        self.lab.events()
    }

    fn baseline(&self) -> PathBuf {
        self.lab.baselines().join("lab.json")
    }

    fn approve(&self, ids: &[&str], more: &[&str]) -> Output {
        let mut command = Command::new(driftline());
        command.args(["baseline", "approve"]).args(ids).arg("--events");
        command.arg(self.lab.path("events.jsonl")).args(more);
        if !more.contains(&"--baselines") {
            command.arg("--baselines").arg(self.lab.baselines());
        }
        command.output().expect("driftline runs")
    }
}

fn ids(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event.id"].as_str().expect("an id")).collect()
}

#[test]
fn what_is_approved_is_no_drift_until_the_approval_ends() {
    if !can_load() {
        return;
    }
    let drifted = Drifted::new();
    let events = drifted.watch();
    let reason = ["--reason", "the new job", "--by", "ann", "--expires", "90d"];
    // But for one thing, which stays what it is.
    let is_passwd = |event: &Value| event["drift.object"] == "/etc/passwd";
    let (left, approved): (Vec<_>, Vec<_>) = events.into_iter().partition(is_passwd);
    assert_eq!(left.len(), 1);
    let output = drifted.approve(&ids(&approved), &reason);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("/usr/bin/id: parents"), "{}", said(&output));

    let text = fs::read_to_string(drifted.baseline()).expect("a baseline");
    let held = valid(&text);
    assert!(held["executables"].get("/usr/bin/id").is_none(), "it was never recorded");
    let still: Vec<_> = drifted.watch().iter().map(|event| event["drift.object"].clone()).collect();
    assert_eq!(still, ["/etc/passwd"]);

    let mut show = Command::new(driftline());
    let page = show.args(["baseline", "show"]).arg(drifted.baseline()).output().expect("it runs");
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    assert!(page.contains("the new job by ann"), "{page}");

    // As if the time had passed.
    let expires = held["approvals"][ids(&approved)[0]]["expires"].as_str().expect("a time");
    let over = text.replace(expires, "2026-01-01T00:00:00Z");
    fs::write(drifted.baseline(), over).expect("the lab is writable");
    assert_eq!(drifted.watch().len(), approved.len() + 1);
}

#[test]
fn what_cannot_be_approved_changes_nothing() {
    if !can_load() {
        return;
    }
    let drifted = Drifted::new();
    let events = drifted.lab.events();
    let known = ids(&events)[0];
    let before = fs::read(drifted.baseline()).expect("a baseline");
    let refused = |ids: &[&str], more: &[&str], code: i32, words: &str| {
        let output = drifted.approve(ids, more);
        let said = said(&output);
        assert!(output.status.code() == Some(code) && said.contains(words), "{code} {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    };
    let reason = ["--reason", "because"];
    // One of two, and neither is approved.
    refused(&[known, "01K0"], &reason, 2, "there is no event \"01K0\"");
    refused(&[known], &["--reason", " "], 2, "--reason is empty");
    refused(&[known], &[&reason[..], &["--expires", "yesterday"]].concat(), 2, "--expires");
    refused(&[known], &[&reason[..], &["--scope", "workload"]].concat(), 2, "names no namespace");
    let elsewhere = drifted.lab.path("elsewhere");
    let elsewhere = ["--baselines", elsewhere.to_str().expect("UTF-8")];
    refused(&[known], &[&reason[..], &elsewhere].concat(), 121, "holds no baseline of lab");
    assert_eq!(fs::read(drifted.baseline()).expect("a baseline"), before);

    assert!(drifted.approve(&[known], &reason).status.success());
    refused(&[known], &reason, 2, "is approved already");
}
