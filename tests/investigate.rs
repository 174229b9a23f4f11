//! `driftline investigate …`: what it prints, and what it exits with.

use std::{
    path::Path,
    process::{Command, Output},
};

use jiff::Timestamp;
use profiler_user::{
    drift::{Context, DriftKind, Notice, Origin},
    store::{Store, Write},
};
use support::driftline;

/// Would clear a terminal, and end a cell of a table and a line of CSV.
const HOSTILE: &str = "nobody\u{1b}[2J, \"watched\"\nfor a while";

/// A store with one event of no container, and the event's id.
fn filled(directory: &Path) -> String {
    let origin = Origin::of_command("node-1".to_owned(), "web");
    let context = Context::unjudged(origin.into(), "full");
    let notice = Notice {
        kind: DriftKind::SensorGap,
        object: "the object".to_owned(),
        sentence: HOSTILE.to_owned(),
        refused: false,
        time: Timestamp::now(),
        last: Timestamp::now(),
    };
    let event = notice.event(&context);
    let id = event.id.to_string();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let store = Store::open(directory).await.expect("a store");
        store.commit(vec![Write::Event(Box::new(event))]).await.expect("room");
        store.close().await;
    });
    id
}

fn investigate(arguments: &[&str], store: &Path) -> Output {
    Command::new(driftline())
        .arg("investigate")
        .args(arguments)
        .arg("--store")
        .arg(store)
        .output()
        .expect("driftline runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", said(output));
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

#[test]
fn each_format_of_a_timeline_holds_hostile_text_unharmed_and_harmless() {
    let dir = tempfile::tempdir().expect("a directory");
    let id = filled(dir.path());
    let table = printed(&investigate(&["timeline"], dir.path()));
    assert_eq!(table.lines().count(), 2, "{table}");
    assert!(table.contains("nobody\\u{1b}[2J, \"watched\"\\nfor a while"), "{table}");

    let json: serde_json::Value =
        serde_json::from_str(&printed(&investigate(&["timeline", "--json"], dir.path())))
            .expect("JSON");
    assert_eq!(json["schema_version"], "driftline.timeline/v1");
    assert_eq!(json["entries"][0]["drift.sentence"], HOSTILE);
    assert_eq!(json["entries"][0]["event.id"], id.as_str());

    for (format, heads) in
        [("csv", "told,time,what,"), ("timesketch", "message,datetime,timestamp_desc,")]
    {
        let text = printed(&investigate(&["timeline", "--format", format], dir.path()));
        assert!(text.starts_with(heads), "{text}");
        // Python's reader is not ours.
        let script = "import csv,sys\nrows=list(csv.reader(sys.stdin))\nassert len(rows)==2 and len(rows[0])==len(rows[1]),rows\nsys.stdout.write(rows[1][0])";
        let read = Command::new("python3")
            .args(["-c", script])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .and_then(|mut child| {
                use std::io::Write as _;
                child.stdin.take().expect("piped").write_all(text.as_bytes())?;
                child.wait_with_output()
            })
            .expect("python3 runs");
        assert!(read.status.success(), "{text}");
        assert_eq!(String::from_utf8_lossy(&read.stdout), HOSTILE);
    }
}

#[test]
fn a_question_that_has_no_answer_is_124_a_wrong_one_2_and_says_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let id = filled(dir.path());
    let unknown = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    for (arguments, code, words) in [
        (&["before", unknown][..], 124, "holds no event"),
        (&["seen", unknown], 124, "holds no event"),
        (&["seen", "zz"], 124, "holds no fingerprint"),
        (&["container", "abc"], 124, "holds no container"),
        (&["timeline", "--container", "abc"], 124, "holds no container"),
        (&["timeline", "--from", "yesterday"], 2, "is no time"),
        (&["timeline", "--from", "1h", "--until", "2h"], 2, "later than"),
        (&["timeline", "--severity", "grave"], 2, "critical"),
        (&["timeline", "--limit", "0"], 2, "0"),
        (&["scope", &id, "--fingerprint", "zz"], 124, "holds no fingerprint"),
    ] {
        let output = investigate(arguments, dir.path());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(words), "{arguments:?}: {}", said(&output));
        assert!(output.stdout.is_empty());
    }
    let nothing = tempfile::tempdir().expect("a directory");
    for question in [&["timeline"][..], &["seen", unknown], &["scope"], &["before", unknown]] {
        let output = investigate(question, nothing.path());
        assert_eq!(output.status.code(), Some(124), "{question:?}: {}", said(&output));
    }
    assert!(nothing.path().read_dir().expect("readable").next().is_none(), "only looked at");

    let none = investigate(&["timeline", "--namespace", "elsewhere"], dir.path());
    assert!(none.status.success() && said(&none).contains("nothing of that"), "{}", said(&none));
}

#[test]
fn a_report_is_written_whole_or_not_at_all_and_tells_of_a_broken_log() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(dir.path());
    let file = dir.path().join("report.html");
    let name = file.to_str().expect("UTF-8");
    let report = ["report", "--format", "html", "--title", "<i>", "-o", name];
    let output = investigate(&report, dir.path());
    assert!(output.status.success(), "{}", said(&output));
    let page = std::fs::read_to_string(&file).expect("a report");
    assert!(page.contains("&lt;i&gt;") && page.contains("proved whole"), "{page}");
    assert!(!page.contains('\u{1b}'), "{page}");

    let nowhere = file.join("below-a-file.md");
    let nowhere = nowhere.to_str().expect("UTF-8");
    let output = investigate(&["report", "-o", nowhere], dir.path());
    assert_eq!(output.status.code(), Some(122), "{}", said(&output));
    assert!(said(&output).contains(nowhere), "{}", said(&output));

    // A hand that knows how to write to the database leaves its traces.
    let script = "import sqlite3,sys\ndb=sqlite3.connect(sys.argv[1])\ndb.execute('DROP TRIGGER events_are_not_changed')\n\
        db.execute(\"UPDATE events SET line = replace(line, 'the object', 'an object')\")\ndb.commit()";
    let changed = Command::new("python3")
        .args(["-c", script])
        .arg(dir.path().join("driftline.db"))
        .status()
        .expect("python3 runs");
    assert!(changed.success());
    let text = printed(&investigate(&["report"], dir.path()));
    assert!(text.contains("BROKEN at event 1"), "{text}");
}
