//! Whose baseline is believed: signed, altered, expired, by the command line alone.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use support::{Lab, can_load, driftline};

/// A lab with a baseline of `true`, and a pair of keys.
struct Signed {
    lab: Lab,
    baseline: PathBuf,
}

fn run(command: &mut Command) -> Output {
    command.output().expect("it runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// `NAME.pem` and `NAME.pub` in the lab.
fn keys(lab: &Lab, name: &str) {
    let (private, public) = (lab.path(&format!("{name}.pem")), lab.path(&format!("{name}.pub")));
    let make = ["genpkey", "-algorithm", "ed25519", "-out"];
    assert!(run(Command::new("openssl").args(make).arg(&private)).status.success());
    let print = ["pkey", "-pubout", "-in"];
    let printed = run(Command::new("openssl").args(print).arg(&private).arg("-out").arg(public));
    assert!(printed.status.success());
}

impl Signed {
    fn new() -> Self {
        let lab = Lab::new();
        assert!(run(&mut lab.record(&["true"])).status.success());
        keys(&lab, "own");
        fs::create_dir(lab.path("trust")).expect("the lab is writable");
        fs::copy(lab.path("own.pub"), lab.path("trust/own.pub")).expect("the lab is writable");
        let baseline = lab.baselines().join("lab.json");
        let signed = Self { lab, baseline };
        assert!(signed.sign("own.pem", &["--by", "ann"]).status.success());
        signed
    }

    fn baseline(&self, verb: &str, flag: &str, key: &Path, more: &[&str]) -> Output {
        let mut command = Command::new(driftline());
        command.args(["baseline", verb, flag]).arg(key).args(more).arg(&self.baseline);
        run(&mut command)
    }

    fn sign(&self, key: &str, more: &[&str]) -> Output {
        self.baseline("sign", "--key", &self.lab.path(key), more)
    }

    /// `watch` and `verify` say the same: the exit code, and why.
    fn verdict(&self) -> (i32, String) {
        let trust = self.lab.path("trust");
        let watched = run(self.lab.watch(&["true"]).env("DRIFTLINE_TRUST", &trust));
        let verified = self.baseline("verify", "--trust", &trust, &[]);
        assert_eq!(watched.status.code(), verified.status.code(), "{}", said(&watched));
        let code = watched.status.code().expect("an exit code");
        if code != 0 {
            assert_eq!(said(&watched), said(&verified));
        }
        (code, said(&verified))
    }
}

#[test]
fn only_what_a_trusted_key_signed_is_watched_by() {
    if !can_load() {
        return;
    }
    let signed = Signed::new();
    let (code, said) = signed.verdict();
    assert!(code == 0 && said.contains("reviewed by   ann"), "{said}");
    let refused = |words: &str| {
        let (code, said) = signed.verdict();
        assert!(code == 121 && said.contains(words), "{code} {said}");
    };

    keys(&signed.lab, "other");
    assert!(signed.sign("other.pem", &[]).status.success());
    refused("none of its 1 signatures is by a trusted key");
    assert!(signed.sign("own.pem", &["--add"]).status.success());
    assert_eq!(signed.verdict().0, 0);

    assert!(run(&mut signed.lab.record(&["true"])).status.success());
    refused("it is not what was signed");
    let added = signed.sign("own.pem", &["--add"]);
    assert_eq!(added.status.code(), Some(121), "what was not signed is signed by nobody else");
    fs::remove_file(signed.lab.baselines().join("lab.json.dsse")).expect("the lab is writable");
    refused("it is not signed");
    assert!(signed.sign("own.pem", &["--expires", "2d"]).status.success());
    assert_eq!(signed.verdict().0, 0);
}

#[test]
fn events_say_whether_the_baseline_is_signed() {
    if !can_load() {
        return;
    }
    let signed = Signed::new();
    let signature = |trust: Option<&Path>| {
        let mut watch = signed.lab.watch(&["sh", "-c", "cat /etc/hostname"]);
        if let Some(trust) = trust {
            watch.env("DRIFTLINE_TRUST", trust);
        }
        let output = run(&mut watch);
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        let events = signed.lab.events();
        assert!(!events.is_empty());
        events[0]["baseline.signature"].clone()
    };
    let trust = signed.lab.path("trust");
    assert_eq!(signature(Some(&trust)), "verified");
    assert_eq!(signature(None), "untrusted");
    fs::remove_file(signed.lab.baselines().join("lab.json.dsse")).expect("the lab is writable");
    assert_eq!(signature(None), "unsigned");
}

#[test]
fn a_verdict_can_be_read_by_a_program() {
    if !can_load() {
        return;
    }
    let signed = Signed::new();
    let report = |key: &str| {
        let output = signed.baseline("verify", "--key", &signed.lab.path(key), &["--json"]);
        (output.status.code(), serde_json::from_slice::<Value>(&output.stdout).expect("JSON"))
    };
    let (code, good) = report("own.pub");
    assert_eq!((code, &good["verified"]), (Some(0), &Value::Bool(true)), "{good:#}");
    assert_eq!(good["reviewed_by"], "ann");
    keys(&signed.lab, "other");
    let (code, bad) = report("other.pub");
    assert_eq!((code, &bad["verified"]), (Some(121), &Value::Bool(false)), "{bad:#}");
    assert_eq!(bad["reason"], "untrusted");
}

#[test]
fn wrong_keys_are_refused_with_what_is_wanted() {
    if !can_load() {
        return;
    }
    let signed = Signed::new();
    let private = signed.lab.path("own.pem");
    let refused = |output: &Output, words: &str| {
        assert_eq!(output.status.code(), Some(121), "{}", said(output));
        assert!(said(output).contains(words), "{}", said(output));
    };
    refused(&signed.baseline("verify", "--key", &private, &[]), "it is a private key");
    refused(&signed.sign("own.pub", &[]), "it is a public key, and the private one is wanted");
    refused(&signed.sign("absent.pem", &[]), "cannot read the key");
    fs::copy(&private, signed.lab.path("trust/own.pub")).expect("the lab is writable");
    let (code, said) = signed.verdict();
    assert!(code == 121 && said.contains("it is a private key"), "{said}");
    let no_time = signed.sign("own.pem", &["--expires", "soon"]);
    assert_eq!(no_time.status.code(), Some(2));
}

#[test]
fn recordings_are_merged_to_stdout() {
    if !can_load() {
        return;
    }
    let (one, two) = (Signed::new(), Signed::new());
    let mut merge = Command::new(driftline());
    merge.args(["baseline", "merge"]).arg(&one.baseline).arg(&two.baseline);
    let output = run(&mut merge);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("2 files, 2 runs"), "{}", said(&output));
    let merged: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(merged["runs"].as_object().expect("runs").len(), 2);
}
