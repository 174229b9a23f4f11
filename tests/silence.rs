//! `driftline silence` by itself: what it takes, what it refuses, and how it says so. Needs no kernel.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;
use support::driftline;

fn silence(store: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(driftline());
    command.arg("silence").args(args).arg("--store").arg(store).env_remove("SUDO_USER");
    command.output().expect("driftline runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const GOOD: [&str; 7] = ["add", "--for", "2h", "--reason", "OPS-7", "--kind", "exec"];

#[test]
fn what_cannot_be_meant_is_refused_and_nothing_is_written() {
    let store = tempfile::tempdir().unwrap();
    for (args, words) in [
        (&["add", "--reason", "x", "--kind", "exec"][..], "--for"),
        (&["add", "--for", "2h", "--kind", "exec"], "--reason"),
        (&["add", "--for", "2h", "--reason", " ", "--kind", "exec"], "no reason"),
        (&["add", "--for", "91d", "--reason", "x", "--kind", "exec"], "longer than 90 days"),
        (&["add", "--for", "0d", "--reason", "x", "--kind", "exec"], "no age"),
        (&["add", "--until", "2020-01-01", "--reason", "x", "--kind", "exec"], "is over"),
        (&["add", "--for", "2h", "--until", "2099-01-01", "--reason", "x"], "cannot be used with"),
        (&["add", "--for", "2h", "--reason", "x", "--kind", "exce"], "no kind of drift"),
        (&["add", "--for", "2h", "--reason", "x"], "says where, and not what"),
        (&["add", "--for", "2h", "--reason", "x", "--pod", "web-0"], "says where, and not what"),
        (&["add", "--for", "2h", "--reason", "x", "--fingerprint", "*"], "is no fingerprint"),
        (
            &["add", "--for", "2h", "--reason", "x", "--kind", "exec", "--severity", "all"],
            "none of",
        ),
        (&["end", "01KB0000000000000000000000"], "no active silence"),
        (&["end", "\u{1b}[2J"], "invalid value"),
    ] {
        let output = silence(store.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", said(&output));
        assert!(said(&output).contains(words), "{args:?}: {}", said(&output));
        assert!(!store.path().join("silences.json").exists());
    }
}

#[test]
fn one_is_made_listed_and_ended_with_who_and_why() {
    let store = tempfile::tempdir().unwrap();
    let added = silence(store.path(), &[&GOOD[..], &["--severity", "critical"]].concat());
    assert!(added.status.success(), "{}", said(&added));
    for words in ["every object of exec", "every container of the node", "nobody is called for it"]
    {
        assert!(said(&added).contains(words), "{}", said(&added));
    }
    let id = String::from_utf8(added.stdout).unwrap().trim().to_owned();
    let narrow = ["--object", "/bin/sh", "--workload", "web"];
    let quiet = silence(store.path(), &[&GOOD[..], &narrow, &["--by", "ann\u{1b}[2J"]].concat());
    assert!(quiet.status.success() && !said(&quiet).contains("warning"), "{}", said(&quiet));

    let list = |args: &[&str]| -> Vec<Value> {
        let output = silence(store.path(), &[&["list", "--json"][..], args].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let all = list(&[]);
    assert_eq!(all.len(), 2);
    assert_eq!((&all[0]["id"], &all[0]["state"]), (&id.as_str().into(), &"active".into()));
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap().name;
    assert_eq!((&all[0]["by"], &all[0]["reason"]), (&user.into(), &"OPS-7".into()));
    assert_eq!(all[1]["match"]["workloads"][0], "web");
    let page = String::from_utf8(silence(store.path(), &["list"]).stdout).unwrap();
    assert!(page.contains("kind exec, object /bin/sh, workload web"), "{page}");
    assert!(!page.contains('\u{1b}'), "{page}");

    assert!(silence(store.path(), &["end", &id]).status.success());
    assert_eq!((list(&[]).len(), list(&["--all"]).len()), (1, 2));
    let again = silence(store.path(), &["end", &id]);
    assert_eq!(again.status.code(), Some(2), "{}", said(&again));
}

#[test]
fn a_file_that_is_broken_or_anybodys_is_left_as_it_is() {
    let store = tempfile::tempdir().unwrap();
    let file = store.path().join("silences.json");
    std::fs::write(&file, "{").unwrap();
    for args in [&GOOD[..], &["list"]] {
        let output = silence(store.path(), args);
        assert_eq!(output.status.code(), Some(121), "{}", said(&output));
        assert!(said(&output).contains("silences.json cannot be used"), "{}", said(&output));
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{");
    std::fs::remove_file(&file).unwrap();
    assert!(silence(store.path(), &GOOD).status.success());
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    let output = silence(store.path(), &["list"]);
    assert_eq!(output.status.code(), Some(121), "{}", said(&output));
    assert!(said(&output).contains("anybody may write to it"), "{}", said(&output));
    let nowhere = silence(Path::new("/proc/no-such"), &GOOD);
    assert_eq!(nowhere.status.code(), Some(122), "{}", said(&nowhere));
}
