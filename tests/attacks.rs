//! Every step of our own attacks is told on every kernel, by each tier that can see it; and what the documents say of them.

use std::{collections::BTreeSet, time::Instant};

use support::{
    attacks::{TACTICS, guest, run::Outcome},
    skip,
};

#[test]
fn every_step_is_told_in_a_virtual_machine() {
    if std::env::var_os("DRIFTLINE_IN_VM").is_none() {
        skip("on a node, agent_attacks does it");
        return;
    }
    let start = Instant::now();
    let all = guest::attack();
    let failed: Vec<_> = all
        .iter()
        .filter_map(|(step, outcome)| match outcome {
            Outcome::Failed(why) => Some(format!("{}: {why}", step.what)),
            _ => None,
        })
        .collect();
    for failed in &failed { eprintln!("FAILED {failed}"); }
    let mut took: Vec<_> = all.iter().filter_map(|(_, outcome)| if let Outcome::Told(took) = outcome { Some(*took) } else { None }).collect();
    took.sort();
    eprintln!("attacks: {} steps, {} told, slowest {:?}, {} failed, {:?}", all.len(), took.len(), took.last(), failed.len(), start.elapsed());
    assert!(failed.is_empty());
}

#[test]
fn no_two_steps_are_called_the_same() {
    for tactic in TACTICS {
        let names: BTreeSet<_> = tactic.steps.iter().map(|step| (step.what, format!("{:?}", step.how))).collect();
        assert_eq!(names.len(), tactic.steps.len(), "{}", tactic.name);
    }
    let count: usize = TACTICS.iter().map(|tactic| tactic.steps.len()).sum();
    assert!(count >= 60, "{count} steps");
}
