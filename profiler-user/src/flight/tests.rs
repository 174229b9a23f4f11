use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::deed::Deed;
use super::*;
use crate::container::{ContainerId, Identity};
use crate::drift::sample;

fn identity(of: &str) -> Identity {
    Identity::of_path(ContainerId::parse(&of.repeat(32)).unwrap(), None, None)
}

fn shelf(store: &Path, size: u64) -> Shelf {
    Shelf::of(store, size * 8, Duration::from_hours(1))
}

/// Writes these by turns for two containers.
fn written(store: &Path, observations: &[crate::behaviour::Observation]) {
    let mut log = Log::new(shelf(store, 1 << 24), "key".to_owned());
    let (mut one, mut other) = (Place::default(), Place::default());
    for observation in observations {
        let done = Done::Did(&observation.behaviour);
        log.note(&mut one, &identity("ab"), observation.time, &observation.process, done);
        log.note(&mut other, &identity("cd"), observation.time, &observation.process, done);
    }
    let last = observations.last().unwrap();
    log.note(&mut one, &identity("ab"), last.time, &last.process, Done::Exited(0x100));
    log.close();
}

fn every_sort() -> Vec<crate::behaviour::Observation> {
    use crate::behaviour::Operation;
    vec![
        sample::exec("/bin/sh", &["sh", "-c", "id"], Some("/usr/sbin/nginx")),
        sample::read("/etc/shadow"),
        sample::write("/srv/x"),
        sample::change(Operation::Rename("/srv/x".to_owned()), "/srv/y"),
        sample::change(Operation::Mode(0o4755), "/srv/y"),
        sample::map("/lib/x.so"),
        sample::connect("/bin/sh", "10.0.0.7:5432"),
        sample::connect("/bin/sh", "[2001:db8::1]:443"),
        sample::listen("0.0.0.0:80"),
        sample::accept("10.0.0.1:80", "10.0.0.9:1234"),
        sample::syscall("mount"),
        sample::socket(17, 3, 768),
        sample::capability(16),
        sample::unix("/run/docker.sock"),
        sample::identity(0, 33),
        sample::escape("/"),
        sample::dns("example.org"),
    ]
}

#[test]
fn what_was_written_is_read_again_as_it_was_judged() {
    let store = tempfile::tempdir().unwrap();
    let all = every_sort();
    written(store.path(), &all);
    let found = segments(store.path()).unwrap();
    assert_eq!(found.len(), 1);
    let segment = Segment::read(&found[0].path).unwrap();
    assert!(!segment.is_torn);
    assert_eq!(segment.key_id, "key");
    assert_eq!(segment.deeds(), all.len() + 1, "two containers share them");
    let steps: Vec<_> = segment.steps().collect();
    assert_eq!(steps.len(), all.len() * 2 + 1);
    for (step, written) in steps.iter().step_by(2).zip(&all) {
        let (actor, deed) = segment.deed(step.deed).unwrap();
        let read = deed.observation(actor, step.pid, step.timestamp()).unwrap();
        assert_eq!(read.behaviour, written.behaviour);
        assert_eq!(read.time, written.time);
        assert_eq!(read.process.args, written.process.args);
        let parent = |one: &crate::behaviour::Observation| {
            one.process.ancestry.first().map(|one| Arc::clone(&one.executable))
        };
        assert_eq!(parent(&read), parent(written));
        assert_eq!(segment.containers[step.container], identity("ab"));
    }
    let (_, last) = segment.deed(steps.last().unwrap().deed).unwrap();
    assert_eq!(*last, Deed::Exited(0x100));
}

#[test]
fn a_torn_end_costs_its_frame_and_a_changed_byte_is_said() {
    let store = tempfile::tempdir().unwrap();
    written(store.path(), &every_sort());
    let path = &segments(store.path()).unwrap()[0].path;
    let whole = std::fs::read(path).unwrap();
    for cut in 0..whole.len() {
        std::fs::write(path, &whole[..cut]).unwrap();
        let segment = Segment::read(path).unwrap_or_else(|error| panic!("{cut}: {error}"));
        assert_eq!(segment.steps().count(), 0, "{cut}: all of it is one frame");
    }
    for at in (0..whole.len()).step_by(7) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        std::fs::write(path, &changed).unwrap();
        match Segment::read(path) {
            Err(_) => {}
            // The length grew beyond the file's end.
            Ok(segment) => assert!(segment.is_torn && segment.steps().count() == 0, "{at}"),
        }
    }
}

#[test]
fn the_log_keeps_its_share_and_drift_longest() {
    let store = tempfile::tempdir().unwrap();
    let mut log = Log::new(shelf(store.path(), 1 << 20), "key".to_owned());
    let mut place = Place::default();
    for number in 0..60_000 {
        let observation = sample::read(&format!("/srv/{number}/{}", "x".repeat(80)));
        let done = Done::Did(&observation.behaviour);
        log.note(&mut place, &identity("ab"), observation.time, &observation.process, done);
        if number == 10 {
            log.drifted();
        }
        if number % 500 == 0 {
            log.hand_over(observation.time);
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    log.close();
    let all = segments(store.path()).unwrap();
    let size: u64 = all.iter().map(|one| one.size).sum();
    assert!(size <= (1 << 20) + (1 << 19), "{size}");
    assert!(all[0].has_drift && all[0].number == 1, "the first one stays: {:?}", all[0]);
    assert!(all[1].number > 2, "its neighbours went: {:?}", all[1]);
}

/// Such as while the disk is full: what is missing is counted.
#[test]
fn what_waited_while_nothing_could_be_written_is_counted_as_left_out() {
    let store = tempfile::tempdir().unwrap();
    let shelf = shelf(store.path(), 1 << 20);
    let directory = shelf.directory.clone();
    std::fs::write(&directory, "a file in its place").unwrap();
    let mut log = Log::new(shelf, "key".to_owned());
    let mut place = Place::default();
    let observation = sample::read("/srv/x");
    let done = Done::Did(&observation.behaviour);
    let mut note = |log: &mut Log| {
        log.note(&mut place, &identity("ab"), observation.time, &observation.process, done);
    };
    note(&mut log);
    log.hand_over(observation.time);
    // The thread finds out.
    std::thread::sleep(Duration::from_millis(200));
    note(&mut log);
    note(&mut log);
    std::fs::remove_file(&directory).unwrap();
    log.hand_over(observation.time);
    note(&mut log);
    log.close();
    let found = segments(store.path()).unwrap();
    let segment = Segment::read(&found.last().unwrap().path).unwrap();
    assert_eq!((segment.left_out, segment.steps().count()), (3, 1));
}

#[test]
fn moments_are_the_last_ones_before() {
    let mut recent = Recent::default();
    for number in 0..40 {
        let mut observation = sample::read(&format!("/srv/{number}"));
        observation.time = sample::later(number);
        recent.note(&observation);
        recent.note(&sample::syscall("mount"));
    }
    let mut long = sample::read(&"ä".repeat(4000));
    long.time = sample::later(50);
    recent.note(&long);
    let before = recent.before(sample::later(45));
    assert_eq!(before.len(), 15);
    assert_eq!((before[14].kind, &*before[14].object), ("file.read", "/srv/39"));
    assert!(recent.before(sample::later(50))[15].object.len() < 300);
    assert!(recent.before(sample::later(3600)).is_empty());
}
