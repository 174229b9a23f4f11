//! A container's first deed is known, and nothing of what its runtime did before.

use std::{collections::BTreeSet, time::Instant};

use serde_json::Value;
use support::{
    agent::{self, Agent},
    churned::{FIRST, assert_in_ledger, can_run, churn, count, node, object, recorded, run_of},
    pods::{ContainerSpec, Ended},
};

/// What a runtime does between a container's cgroup and its entrypoint.
const OF_RUNTIMES: [&str; 10] = [
    "mount",
    "umount2",
    "unshare",
    "setns",
    "keyctl",
    "pivot_root",
    "sethostname",
    "capset",
    "seccomp",
    "setgroups",
];

/// The entrypoint and its first open, once for each run, and nothing of what came before.
fn assert_entrypoint(baseline: &Value, truth: &[Ended]) {
    let runs: BTreeSet<_> = object(&baseline["runs"]).keys().map(String::as_str).collect();
    assert_eq!(runs, truth.iter().map(run_of).collect(), "{baseline:#}");
    let once = Value::from("all");
    let names = |value: &Value| object(value).keys().cloned().collect::<Vec<_>>();
    let executables = names(&baseline["executables"]);
    assert_eq!(executables, ["/bin/cat"], "{baseline:#}");
    let cat = &baseline["executables"]["/bin/cat"];
    assert_eq!(cat["parents"]["(entrypoint)"]["runs"], once, "{cat:#}");
    assert_eq!(cat["args"]["/bin/cat /etc/first"]["runs"], once, "{cat:#}");
    assert_eq!(cat["read"]["/etc/first"]["runs"], once, "{cat:#}");
    assert_eq!(names(&cat["parents"]), ["(entrypoint)"]);
    assert_eq!(names(&cat["read"]), ["/etc/first"]);
    for absent in ["write", "read_denied", "write_denied", "connect", "listen", "accept"] {
        assert!(cat[absent].is_null(), "{absent}: {cat:#}");
    }
    let syscalls = names(&baseline["syscalls"]);
    eprintln!("system calls: {syscalls:?}");
    for name in OF_RUNTIMES {
        assert!(!syscalls.iter().any(|syscall| syscall.starts_with(name)), "{name}: {syscalls:?}");
    }
    let text = baseline.to_string();
    for word in ["runc", "crun", "/proc/", "/sys/fs/cgroup"] {
        assert!(!text.contains(word), "{word} in {baseline:#}");
    }
}

/// Records so many runs of [`FIRST`] under a runtime.
fn assert_first_open(runtime: &str, count: usize) {
    let _alone = agent::alone();
    let node = node();
    let recorder = Agent::start(&node, "record", &[]);
    let begun = Instant::now();
    let truth = churn(&node, count, runtime, &ContainerSpec::new("task", FIRST));
    let took = begun.elapsed();
    assert!(truth.iter().all(|ended| ended.exit_code == 0), "{truth:#?}");
    let baseline = recorded(&node, recorder, FIRST, &truth);
    eprintln!("{count} containers under {runtime} in {took:?}");
    assert_entrypoint(&baseline, &truth);
    assert_in_ledger(&agent::history(&node), &truth);
}

#[test]
fn the_entrypoints_very_first_open_is_in_the_stream_every_time() {
    if can_run() {
        assert_first_open("runc", count(60));
    }
}

#[test]
fn the_entrypoints_very_first_open_is_in_the_stream_under_crun_too() {
    if can_run() {
        assert_first_open("crun", count(20).min(100));
    }
}
