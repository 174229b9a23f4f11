use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::*;
use crate::drift::kind::DriftKind;
use crate::drift::sample;
use crate::small_disk::{on_small_disk, resize};

mod rotation;

fn event() -> Event {
    sample::event(DriftKind::FileRead, &sample::read("/etc/shadow"))
}

fn write(file: &mut EventsFile) -> Result<Stored, EventsError> {
    file.write(&mut event())
}

/// The lines of the file, each a whole object that is chained to the one before.
#[track_caller]
fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "half a line at the end");
    let mut chain = Chain::default();
    text.lines()
        .map(|line| {
            let value: Value = serde_json::from_str(line).unwrap();
            let mut expected = event();
            chain.link(&mut expected).unwrap();
            let hash = value.get("event.prev_hash").map(|hash| hash.as_str().unwrap().to_owned());
            assert_eq!(hash, expected.prev_hash);
            chain.written(line);
            value
        })
        .collect()
}

fn numbers(path: &Path) -> Vec<u64> {
    lines(path).iter().map(|line| line["event.seq"].as_u64().unwrap()).collect()
}

#[test]
fn runs_append_to_one_chain() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    for _ in 0..2 {
        let mut file = EventsFile::open(&path, None, Format::Native).unwrap();
        for _ in 0..2 {
            assert_eq!(write(&mut file).unwrap(), Stored::Written);
        }
    }
    assert_eq!(numbers(&path), [1, 2, 3, 4]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_line_that_a_crash_cut_off_is_removed_and_whole_ones_stay() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    write(&mut EventsFile::open(&path, None, Format::Native).unwrap()).unwrap();
    let whole = fs::read(&path).unwrap();
    // Any length of a first and of a second line, from one byte to all but the newline.
    for kept in [&b""[..], &whole] {
        for length in 1..whole.len() {
            fs::write(&path, [kept, &whole[..length]].concat()).unwrap();
            drop(EventsFile::open(&path, None, Format::Native).unwrap());
            let expected =
                if length == whole.len() - 1 { [kept, &whole].concat() } else { kept.to_vec() };
            assert_eq!(fs::read(&path).unwrap(), expected, "{length} bytes of a line");
        }
    }
}

#[test]
fn a_last_line_longer_than_a_block_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let mut long = event();
    long.object = "x".repeat(200_000);
    EventsFile::open(&path, None, Format::Native).unwrap().write(&mut long).unwrap();
    write(&mut EventsFile::open(&path, None, Format::Native).unwrap()).unwrap();
    assert_eq!(numbers(&path), [1, 2]);
}

#[test]
fn a_file_of_somebody_else_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes");
    fs::write(&path, "a\nb without end").unwrap();
    let error = EventsFile::open(&path, None, Format::Native).unwrap_err();
    assert!(matches!(error, EventsError::Foreign(_)), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "a\nb without end");
}

#[test]
fn an_endless_line_is_not_read_into_memory() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("zeros");
    // Sparse: 1 TiB of nothing.
    File::create(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(matches!(EventsFile::open(&path, None, Format::Native), Err(EventsError::Foreign(_))));
}

#[test]
fn two_writers_do_not_share_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let _first = EventsFile::open(&path, None, Format::Native).unwrap();
    let error = EventsFile::open(&path, None, Format::Native).unwrap_err();
    assert!(matches!(error, EventsError::Busy(_)), "{error}");
}

#[test]
fn a_missing_directory_is_said() {
    let error =
        EventsFile::open(Path::new("/nonexistent/events.jsonl"), None, Format::Native).unwrap_err();
    assert!(error.to_string().starts_with(
        "cannot open the events file /nonexistent/events.jsonl: No such file or directory"
    ));
}

#[test]
fn a_full_device_is_said_once_and_then_counted() {
    let mut file = EventsFile::open(Path::new("/dev/full"), None, Format::Native).unwrap();
    let error = write(&mut file).unwrap_err().to_string();
    assert!(error.contains("/dev/full: No space left on device"), "{error}");
    assert_eq!(write(&mut file).unwrap(), Stored::NotWritten);
    assert_eq!(write(&mut file).unwrap(), Stored::NotWritten);
    assert_eq!(file.not_written(), 3);
}

#[test]
fn an_emptied_file_is_not_filled_with_zeros() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let mut file = EventsFile::open(&path, None, Format::Native).unwrap();
    write(&mut file).unwrap();
    fs::write(&path, "").unwrap();
    write(&mut file).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 1);
    assert!(text.starts_with("{\"schema_version\""), "{text}");
}

#[test]
fn a_full_disk_leaves_whole_lines_and_writing_goes_on_when_there_is_room() {
    on_small_disk("16k", |dir| {
        let path = dir.join("events.jsonl");
        let mut file = EventsFile::open(&path, None, Format::Native).unwrap();
        let mut written = 0;
        let error = loop {
            match write(&mut file) {
                Ok(_) => written += 1,
                Err(error) => break error.to_string(),
            }
        };
        assert!(error.contains("No space left on device"), "{error}");
        assert!(error.contains("it holds whole lines only"), "{error}");
        assert_eq!(lines(&path).len(), written);
        assert_eq!(write(&mut file).unwrap(), Stored::NotWritten);
        assert_eq!(lines(&path).len(), written);

        resize(dir, "64k");
        assert_eq!(write(&mut file).unwrap(), Stored::Written);
        let numbers = numbers(&path);
        let last = numbers[numbers.len() - 2..].to_vec();
        assert_eq!(last[1] - last[0], file.not_written() + 1, "the gap says what is missing");
    });
}
