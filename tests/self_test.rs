//! That every probe is fired at the start shows nowhere.

use std::{fs, process::Command};

use support::{Lab, can_load, driftline};

/// Neither as a container nor as a gap, and its cgroup is gone.
#[test]
fn the_self_test_leaves_nothing_behind() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let output = Command::new(driftline())
        .args(["record", "--for", "1s", "--baselines"])
        .arg(lab.baselines())
        .arg("--store")
        .arg(lab.path("store"))
        .output()
        .expect("driftline runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.trim(), "driftline: ready", "the probes were fired, and nothing came of it");
    let recorded = fs::read_dir(lab.baselines()).expect("a directory").filter(|entry| {
        let path = entry.as_ref().expect("an entry").path();
        path.extension().is_some_and(|extension| extension == "json")
    });
    assert_eq!(recorded.count(), 0, "a baseline was recorded");
}
