use std::process::{Child, Command, Stdio};

use super::*;
use crate::evidence::bundle::{Why, extract, write};
use crate::evidence::key;

/// Ends it, whatever comes.
struct Runs(Child);

impl Drop for Runs {
    fn drop(&mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it is a child");
    }
}

/// A container has as many processes, with arguments as long, as it likes; the agent has a limit of memory.
#[test]
fn processes_with_much_to_tell_are_told_of_within_bounds() {
    let long = "x".repeat(120 << 10);
    let sleep = || Command::new("sleep").args(["60", "0"]).spawn();
    let wordy = || {
        let mut shell = Command::new("sh");
        // Until its input ends.
        shell.args(["-c", "read nothing", &long, &long]).stdin(Stdio::piped()).spawn()
    };
    let mut all: Vec<_> = (0..50).map(|_| Runs(wordy().unwrap())).collect();
    all.push(Runs(sleep().unwrap()));
    all.push(Runs(sleep().unwrap()));
    let pids: Vec<u32> = all.iter().map(|Runs(child)| child.id()).collect();
    let last = *pids.last().unwrap();
    // They run what they were started for.
    while !std::fs::read_to_string(format!("/proc/{last}/comm")).unwrap().contains("sleep") {}

    let directory = tempfile::tempdir().unwrap();
    let mut spool = Spool::new(directory.path()).unwrap();
    container(&mut spool, &pids, Vec::new(), None, &Redactor::new([7; 32])).unwrap();
    let key = key::load(None, directory.path()).unwrap();
    let bundle = write(directory.path(), spool, Why::Demand {}, "n", None, &key).unwrap();
    let out = directory.path().join("out");
    let verified = extract(&bundle, &[key.public().clone()], &out).unwrap();
    let told = std::fs::read_to_string(out.join("processes.json")).unwrap();
    assert!(told.len() < 16 << 20, "{}", told.len());
    let told: Vec<serde_json::Value> = serde_json::from_str(&told).unwrap();
    assert_eq!(told.len(), 52, "each is there, with what there was room for");
    assert!(told[0]["args"][3].as_str().unwrap().len() == long.len());
    let missing = &verified.manifest.missing;
    let is_said = |missing: &Missing| missing.why.contains("had no room");
    assert!(missing.iter().any(is_said), "{missing:?}");

    let lines = std::fs::read_to_string(out.join("executables.json")).unwrap();
    let lines: Vec<serde_json::Value> = serde_json::from_str(&lines).unwrap();
    assert_eq!(lines.len(), 52);
    let of = |pid: u32| &lines.iter().find(|line| line["pid"] == pid).unwrap()["piece"];
    assert_eq!(of(pids[50]), of(pids[51]));
    assert!(out.join(of(last).as_str().unwrap()).exists());
}
