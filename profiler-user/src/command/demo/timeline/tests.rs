use serde_json::json;

use super::*;
use crate::drift::sample;

fn event(id: u32, ms: u32, severity: &str, kind: &str, object: &str, pid: u32) -> String {
    json!({
        "schema_version": "driftline.drift/v1",
        "event.id": id.to_string(),
        "time": format!("2026-11-21T20:59:01.{ms:03}000000Z"),
        "drift.kind": kind,
        "drift.object": object,
        "drift.severity": severity,
        "drift.sentence": format!("somebody did something to {object}"),
        "drift.count": 1,
        "process.executable.path": "/usr/bin/id",
        "process.pid": pid,
    })
    .to_string()
}

fn story(events: &[String]) -> Vec<Line> {
    parse(&events.join("\n")).unwrap()
}

fn begun() -> Timestamp {
    "2026-11-21T20:59:01Z".parse().unwrap()
}

#[test]
fn the_story_is_in_order_and_trifles_are_counted() {
    let lines = story(&[
        event(1, 10, "low", "exec", "/usr/bin/id", 7),
        event(3, 30, "info", "file.read", "/lib/b", 7),
        event(2, 20, "info", "file.read", "/lib/a", 7),
        event(4, 40, "low", "syscall", "getxattr", 7),
        event(5, 50, "high", "file.read", "/etc/shadow", 8),
    ]);
    assert_eq!(
        render_with(&lines, begun(), false),
        "   0.010  low       somebody did something to /usr/bin/id\n\
         \x20                   … and 2 more reads, 1 more system call by /usr/bin/id (pid 7)\n\
         \x20  0.050  high      somebody did something to /etc/shadow\n"
    );
}

#[test]
fn the_newest_count_of_a_drift_is_told() {
    let first = event(1, 10, "high", "file.read", "/etc/shadow", 7);
    let last = first.replace("\"drift.count\":1", "\"drift.count\":5");
    let lines = story(&[first, last]);
    assert_eq!(lines.len(), 1);
    assert!(render_with(&lines, begun(), false).contains("/etc/shadow; 5 times\n"));
}

#[test]
fn long_lines_are_broken_between_words() {
    let text = wrap(&"word ".repeat(40));
    assert!(text.lines().count() > 1);
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
    assert!(text.lines().skip(1).all(|line| line.starts_with(&" ".repeat(INDENT))));
}

#[test]
fn a_step_that_was_not_seen_is_named() {
    let mut events = vec![
        event(1, 10, "high", "exec", "/tmp/x/.update", 7),
        event(2, 10, "low", "file.write", "/tmp/x/.update", 7),
        event(3, 10, "high", "file.read", "/etc/shadow", 7),
        event(4, 10, "critical", "net.connect", "tcp 127.0.0.1:4444", 7),
        event(5, 10, "high", "net.listen", "tcp 127.0.0.1:31337", 7),
    ];
    assert_eq!(missed(&story(&events)), ["the back door in use"]);
    events.push(event(6, 10, "medium", "net.accept", "tcp 127.0.0.1:31337", 7));
    assert_eq!(missed(&story(&events)), <[&str; 0]>::default());
}

#[test]
fn an_event_as_it_is_written_is_told() {
    let shell = sample::exec("/usr/bin/dash", &["sh", "-c", "id"], Some("/usr/sbin/nginx"));
    let events = [
        sample::event(DriftKind::Exec, &shell),
        sample::event(DriftKind::FileRead, &sample::read("/lib/a")),
    ];
    let written = events.map(|event| serde_json::to_string(&event).unwrap());
    assert_eq!(
        render_with(&story(&written), begun(), false),
        "   0.123  critical  /usr/sbin/nginx (pid 4700) ran `sh -c id` (/usr/bin/dash, pid 4711): a server\n\
         \x20                   that starts a shell is what a break-in looks like; nothing in this container ran\n\
         \x20                   it in 5 recorded runs [T1059.004, T1505.003]\n\
         \x20                   … and 1 more read by /usr/bin/cat (pid 4711)\n"
    );
}
