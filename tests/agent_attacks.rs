//! Every step of our own attacks is told in real pods, with its kind, object and technique, within a second.

use std::path::Path;

use support::{
    agent,
    attacks::{run, suite},
    can_load,
    pods::{self, Node},
};

/// With `DRIFTLINE_ATTACKS=DIR` what came of it is written down, for `cargo xtask attacks`.
#[test]
fn every_step_is_told_within_a_second() {
    if !pods::can_run() || !can_load() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let report = suite::on(&node);
    let failed = run::failed(report.done.iter().map(|done| (done.to_string(), &done.outcome)));
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), report.done.len(), failed.join("\n"));
    if let Some(directory) = std::env::var_os("DRIFTLINE_ATTACKS") {
        suite::write_down(Path::new(&directory), &report);
    }
}
