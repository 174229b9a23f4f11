//! System calls that are known beforehand never cross; when less is known, the rest is told anew. What a container did is
//! kept all the same.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

use profiler_user::{
    cgroup::{Cgroup, Hierarchy},
    redact::Redactor,
    sensor::{EventBody, Options, Records, Sensor, decode},
};
use support::can_load;

/// Calls of every shell, and the numbers that the kernel gives them.
const READ: u64 = 0;
const WRITE: u64 = 1;

/// A container that answers each line with one.
fn echo(cgroup: &Cgroup) -> Child {
    let procs = cgroup.procs_path();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "while read -r line; do echo \"$line\"; done"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    // SAFETY: this process waits for the child to exec; the path was made before.
    unsafe { command.pre_exec(move || fs::write(&procs, "0")) };
    command.spawn().expect("a shell")
}

fn said(child: &mut Child) {
    child.stdin.as_mut().expect("piped").write_all(b"x\n").expect("it reads");
    let mut answer = [0; 2];
    child.stdout.as_mut().expect("piped").read_exact(&mut answer).expect("it answers");
}

fn told(records: &mut Records, redactor: &Redactor) -> BTreeSet<u64> {
    let mut told = BTreeSet::new();
    loop {
        let batch = records.drain();
        if batch.is_empty() {
            return told;
        }
        for record in batch {
            let event = decode(&record, redactor).expect("a record");
            if let EventBody::Syscall { number, denied: false, foreign: false } = event.body {
                told.insert(number);
            }
        }
    }
}

#[tokio::test]
async fn a_known_call_never_crosses_until_it_is_known_no_more() {
    if !can_load() {
        return;
    }
    let redactor = Redactor::new([7; 32]);
    let hierarchy = Hierarchy::find().expect("cgroup2");
    let cgroup = Cgroup::create(&hierarchy).expect("a cgroup");
    let mut sensor = Sensor::load(&hierarchy, Options::default()).expect("the probes");
    let mut records = sensor.records().expect("the stream");
    sensor.track(cgroup.id()).expect("tracking");
    let mut known = [u64::MAX; 8];
    known[0] &= !(1 << WRITE);
    sensor.know_calls(cgroup.id(), Some(&known)).expect("knowing");

    let mut child = echo(&cgroup);
    said(&mut child);
    said(&mut child);
    assert_eq!(told(&mut records, &redactor), [WRITE].into());
    let state = sensor.state(cgroup.id()).expect("the state");
    let called: BTreeSet<_> = state.native.numbers().map(u64::from).collect();
    assert!(called.contains(&READ) && called.contains(&WRITE), "{called:?}");
    assert!(called.len() < 60, "what it did, not what is known: {called:?}");

    // A baseline that does not hold them takes its place.
    sensor.know_calls(cgroup.id(), None).expect("knowing");
    sensor.forget_seen().expect("forgetting");
    // The answer is read before its `write` returns; the second answer says that the first one has.
    said(&mut child);
    said(&mut child);
    let again = told(&mut records, &redactor);
    assert!(again.contains(&READ) && again.contains(&WRITE), "{again:?}");
    said(&mut child);
    assert_eq!(told(&mut records, &redactor), [].into());

    drop(child.stdin.take());
    child.wait().expect("it ends");
}
