//! Every step of our own attacks is told in real pods, with its kind, object and technique, within a second.

use support::{
    agent,
    attacks::{run::Outcome, suite},
    can_load,
    pods::{self, Node},
};

#[test]
fn every_step_is_told_within_a_second() {
    if !pods::can_run() || !can_load() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let report = suite::on(&node);
    let all = &report.done;
    if let Some(directory) = std::env::var_os("DRIFTLINE_ATTACKS") {
        suite::write_down(std::path::Path::new(&directory), &report);
    }
    for done in all {
        if let Outcome::Told(took) = done.outcome { eprintln!("{took:?} {done}"); }
    }
    let failed: Vec<_> =
        all.iter().filter(|done| matches!(done.outcome, Outcome::Failed(_))).collect();
    for done in &failed {
        if let Outcome::Failed(why) = &done.outcome { eprintln!("FAILED {} {:?} profile {}: {why}", done.step.what, done.vector, done.profile); }
    }
    assert!(failed.is_empty(), "{} of {} failed", failed.len(), all.len());
}
