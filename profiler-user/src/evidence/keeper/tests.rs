use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::*;
use crate::container::ContainerId;
use crate::drift::{DriftKind, sample};
use crate::evidence::bundle::{self, Manifest, Why};
use crate::evidence::{DIRECTORY, key};
use crate::store::{Capture, LedgerEntry};

pub(super) fn member(digit: &str) -> Member {
    let id = ContainerId::parse(&digit.repeat(64)).unwrap();
    Member { identity: Identity::of_path(id, None, None), cgroup: None }
}

/// On a machine where only these runtimes are, and where no cgroup is.
fn start(store: &Path, runtimes: &[&Path]) -> Keeper {
    let config = Config {
        severity: Severity::Low,
        key: None,
        size: 1 << 30,
        runtime_logs: vec![store.join("no.log")],
    };
    let hierarchy = store.join("cgroup");
    fs::create_dir_all(&hierarchy).unwrap();
    let endpoints = runtimes.iter().map(|path| Endpoint::at(*path));
    let place = Place {
        store: store.to_owned(),
        hierarchy,
        node: "n".to_owned(),
        runtimes: endpoints.collect(),
        redactor: Redactor::new([7; 32]),
        metrics: Metrics::new(Timestamp::now()).unwrap(),
    };
    Keeper::start(&config, place).unwrap()
}

fn entry(digit: &str) -> Write {
    Write::Container(Box::new(LedgerEntry {
        identity: member(digit).identity,
        cgroup: Some(format!("/{digit}")),
        node: "n".to_owned(),
        seen: Timestamp::now(),
        capture: Capture::FromStart,
        tier: None,
        baseline: None,
        provenance: None,
    }))
}

/// The container is seen, and drifts.
fn drift(keeper: &mut Keeper, digit: &str) {
    keeper.look(&entry(digit));
    let mut event = sample::event(DriftKind::Exec, &sample::exec("/tmp/x", &["/tmp/x"], None));
    Arc::make_mut(&mut event.origin).container_id = Some(digit.repeat(64));
    event.process = None;
    event.severity = Severity::High;
    keeper.look(&Write::Event(Box::new(event)));
}

/// The bundles, in their order in time, with what each has of the drifts.
fn bundles(store: &Path) -> Vec<(Manifest, String)> {
    let trusted = [key::load(None, store).unwrap().public().clone()];
    let entries = fs::read_dir(store.join(DIRECTORY)).unwrap().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.to_string_lossy().ends_with(".tar.zst")).collect();
    paths.sort();
    let one = |path: &std::path::PathBuf| {
        let scratch = tempfile::tempdir().unwrap();
        let to = scratch.path().join("out");
        let verified = bundle::extract(path, &trusted, &to).unwrap();
        (verified.manifest, fs::read_to_string(to.join("events.ndjson")).unwrap())
    };
    paths.iter().map(one).collect()
}

fn cases(store: &Path) -> usize {
    case::left(&store.join(DIRECTORY)).len()
}

#[test]
fn a_container_that_ends_while_no_agent_runs_has_its_last_bundle_from_the_next() {
    let store = tempfile::tempdir().unwrap();
    let mut keeper = start(store.path(), &[]);
    drift(&mut keeper, "a");
    drift(&mut keeper, "a");
    keeper.close();
    assert_eq!((bundles(store.path()).len(), cases(store.path())), (1, 1));

    start(store.path(), &[]).close();
    let all = bundles(store.path());
    let whys: Vec<_> = all.iter().map(|(manifest, _)| manifest.why.clone()).collect();
    let event = whys[0].event().unwrap().to_owned();
    assert_eq!(whys, [Why::Drift { event: event.clone() }, Why::End { event }]);
    assert_eq!(all[1].1.lines().count(), 2, "both drifts are told of");
    assert_eq!(cases(store.path()), 0);

    start(store.path(), &[]).close();
    assert_eq!(bundles(store.path()).len(), 2, "once");
}

/// Each call of such a runtime takes as long as it may.
#[test]
fn a_runtime_that_hangs_holds_up_neither_the_bundle_nor_the_agents_end() {
    let store = tempfile::tempdir().unwrap();
    let socket = store.path().join("hangs.sock");
    let _accepts_nothing = UnixListener::bind(&socket).unwrap();
    let mut keeper = start(store.path(), &[&socket, &socket]);
    let begun = Instant::now();
    for digit in ["a", "b", "c", "d"] {
        drift(&mut keeper, digit);
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "who judges does not wait");
    let closing = Instant::now();
    keeper.close();
    assert!(closing.elapsed() < CLOSE + LAST + Duration::from_secs(2), "nor who ends");
    // What there was no time for is there for the next agent.
    let made = bundles(store.path());
    assert!((1..4).contains(&made.len()), "{}", made.len());
    assert!(cases(store.path()) == 4);
    let missing = &made[0].0.missing;
    let said = missing.iter().filter(|missing| missing.why.contains("did not answer")).count();
    assert_eq!(said, 2, "{missing:?}");
}
