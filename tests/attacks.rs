//! Every step of our own attacks is told on every kernel, by each tier that can see it; and the documents say so of all of them.

use std::{collections::BTreeSet, fs, io::Write as _};

use support::{
    attacks::{How, TACTICS, guest, run, table},
    skip,
};

#[test]
fn every_step_is_told_in_a_virtual_machine() {
    if std::env::var_os("DRIFTLINE_IN_VM").is_none() {
        skip("on a node, agent_attacks does it");
        return;
    }
    let all = guest::attack();
    let failed = run::failed(all.iter().map(|(step, outcome)| (step.what.to_owned(), outcome)));
    // Past the harness's capture: `cargo xtask attacks` reads it from the console.
    let figures = table::figures(all.iter().map(|(_, outcome)| outcome));
    let _stderr_may_be_gone = writeln!(std::io::stderr(), "attacks: {figures}");
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), all.len(), failed.join("\n"));
    let half = figures["ms"]["p50"].as_f64();
    assert!(half.is_some_and(|half| half <= 1_000.), "half of them took longer than a second");
}

/// Written by `cargo xtask attacks`.
#[test]
fn the_documents_have_the_table_of_what_is_tested() {
    if std::env::var_os("DRIFTLINE_IN_VM").is_some() {
        skip("guests have no documents");
        return;
    }
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/attacks.md");
    let page = fs::read_to_string(page).expect("it is part of the documents");
    assert!(page.contains(&table::rendered()), "run `cargo xtask attacks`");
}

#[test]
fn there_are_steps_of_every_sort_and_no_two_are_the_same() {
    let steps = || TACTICS.iter().flat_map(|tactic| tactic.steps);
    assert!(steps().count() >= 60, "{} steps", steps().count());
    let distinct: BTreeSet<_> = steps().map(|step| format!("{:?}", step.how)).collect();
    assert_eq!(distinct.len(), steps().count());
    let languages: [fn(&How) -> bool; 4] = [
        |how| matches!(how, How::Shell(_)),
        |how| matches!(how, How::Perl(_)),
        |how| matches!(how, How::Python(_)),
        |how| matches!(how, How::C(_)),
    ];
    for (number, is_it) in languages.iter().enumerate() {
        let count = steps().filter(|step| is_it(&step.how)).count();
        assert!(count >= 15, "language {number}: {count} steps");
    }
    // What an intruder can do to be told of; the other kinds tell of images and of the agent.
    let kinds: BTreeSet<_> = steps().map(|step| step.kind).collect();
    for kind in profiler_user::drift::DriftKind::ALL {
        let is_told_of_others =
            ["image.unprofiled", "incident.lateral", "sensor.gap"].contains(&kind.name());
        assert!(is_told_of_others || kinds.contains(kind.name()), "no step is {kind}");
    }
}
