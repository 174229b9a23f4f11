//! Every tier records the same program as the same baseline, but for the differences that ARCHITECTURE.md lists.

use std::{collections::BTreeSet, fs, net::TcpListener, process::Command};

use serde_json::Value;
use support::{Lab, actor, can_load, driftline, free_port, knock};

/// Which differences this machine shows.
struct Machine {
    /// Lockdown forbids reading the kernel's memory.
    confidential: bool,
}

impl Machine {
    fn new() -> Self {
        let report = check();
        let exec = &report["behaviours"][0];
        assert_eq!(exec["behaviour"], "exec");
        let refused = exec["refused"].to_string();
        Self { confidential: refused.contains("lockdown forbids reading the kernel's memory") }
    }
}

fn check() -> Value {
    let output = Command::new(driftline()).args(["check", "--json"]).output().expect("it runs");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// What a baseline says of the lab, of the network, and of who ran what: a line for each.
fn lines(lab: &Lab) -> BTreeSet<String> {
    let file = fs::read_dir(lab.baselines())
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.extension().is_some_and(|extension| extension == "json"))
        .expect("a baseline");
    let text = fs::read_to_string(file).expect("a baseline");
    let text = text.replace(lab.path("").to_str().expect("UTF-8"), "LAB/");
    let baseline: Value = serde_json::from_str(&text).expect("JSON");
    let actor = fs::canonicalize(actor()).expect("the actor is there");
    let mut lines = BTreeSet::new();
    for (executable, does) in baseline["executables"].as_object().expect("executables") {
        for (what, objects) in does.as_object().expect("an object") {
            for object in objects.as_object().into_iter().flatten().map(|(object, _)| object) {
                // Libraries and what they read differ between machines, not between tiers.
                let told = match what.as_str() {
                    "read" | "read_denied" | "write" | "write_denied" => {
                        object.contains("LAB/") || object.contains('…') || object.contains("shadow")
                    }
                    _ => true,
                };
                if told {
                    lines.insert(format!("{executable} {what} {object}"));
                }
            }
        }
    }
    if baseline["syscalls"].get("unshare (denied)").is_some() {
        lines.insert("unshare (denied)".to_owned());
    }
    let actor = actor.to_str().expect("UTF-8");
    lines.into_iter().map(|line| line.replace(actor, "ACTOR")).collect()
}

#[test]
fn every_tier_records_the_same() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (peer, own) = (listener.local_addr().expect("an address"), free_port());
    lab.write("input", "x");
    // The long one takes the formatter several turns where it is what reads arguments.
    let long = "word ".repeat(300);
    let script = lab.write(
        "work.sh",
        &format!(
            "#!/bin/sh\ncd {lab}\ncat input >output\ncat <input >/dev/null\n\
             /bin/echo '{long}' '' last >/dev/null\n\
             setpriv --reuid=65534 --clear-groups cat /etc/shadow 2>/dev/null\n\
             cd /etc; setpriv --reuid=65534 --clear-groups cat shadow- ./shadow 2>/dev/null\n\
             cp /bin/true {lab}gone; exec 9<{lab}gone; rm {lab}gone; /proc/self/fd/9 fileless\n\
             exit 0\n",
            lab = lab.path("").display(),
        ),
    );
    let mut permissions = fs::metadata(&script).expect("the script").permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    fs::set_permissions(&script, permissions).expect("the script is ours");
    let plan = lab.write(
        "plan",
        &format!(
            "run {} one two\nconnect {peer}\nlisten 127.0.0.1:{own}\nwrite {}\n\
             seccomp-deny-unshare\nunshare\n",
            script.display(),
            lab.path("written").display(),
        ),
    );
    let actor = actor();
    let command = [actor.to_str().expect("UTF-8"), plan.to_str().expect("UTF-8")];
    let output = std::thread::scope(|scope| {
        scope.spawn(|| knock(own));
        lab.record(&command).output().expect("driftline runs")
    });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let found = lines(&lab);
    panic!("{found:#?} {}", Machine::new().confidential);
}
