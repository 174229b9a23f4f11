//! Very many names of one shape, and argument lists of one frame: once recorded, the next one is quiet, and what only resembles
//! them is not.

use std::{fs, path::PathBuf};

use serde_json::Value;
use support::{Lab, assert_quiet, can_load, driftline, python, recorded};

/// Writes a part, renames it, reads it; each line of the plan is a deed and a path.
const JOB: &str = "
import os, sys
for line in open(sys.argv[1]):
    deed, path = line.split()
    if deed == 'keep':
        directory, name = os.path.split(path)
        part = directory + '/.' + name + '.part'
        open(part, 'w').close()
        os.rename(part, path)
        open(path).close()
    elif deed == 'write':
        open(path, 'w').close()
    elif deed == 'read':
        open(path).close()
";

/// Copies each of its files, and sums some at a time.
const SHELL_JOB: &str = "
cd \"$1\"
while read -r name; do : > \"in/$name\"; cp \"in/$name\" \"out/$name\"; done < names
sed s,^,in/, names | xargs -n 2 sha256sum > sums
for word in qz qx qk qv qj qw zq zx zk zv zj zw kq kz; do sh -c \": $word\"; done
touch '*' '{pid}' '{arg:name}'
. ./more
";

/// Letters that read like no word, others for each number.
fn letters(mut number: usize) -> String {
    let letters = b"qzxkvjw";
    let next = |_| {
        let letter = letters[number % letters.len()];
        number /= letters.len();
        char::from(letter)
    };
    (0..6).map(next).collect()
}

fn baseline(lab: &Lab) -> Value {
    let text = fs::read_to_string(lab.baselines().join("lab.json")).expect("it was recorded");
    recorded::valid(&text)
}

#[track_caller]
fn assert_event(lab: &Lab, kind: &str, object: &str) {
    let events = lab.events();
    let is_it = |event: &&Value| event["drift.kind"] == kind && event["drift.object"] == object;
    assert!(events.iter().any(|event| is_it(&event)), "no {kind} of {object} in {events:#?}");
}

struct Store {
    lab: Lab,
    command: [String; 3],
    run: usize,
}

impl Store {
    const PLACES: [&str; 4] = ["cache", "cache/below", "shelf", ".ssh"];

    fn new() -> Self {
        let lab = Lab::new();
        for place in Self::PLACES {
            fs::create_dir_all(lab.path(place)).expect("the lab is ours");
        }
        // Who recorded nothing of it: the machine's.
        lab.write("shelf/inv-zzzzzz.pdf", "x");
        let job = lab.write("job.py", JOB);
        let plan = lab.path("plan");
        let path = |path: PathBuf| path.to_str().expect("UTF-8").to_owned();
        let command = [python().to_owned(), path(job), path(plan)];
        Self { lab, command, run: 0 }
    }

    fn path(&self, name: &str) -> String {
        self.lab.path(name).to_str().expect("UTF-8").to_owned()
    }

    /// Names that were never there before, and the same ones as always where they may not differ; then `more`.
    fn plan(&mut self, more: &str) {
        self.run += 1;
        let new = (0..30).map(|n| format!("cache/inv-{}.pdf", letters(self.run * 100 + n)));
        let same = |place: &'static str| {
            (0..15).map(move |n| format!("{place}/inv-{}.pdf", letters(n * 7 + 1)))
        };
        let all = new.chain(same("shelf")).chain(same(".ssh"));
        let all: Vec<_> = all.map(|name| format!("keep {}", self.path(&name))).collect();
        self.lab.write("plan", &format!("{}\n{more}", all.join("\n")));
    }
}

#[test]
fn the_next_name_of_a_shape_is_quiet_and_what_resembles_it_is_drift() {
    if !can_load() {
        return;
    }
    let mut store = Store::new();
    for round in 1..=5 {
        store.plan("");
        let output = store.lab.record(&store.command).output().expect("driftline runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        if said.contains("nothing new") {
            break;
        }
        assert!(round < 5, "still new in the fifth run: {said}");
    }
    for round in 1..=3 {
        store.plan("");
        let output = store.lab.watch(&store.command).output().expect("driftline runs");
        assert_quiet(&store.lab, &output, round);
    }

    let baseline = baseline(&store.lab);
    let executables = baseline["executables"].as_object().expect("programs");
    let app = executables.values().find(|app| app["link"].is_object()).expect("the job");
    let of = |list: &str, place: &str| {
        let entries = app[list].as_object().expect("a list").iter();
        // What is half written may also be opened, to be thrown away.
        let is_whole = |key: &str| list != "read" || !key.ends_with(".pdf.part");
        let there = entries.filter(|(key, _)| key.contains(place) && is_whole(key));
        there.map(|(key, seen)| (key.clone(), seen.clone())).collect::<Vec<_>>()
    };
    for (list, pattern) in [
        ("read", "/inv-{letters:3-8}.pdf"),
        ("write", "/.inv-{letters:3-8}.pdf.part"),
        ("link", "/inv-{letters:3-8}.pdf"),
    ] {
        let entries = of(list, "/cache/");
        let [(key, seen)] = entries.as_slice() else { panic!("{list}: {entries:#?}") };
        assert!(key.ends_with(pattern), "{key}");
        // What it stands for is kept to be looked at.
        assert_eq!(seen["siblings"].as_array().map(Vec::len), Some(8), "{seen}");
        for place in ["/shelf/", "/.ssh/"] {
            // Parts of files lay nowhere before.
            let joined = list == "write" && place == "/shelf/";
            assert_eq!(of(list, place).len(), if joined { 1 } else { 15 }, "{list} {place}");
        }
    }
    let page = std::process::Command::new(driftline())
        .args(["baseline", "show"])
        .arg(store.lab.baselines().join("lab.json"))
        .output()
        .expect("driftline runs");
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    assert!(page.contains("/cache/inv-{letters:3-8}.pdf (many: inv-"), "{page}");

    let fresh = letters(77_777);
    for (deed, name) in [
        // Words among random letters, another extension, another place in the name, longer, another class.
        ("write", "cache/.inv-backdoor.pdf.part".to_owned()),
        ("read", "cache/inv-backdoor.pdf".to_owned()),
        ("write", format!("cache/.inv-{fresh}.pdf")),
        ("write", format!("cache/.inv-{fresh}.sh.part")),
        ("write", format!("cache/.key-{fresh}.pdf.part")),
        ("write", format!("cache/.inv-{fresh}-x.pdf.part")),
        ("write", format!("cache/.inv-{fresh}{fresh}.pdf.part")),
        ("write", "cache/.inv-qz7kvj.pdf.part".to_owned()),
        ("write", format!("cache/.INV-{fresh}.pdf.part")),
        ("write", format!("cache/below/.inv-{fresh}.pdf.part")),
        // Read, which was only ever written.
        ("write", format!("cache/inv-{fresh}.pdf")),
        // Of the machine, and among credentials.
        ("read", "shelf/inv-zzzzzz.pdf".to_owned()),
        ("read", format!("shelf/inv-{fresh}.pdf")),
        ("write", format!(".ssh/.inv-{fresh}.pdf.part")),
    ] {
        let path = store.path(&name);
        if deed == "read" && !store.lab.path(&name).exists() {
            store.lab.write(&name, "x");
        }
        store.plan(&format!("{deed} {path}\n"));
        store.lab.watch(&store.command).output().expect("driftline runs");
        assert_event(&store.lab, &format!("file.{deed}"), &path);
    }
}

#[test]
fn the_next_arguments_of_a_frame_are_quiet_and_another_deed_is_drift() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    for place in ["in", "out"] {
        fs::create_dir(lab.path(place)).expect("the lab is ours");
    }
    let path = |path: PathBuf| path.to_str().expect("UTF-8").to_owned();
    let command = ["/bin/sh".to_owned(), path(lab.write("job.sh", SHELL_JOB)), path(lab.path(""))];
    let mut run = 0;
    let mut plan = |more: &str| {
        run += 1;
        // An odd number: the last sum is of one file.
        let names = (0..31).map(|n| format!("inv-{}.pdf", letters(run * 100 + n)));
        lab.write("names", &(names.collect::<Vec<_>>().join("\n") + "\n"));
        lab.write("more", more);
    };
    lab.settle(|| {
        plan("");
        lab.record(&command).output().expect("driftline runs")
    });
    for round in 1..=3 {
        plan("");
        let output = lab.watch(&command).output().expect("driftline runs");
        assert_quiet(&lab, &output, round);
    }

    let baseline = baseline(&lab);
    let args = |program: &str| {
        let executables = baseline["executables"].as_object().expect("programs");
        let is_it = |path: &&String| path.ends_with(program);
        let path = executables.keys().find(is_it).unwrap_or_else(|| panic!("{program}"));
        let args = executables[path]["args"].as_object().expect("argument lists");
        args.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(args("/cp"), ["cp {arg:name} {arg:name}"]);
    assert_eq!(args("/sha256sum"), ["sha256sum {args:name}"]);
    assert_eq!(args("/touch"), ["touch '*' {{pid} {{arg:name}"]);
    let shell = args("/dash").into_iter().filter(|line| line.starts_with("sh -c"));
    assert_eq!(shell.count(), 14, "{:?}", args("/dash"));

    let there = format!("in/inv-{}.pdf", letters(101));
    for (line, object) in [
        (format!("cp -f {there} out/x"), format!("cp -f {there} out/x")),
        ("cp /etc/passwd out/x".to_owned(), "cp /etc/passwd out/x".to_owned()),
        (format!("cp {there} ./../x"), format!("cp {there} ./../x")),
        (format!("cp {there} {there} out"), format!("cp {there} {there} out")),
        (format!("sha256sum {there} /etc/passwd"), format!("sha256sum {there} /etc/passwd")),
        ("sha256sum names".to_owned(), "sha256sum names".to_owned()),
        ("sh -c ': ww'".to_owned(), "sh -c ': ww'".to_owned()),
        ("touch x '{pid}' '{arg:name}'".to_owned(), "touch x {pid} {arg:name}".to_owned()),
        ("touch '*' 4711 '{arg:name}'".to_owned(), "touch '*' 4711 {arg:name}".to_owned()),
        ("touch '*' '{pid}' in/x".to_owned(), "touch '*' {pid} in/x".to_owned()),
    ] {
        plan(&format!("{line}\n"));
        lab.watch(&command).output().expect("driftline runs");
        assert_event(&lab, "exec.args", &object);
    }
}
