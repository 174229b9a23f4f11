//! `driftline investigate verify-log`: what it says, and what it exits with.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use jiff::Timestamp;
use profiler_user::{
    drift::{Context, DriftKind, Notice, Origin},
    store::{Store, Write},
};
use serde_json::Value;
use support::driftline;

const EVENTS: usize = 20;

/// A closed store, and its lines.
fn filled(directory: &Path) -> Vec<String> {
    let origin = Origin::of_command("node-1".to_owned(), "web");
    let context = Context::unjudged(origin.into(), "full");
    let event = |number: usize| {
        let notice = Notice {
            kind: DriftKind::SensorGap,
            object: format!("object-number-{number:02}"),
            sentence: "nobody watched\u{1b}[2J".to_owned(),
            refused: false,
            time: Timestamp::now(),
            last: Timestamp::now(),
        };
        Write::Event(Box::new(notice.event(&context)))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let store = Store::open(directory).await.expect("a store");
        store.commit((0..EVENTS).map(event).collect()).await.expect("room");
        let events = store.events_after(0, 1000).await.expect("readable");
        store.close().await;
        events.into_iter().map(|event| event.line).collect()
    })
}

fn verify(arguments: &[&str], store: &Path) -> Output {
    Command::new(driftline())
        .args(["investigate", "verify-log", "--store"])
        .arg(store)
        .args(arguments)
        .output()
        .expect("driftline runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_whole_log_is_0_a_broken_one_4_and_names_the_event_and_an_unreadable_one_124() {
    let dir = tempfile::tempdir().expect("a directory");
    let lines = filled(dir.path());
    let whole = verify(&["--json"], dir.path());
    assert_eq!(whole.status.code(), Some(0), "{}", said(&whole));
    let verdict: Value = serde_json::from_slice(&whole.stdout).expect("JSON");
    assert_eq!(verdict["schema_version"], "driftline.verify-log/v1");
    assert_eq!((&verdict["whole"], &verdict["events"]), (&true.into(), &EVENTS.into()));
    let head = format!("{}:{}", verdict["last"], verdict["hash"].as_str().expect("a hash"));
    let text = said(&verify(&[], dir.path()));
    assert!(
        text.contains(&head) && text.contains("is whole: 20 events, numbers 1 to 20"),
        "{text}"
    );
    assert_eq!(verify(&["--head", &head], dir.path()).status.code(), Some(0));

    let wrong = head.replacen("20:sha256:", "19:sha256:", 1);
    let wrong = verify(&["--head", &wrong], dir.path());
    assert_eq!(wrong.status.code(), Some(4), "{}", said(&wrong));
    assert!(
        said(&wrong).contains("is broken at event 19: it is not the event"),
        "{}",
        said(&wrong)
    );
    assert_eq!(verify(&["--head", "19:abc"], dir.path()).status.code(), Some(2));

    // The lines themselves, as a sink wrote them.
    let file = dir.path().join("events.jsonl");
    let path = file.to_str().expect("text");
    fs::write(&file, lines.join("\n") + "\n").expect("writable");
    assert_eq!(verify(&["--events", path, "--head", &head], dir.path()).status.code(), Some(0));
    fs::write(&file, [&lines[..7], &lines[8..]].concat().join("\n") + "\n").expect("writable");
    let broken = verify(&["--events", path], dir.path());
    assert_eq!(broken.status.code(), Some(4));
    assert!(said(&broken).contains("is broken at event 9 (line 8)"), "{}", said(&broken));

    let none = verify(&[], &dir.path().join("none"));
    assert_eq!(none.status.code(), Some(124), "{}", said(&none));
    assert_eq!(verify(&["--events", "/none/there"], dir.path()).status.code(), Some(124));
    fs::write(dir.path().join("driftline.db"), "no database\n".repeat(1000)).expect("writable");
    let unreadable = verify(&[], dir.path());
    assert_eq!(unreadable.status.code(), Some(124), "{}", said(&unreadable));
}

#[test]
fn a_byte_that_changes_in_the_file_is_found() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(dir.path());
    let file = dir.path().join("driftline.db");
    let whole = fs::read(&file).expect("readable");
    for number in 0..EVENTS {
        let object = format!("\"drift.object\":\"object-number-{number:02}\"");
        let mut bytes = whole.clone();
        let mut found = 0;
        // Pages that were rearranged hold some of it twice, once where nobody reads.
        for at in 0..whole.len() - object.len() {
            if whole[at..].starts_with(object.as_bytes()) {
                bytes[at + 18] ^= 1;
                found += 1;
            }
        }
        assert!(found > 0, "the line lies in the file as it is");
        fs::write(&file, bytes).expect("writable");
        let broken = verify(&["--json"], dir.path());
        assert_eq!(broken.status.code(), Some(4), "{}", said(&broken));
        let verdict: Value = serde_json::from_slice(&broken.stdout).expect("JSON");
        assert_eq!(verdict["break"]["seq"], number + 1, "{verdict:#}");
    }
}
