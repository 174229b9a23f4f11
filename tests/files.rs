//! What is done to files otherwise than by opening them: known once recorded, and each new deed reported with its object.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use support::{Lab, actor, assert_quiet, can_load, driftline, python, repeat};

/// A lab with a playground and an actor in it.
struct Play {
    lab: Lab,
    place: PathBuf,
    command: [String; 2],
}

impl Play {
    fn new() -> Self {
        let lab = Lab::new();
        let place = lab.path("play");
        fs::create_dir(&place).expect("the lab is ours");
        let actor = fs::canonicalize(actor()).expect("the actor is there");
        let plan = lab.path("plan");
        let command = [actor, plan].map(|path| path.to_str().expect("UTF-8").to_owned());
        Self { lab, place, command }
    }

    /// A path in the playground.
    fn path(&self, name: &str) -> String {
        self.place.join(name).to_str().expect("UTF-8").to_owned()
    }

    /// Empties the playground, then puts these files there.
    fn prepare(&self, files: &[&str]) {
        fs::remove_dir_all(&self.place).expect("it is ours");
        fs::create_dir(&self.place).expect("the lab is ours");
        for file in files {
            fs::write(self.place.join(file), "x").expect("it is ours");
        }
    }

    /// A plan in whose steps `@` stands for the playground.
    fn plan(&self, steps: &[&str]) {
        let place = format!("{}/", self.place.display());
        let text: String = steps.iter().map(|step| step.replace('@', &place) + "\n").collect();
        self.lab.write("plan", &text);
    }

    fn settle(&self, files: &[&str], steps: &[&str]) {
        self.plan(steps);
        self.lab.settle(|| {
            self.prepare(files);
            self.lab.record(&self.command).output().expect("driftline runs")
        });
    }

    fn watch(&self, files: &[&str], steps: &[&str]) -> Output {
        self.plan(steps);
        self.prepare(files);
        self.lab.watch(&self.command).output().expect("driftline runs")
    }

    /// Asserts that a watched run gave this event, by the actor.
    #[track_caller]
    fn assert_event(&self, kind: &str, object: &str) -> Value {
        let object = object.replace('@', &format!("{}/", self.place.display()));
        let events = self.lab.events();
        let found = events.iter().find(|event| {
            event["drift.kind"] == kind
                && event["drift.object"] == object
                && event["process.executable.path"] == self.command[0]
        });
        found.unwrap_or_else(|| panic!("no {kind} of {object} in {events:#?}")).clone()
    }
}

const FILES: &[&str] = &["a", "b", "library", "other"];

const ROUTINE: &[&str] = &[
    "mode 0644 @a",
    "open-mode 0600 @a",
    "owner @a",
    "truncate @a",
    "rename @a @c",
    "link @b @d",
    "symlink b @s",
    "map @library",
    "delete @s",
    "make-directory @directory",
    "delete-directory @directory",
];

/// One deed that nobody recorded: the step, the kind and the object of its event.
const DEEDS: &[(&str, &str, &str)] = &[
    ("delete @other", "file.delete", "@other"),
    ("delete-directory @empty", "file.delete", "@empty"),
    ("rename @other @c", "file.link", "rename @other @c"),
    ("link @other @e", "file.link", "link @other @e"),
    ("symlink /etc/shadow @s", "file.link", "symlink /etc/shadow @s"),
    ("mode 4755 @b", "file.meta", "mode 4755 @b"),
    ("open-mode 0777 @b", "file.meta", "mode 0777 @b"),
    ("owner @b", "file.meta", "owner @b"),
    ("truncate @b", "file.write", "@b"),
    ("map @other", "file.map_exec", "@other"),
];

#[test]
fn what_was_done_to_files_before_is_quiet() {
    if !can_load() {
        return;
    }
    let play = Play::new();
    play.settle(FILES, ROUTINE);
    for round in 1..=repeat() {
        let output = play.watch(FILES, ROUTINE);
        assert_quiet(&play.lab, &output, round);
    }
}

#[test]
fn every_new_deed_is_reported() {
    if !can_load() {
        return;
    }
    let play = Play::new();
    play.settle(FILES, ROUTINE);
    for _ in 0..repeat().div_ceil(4) {
        for (step, kind, object) in DEEDS {
            let mut steps = vec![*step];
            if *step == "delete-directory @empty" {
                steps.insert(0, "make-directory @empty");
            }
            let output = play.watch(FILES, &steps);
            assert_eq!(output.status.code(), Some(3), "{step}: {output:?}");
            play.assert_event(kind, object);
            let events = play.lab.events();
            let of_files = |event: &&Value| {
                event["drift.kind"].as_str().is_some_and(|kind| kind.starts_with("file."))
                    && event["process.executable.path"] == play.command[0]
            };
            // The actor reads what it maps and what it changes through a descriptor; else the deed is all that is new.
            let changed =
                events.iter().filter(of_files).filter(|event| event["drift.kind"] != "file.read");
            assert_eq!(changed.count(), 1, "{step}: {events:#?}");
        }
    }
}

/// What failed did not happen.
#[test]
fn what_fails_is_not_told_as_done() {
    if !can_load() {
        return;
    }
    let play = Play::new();
    play.settle(FILES, &["read /etc/passwd"]);
    for step in ["delete-directory @", "rename @a /proc/driftline", "link @a @b", "delete @none"] {
        let output = play.watch(FILES, &["read /etc/passwd", step]);
        assert!(String::from_utf8_lossy(&output.stderr).contains("step"), "{step}: {output:?}");
        let events = play.lab.events();
        let told = events.iter().any(|event| {
            ["file.delete", "file.link"].iter().any(|kind| event["drift.kind"] == *kind)
        });
        assert!(!told, "{step}: {events:#?}");
    }
}

/// A relative path, the mode that makes a program its owner's, and both names of a rename.
#[test]
fn events_say_which_file_and_how() {
    if !can_load() {
        return;
    }
    let play = Play::new();
    play.settle(FILES, &["enter @"]);
    play.watch(FILES, &["enter @", "mode 4755 a", "rename a b", "symlink ../x c"]);
    let mode = play.assert_event("file.meta", "mode 4755 @a");
    assert_eq!(mode["drift.severity"], "high");
    assert_eq!(mode["file.mode"], "4755");
    assert_eq!(mode["threat.technique.id"], serde_json::json!(["T1548.001"]));
    let renamed = play.assert_event("file.link", "rename @a @b");
    assert_eq!(renamed["file.old_path"], play.path("a"));
    assert_eq!(renamed["file.path"], play.path("b"));
    let link = play.assert_event("file.link", "symlink ../x @c");
    assert_eq!(link["file.target_path"], "../x");
    assert_eq!(link["file.path"], play.path("c"));
}

/// Names that are new each time, as they are made, moved and removed.
#[test]
fn temporary_names_that_move_are_quiet() {
    if !can_load() {
        return;
    }
    let play = Play::new();
    let script = format!(
        "import os, tempfile\n\
         for _ in range(10):\n    \
             f, name = tempfile.mkstemp(dir='{0}', prefix='.report.')\n    \
             os.chmod(name, 0o640)\n    \
             os.replace(name, '{0}/report')\n\
         with tempfile.TemporaryDirectory() as d: os.symlink('x', d + '/link')\n",
        play.place.display()
    );
    let command = [python(), "-c", &script];
    play.lab.settle(|| play.lab.record(&command).output().expect("driftline runs"));
    for round in 1..=repeat() {
        let output = play.lab.watch(&command).output().expect("driftline runs");
        assert_quiet(&play.lab, &output, round);
    }
}

/// The loader is known, and whatever it is told to run is not executed as the kernel sees it.
#[test]
fn a_program_that_the_dynamic_loader_runs_is_reported() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let loader = "/lib64/ld-linux-x86-64.so.2";
    let script = |program: &str| format!("{loader} {program}");
    let known = script("/usr/bin/true");
    let command = ["sh", "-c", known.as_str()];
    lab.settle(|| lab.record(&command).output().expect("driftline runs"));
    let output = lab.watch(&command).output().expect("driftline runs");
    assert_quiet(&lab, &output, 1);
    let new = script("/usr/bin/id");
    lab.watch(&["sh", "-c", &new]).output().expect("driftline runs");
    let events = lab.events();
    let found = events.iter().any(|event| {
        event["drift.kind"] == "file.map_exec" && event["drift.object"] == "/usr/bin/id"
    });
    assert!(found, "{events:#?}");
}

/// An overlay as a container's root is made of: the same program, from the image and written since.
#[test]
fn a_program_from_the_upper_layer_is_reported() {
    if !can_load() {
        return;
    }
    let play = Play::new();
    // tmpfs, as an upper layer must know attributes that the guest's own root does not.
    let directory = tempfile::tempdir_in("/dev/shm").expect("/dev/shm is writable");
    let at = |name: &str| directory.path().join(name).to_str().expect("UTF-8").to_owned();
    let mount = format!("overlay {} {} {} {}", at("lower"), at("upper"), at("work"), at("merged"));
    let run = format!("run {}", at("merged/true"));
    let write = format!("write {}", at("merged/true"));
    let fresh = || {
        for name in ["lower", "upper", "work", "merged"] {
            let path = at(name);
            if Path::new(&path).exists() {
                fs::remove_dir_all(&path).expect("it is ours");
            }
            fs::create_dir(&path).expect("it is ours");
        }
        fs::copy("/bin/busybox", at("lower/true")).expect("busybox-static is there");
    };
    play.plan(&[&mount, &run]);
    play.lab.settle(|| {
        fresh();
        play.lab.record(&play.command).output().expect("driftline runs")
    });
    for round in 1..=repeat().div_ceil(4) {
        fresh();
        let output = play.watch(&[], &[&mount, &run]);
        assert_quiet(&play.lab, &output, round);
        fresh();
        let output = play.watch(&[], &[&mount, &write, &run]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let events = play.lab.events();
        let found = events.iter().find(|event| event["drift.kind"] == "exec.not_in_image");
        let found = found.unwrap_or_else(|| panic!("not told in {events:#?}"));
        assert_eq!(found["drift.object"], at("merged/true"));
        assert_eq!(found["drift.severity"], "critical");
    }
    // Once recorded, it is known.
    play.plan(&[&mount, &write, &run]);
    play.lab.settle(|| {
        fresh();
        play.lab.record(&play.command).output().expect("driftline runs")
    });
    fresh();
    let output = play.watch(&[], &[&mount, &write, &run]);
    assert_quiet(&play.lab, &output, 1);
}

#[test]
fn check_says_what_sees_changes_and_mappings() {
    if !can_load() {
        return;
    }
    let output = Command::new(driftline()).args(["check", "--json"]).output().expect("it runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let behaviours = report["behaviours"].as_array().expect("a list");
    for name in ["change", "map"] {
        let status = behaviours.iter().find(|one| one["behaviour"] == name);
        let status = status.unwrap_or_else(|| panic!("no {name} in {report:#}"));
        assert_ne!(status["tier"], "blind", "{status:#}");
        // Where trampolines work, the first choice must, too.
        let open =
            behaviours.iter().find(|one| one["behaviour"] == "open").expect("opens are seen");
        assert_eq!(status["tier"], open["tier"], "{report:#}");
    }
}
