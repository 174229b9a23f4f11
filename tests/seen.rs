//! The first-seen filter in the kernel: what was told of once does not cross again, and nothing hides behind it.

use std::{
    fs,
    process::{Command, Output},
};

use support::{Lab, can_load};

/// Where the files lie, and what makes the place before driftline starts.
struct Place {
    name: &'static str,
    mount: &'static str,
}

/// `$1` is an empty directory.
const PLACES: &[Place] = &[
    Place { name: "the machine's own filesystem", mount: "true" },
    Place { name: "tmpfs", mount: "mount -t tmpfs none $1" },
    Place {
        name: "overlay",
        mount: "mount -t tmpfs none $1 && mkdir $1/low $1/up $1/work $1/all && mkdir $1/low/d && echo x >$1/low/d/known && \
                mount -t overlay none -o lowerdir=$1/low,upperdir=$1/up,workdir=$1/work $1/all && \
                mount --move $1/all $1",
    },
];

/// Runs a command in a mount namespace of its own, where the place was made.
fn in_place(place: &Place, directory: &str, command: &Command) -> Output {
    let mut inside = Command::new("unshare");
    let script =
        format!("set -e; {}; mkdir -p $1/d; echo x >$1/d/known; shift; exec \"$@\"", place.mount);
    inside.args(["--mount", "--propagation", "private", "sh", "-c", &script, "sh", directory]);
    inside.arg(command.get_program()).args(command.get_args());
    inside.output().expect("unshare is there")
}

/// What the program does after it has read the known file, and the name by which it reads it, or another, then.
const DISGUISES: &[(&str, &str, &str)] = &[
    ("a rename", "mv d/known d/other", "d/other"),
    ("a hard link", "ln d/known d/hard", "d/hard"),
    ("a directory's rename", "mv d e", "e/known"),
    ("a mount elsewhere", "mkdir m && mount --bind d m", "m/known"),
    ("a file in its place", "rm d/known && echo y >d/reused", "d/reused"),
];

#[test]
fn a_known_file_under_another_name_is_told() {
    if !can_load() {
        return;
    }
    for place in PLACES {
        for (what, deed, name) in DISGUISES {
            let lab = Lab::new();
            let files = lab.path("files");
            fs::create_dir(&files).expect("a directory");
            let directory = files.to_str().expect("UTF-8");
            let known = format!("cd {directory}; cat d/known; cat d/known");
            // What does not concern the file is part of the routine.
            let script = |last: &str| format!("{known}; {deed}; {last}; true");
            let routine = script("true");
            let recorded = in_place(place, directory, &lab.record(&["sh", "-c", &routine]));
            let said = String::from_utf8_lossy(&recorded.stderr);
            assert!(recorded.status.success(), "{what} on {}: {said}", place.name);

            fs::remove_dir_all(&files).expect("removable");
            fs::create_dir(&files).expect("a directory");
            let watched = in_place(
                place,
                directory,
                &lab.watch(&["sh", "-c", &script(&format!("cat {name}"))]),
            );
            let said = String::from_utf8_lossy(&watched.stderr);
            let events = lab.events();
            let object = format!("{directory}/{name}");
            let told = events.iter().any(|event| {
                event["drift.kind"] == "file.read"
                    && event["drift.object"] == object.as_str()
                    && event["process.executable.path"] == "/usr/bin/cat"
            });
            assert!(told, "{what} on {}: no {object} in {events:#?}\n{said}", place.name);
        }
    }
}

/// Crossings of one sort of deed to files of such a path, and what was lost, from the lab's only run.
fn crossings(lab: &Lab, executable: &str, deed: &str, below: &str) -> (u64, u64) {
    let baseline = fs::read_to_string(lab.baselines().join("lab.json")).expect("a baseline");
    let baseline: serde_json::Value = serde_json::from_str(&baseline).expect("JSON");
    let deeds = baseline["executables"][executable][deed].as_object().expect("deeds");
    let ours = deeds.iter().filter(|(path, _)| path.contains(below));
    let seen = ours.map(|(_, seen)| support::recorded::times(seen)).sum();
    let runs = baseline["runs"].as_object().expect("runs");
    let lost = runs.values().filter_map(|run| run["lost"].as_object());
    (seen, lost.flat_map(|lost| lost.values()).filter_map(serde_json::Value::as_u64).sum())
}

#[test]
fn what_is_repeated_crosses_once() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let file = lab.write("known", "x");
    let file = file.to_str().expect("UTF-8");
    let script = format!("i=0; while [ $i -lt 500 ]; do : <{file}; i=$((i+1)); done");
    let output = lab.record(&["sh", "-c", &script]).output().expect("driftline runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(crossings(&lab, "/usr/bin/dash", "read", "/known"), (1, 0));
}

#[test]
fn a_change_that_says_the_same_crosses_once() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let file = lab.path("changed");
    let file = file.to_str().expect("UTF-8");
    let changes = format!("chmod 600 {file}; chmod 640 {file}; rm {file}");
    let script = format!("i=0; while [ $i -lt 20 ]; do : >{file}; {changes}; i=$((i+1)); done");
    let output = lab.record(&["sh", "-c", &script]).output().expect("driftline runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(crossings(&lab, "/usr/bin/chmod", "meta", "/changed"), (2, 0), "one of each mode");
    assert_eq!(crossings(&lab, "/usr/bin/rm", "delete", "/changed"), (1, 0));
}

/// More files than a part of the filter holds: some of the first are forgotten and told again, none is left out.
#[test]
fn a_flood_makes_it_repeat_and_hides_nothing() {
    const FIRST: u64 = 500;
    const FLOOD: u64 = 30_000;
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let files = lab.path("files");
    fs::create_dir(&files).expect("a directory");
    for number in 0..FLOOD {
        fs::write(files.join(number.to_string()), "").expect("a file");
    }
    let files = files.to_str().expect("UTF-8");
    let read =
        |until: u64| format!("i=0; while [ $i -lt {until} ]; do : <{files}/$i; i=$((i+1)); done");
    let script = format!("{}; {}; {}", read(FIRST), read(FLOOD), read(FIRST));
    let output = lab.record(&["sh", "-c", &script]).output().expect("driftline runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (seen, lost) = crossings(&lab, "/usr/bin/dash", "read", "/files/");
    // 500 of 262,144 places, 30,000 of which were written since: about fifty were overwritten.
    assert!(seen > FLOOD && seen < FLOOD + FIRST, "{seen} crossed, {lost} were lost");
    assert_eq!(lost, 0, "{seen} crossed");
}
