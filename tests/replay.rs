//! `driftline replay` on what it cannot use: one clear sentence that says what to do, a documented exit code, nothing written.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use profiler_user::store::Store;
use support::{console, driftline, signer::Signer};

/// As README says.
const USAGE: i32 = 2;
const BASELINE: i32 = 121;
const HISTORY: i32 = 124;

/// A copy of the shipped history, and of the baselines that it was told by.
struct Place {
    scratch: tempfile::TempDir,
    store: PathBuf,
    baselines: PathBuf,
}

impl Place {
    fn new() -> Self {
        let scratch = tempfile::tempdir().expect("a directory");
        let store = console::rehearsal(scratch.path());
        let baselines = scratch.path().join("baselines");
        fs::create_dir(&baselines).expect("writable");
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tabletop/baselines");
        for entry in fs::read_dir(shipped).expect("they are shipped") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name");
            fs::copy(&path, baselines.join(name)).expect("writable");
        }
        Self { scratch, store, baselines }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// One of the baselines.
    fn one(&self) -> PathBuf {
        let files = fs::read_dir(&self.baselines).expect("a directory");
        let files = files.map(|entry| entry.expect("an entry").path());
        let is_one = |path: &PathBuf| path.extension().is_some_and(|it| it == "json");
        files.filter(is_one).min().expect("there are some")
    }

    fn replay(&self, flags: &[&str]) -> Output {
        replay(&self.store, &self.baselines, flags)
    }

    /// The content of every file, but for those that SQLite makes to read a history.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut all = BTreeMap::new();
        let mut directories = vec![self.scratch.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).expect("a directory") {
                let path = entry.expect("an entry").path();
                let name = path.to_string_lossy().into_owned();
                if path.is_dir() {
                    directories.push(path);
                } else if !name.ends_with("-wal") && !name.ends_with("-shm") {
                    let content = fs::read(&path).expect("readable");
                    all.insert(path, content);
                }
            }
        }
        all
    }

    /// Refused with this code and one sentence that has all of `words`; everything is as it was.
    fn assert_refused(&self, replay: impl Fn() -> Output, code: i32, words: &[&str]) {
        let before = self.files();
        let output = replay();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        let lines: Vec<_> = said.lines().filter(|line| line.starts_with("driftline: ")).collect();
        assert_eq!(lines.len(), 1, "{said}");
        for word in words {
            assert!(lines[0].contains(word), "{word:?} is not in: {said}");
        }
        assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
        assert!(self.files() == before, "something was written");
    }
}

fn replay(store: &Path, baselines: &Path, flags: &[&str]) -> Output {
    let mut command = Command::new(driftline());
    command.arg("replay").arg("--store").arg(store).arg("--baselines").arg(baselines);
    command.args(flags).output().expect("driftline runs")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_store_that_is_not_there_and_one_that_is_a_file() {
    let place = Place::new();
    let (absent, file) = (place.path("absent"), place.path("file"));
    fs::write(&file, "no directory").expect("writable");
    for (store, why) in [(&absent, "No such file"), (&file, "Not a directory")] {
        let words = [text(store), why, "give --store"];
        place.assert_refused(|| replay(store, &place.baselines, &[]), HISTORY, &words);
    }
    assert!(!absent.exists());
}

/// A directory without a history, the history of an agent that saw nothing, and one whose behaviour log is away.
#[test]
fn a_store_in_which_nothing_is_stored() {
    let place = Place::new();
    let (empty, fresh) = (place.path("empty"), place.path("fresh"));
    fs::create_dir(&empty).expect("writable");
    let words = ["nothing is stored in", text(&empty), "give --store", "driftline watch"];
    place.assert_refused(|| replay(&empty, &place.baselines, &[]), HISTORY, &words);
    assert_eq!(fs::read_dir(&empty).expect("a directory").count(), 0, "it stays empty");

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        Store::open(&fresh).await.expect("a store").close().await;
    });
    fs::remove_dir_all(place.store.join("flight")).expect("it was copied");
    for store in [&fresh, &place.store] {
        let words = [text(store), "nothing is stored there yet", "driftline watch without CMD"];
        place.assert_refused(|| replay(store, &place.baselines, &[]), HISTORY, &words);
    }
}

#[test]
fn a_history_that_is_none_and_a_behaviour_log_that_is_damaged() {
    let place = Place::new();
    let segments = fs::read_dir(place.store.join("flight")).expect("a directory");
    let segment = segments.map(|entry| entry.expect("an entry").path()).min().expect("a segment");
    let whole = fs::read(&segment).expect("readable");
    for (at, word) in [(0, "another version"), (whole.len() / 2, "damaged at byte")] {
        let mut bytes = whole.clone();
        for byte in &mut bytes[at..at + 64] {
            *byte ^= 0x55;
        }
        fs::write(&segment, bytes).expect("writable");
        place.assert_refused(|| place.replay(&[]), HISTORY, &[text(&segment), word]);
    }
    fs::write(&segment, whole).expect("writable");
    fs::write(place.store.join("driftline.db"), "no database at all, only words")
        .expect("writable");
    place.assert_refused(|| place.replay(&[]), HISTORY, &[text(&place.store), "driftline.db"]);
}

#[test]
fn a_directory_of_baselines_that_is_not_there_and_one_that_is_a_file() {
    let place = Place::new();
    let (absent, file) = (place.path("absent"), place.path("file"));
    fs::write(&file, "no directory").expect("writable");
    for (baselines, why) in [(&absent, "No such file"), (&file, "Not a directory")] {
        let words = [text(baselines), why, "give --baselines"];
        place.assert_refused(|| replay(&place.store, baselines, &[]), BASELINE, &words);
    }
    assert!(!absent.exists());
}

/// A watcher judges by the rest; an answer of the rest would be taken for that of all.
#[test]
fn a_broken_baseline_is_named_with_what_is_wrong_and_what_to_do() {
    let place = Place::new();
    let path = place.one();
    let whole = fs::read_to_string(&path).expect("readable");
    let version = whole.replacen("driftline.baseline/v1", "driftline.baseline/v99", 1);
    assert_ne!(version, whole);
    let cut = &whole[..whole.len() / 2];
    for (content, why, what_to_do) in [
        (cut, "breaks off after", "restore it"),
        ("{}", "malformed", "restore it"),
        ("[1, 2", "it is no JSON object", "record again"),
        ("\u{1b}[2J", "malformed", "restore it"),
        (&version, "newer than this driftline knows", "use a newer driftline"),
    ] {
        fs::write(&path, content).expect("writable");
        for flags in [&[][..], &["--json"]] {
            place.assert_refused(|| place.replay(flags), BASELINE, &[text(&path), why, what_to_do]);
        }
    }
    // Nor does it matter that nobody would believe it.
    let signer = Signer::new(&place.path("keys"));
    let trust = ["--trust", text(signer.trust())];
    place.assert_refused(|| place.replay(&trust), BASELINE, &[text(&path), "newer"]);
    fs::remove_file(&path).expect("it was written");
    fs::create_dir(&path).expect("writable");
    let words = [text(&path), "Is a directory", "restore it"];
    place.assert_refused(|| place.replay(&[]), BASELINE, &words);
    fs::remove_dir(&path).expect("it was made");
    fs::write(&path, &whole).expect("writable");
    let output = place.replay(&[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn times_that_are_none_and_times_in_which_nothing_was() {
    let place = Place::new();
    for (flag, time) in [
        ("--since", "yesterday"),
        ("--since", ""),
        ("--since", "2026-13-01"),
        ("--since", "-2h"),
        ("--since", "99999999999999999999d"),
        ("--since", "2026-11-21'; DROP TABLE events; --"),
        ("--until", "soon"),
    ] {
        let given = format!("{flag}={time}");
        place.assert_refused(|| place.replay(&[&given]), USAGE, &[&format!("{flag}: ")]);
    }
    let backwards = ["--since", "2026-11-21", "--until", "2026-11-20"];
    place.assert_refused(|| place.replay(&backwards), USAGE, &["is later than --until"]);

    let before = place.files();
    let output = place.replay(&["--until", "2001-01-01"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, "nothing of that time is in the behaviour log\n");
    let output = place.replay(&["--until", "2001-01-01", "--json"]);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&answer["judged"], &answer["told"]), (&0.into(), &0.into()), "{answer:#}");
    assert!(place.files() == before, "something was written");
}

#[test]
fn what_else_is_given_must_be_there_as_well() {
    let place = Place::new();
    let absent = place.path("absent");
    for flag in ["--trust", "--bind", "--rules"] {
        let words = [text(&absent), "No such file"];
        place.assert_refused(|| place.replay(&[flag, text(&absent)]), BASELINE, &words);
    }
    let nobody = ["--container", "ffffffffffff"];
    place.assert_refused(|| place.replay(&nobody), HISTORY, &["no container", "ffffffffffff"]);
}
