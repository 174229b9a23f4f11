//! Changes of files and executable mappings, learned and judged.

use super::super::fixtures::{baseline, exec, observation, run};
use super::*;
use crate::behaviour::Map;

const MV: &str = "/usr/bin/mv";
const NGINX: &str = "/usr/sbin/nginx";

fn change(by: &str, operation: Operation, path: &str) -> Observation {
    observation(by, &[], Behaviour::Change(Change { path: path.to_owned(), operation }))
}

fn rename(old: &str, new: &str) -> Observation {
    change(MV, Operation::Rename(old.to_owned()), new)
}

fn map(path: &str) -> Observation {
    observation(NGINX, &[], Behaviour::Map(Map { path: path.to_owned() }))
}

fn from_upper(by: &str) -> Observation {
    let mut observation = exec(by, &["x"], Some(MV));
    if let Behaviour::Exec(exec) = &mut observation.behaviour {
        exec.not_in_image = true;
    }
    observation
}

fn judge() -> Judge {
    let mut baseline = baseline();
    for observation in [
        rename("/srv/.report.aB3xY9", "/srv/report"),
        change(MV, Operation::Delete, "/tmp/tmpabcdefgh"),
        change(MV, Operation::Delete, "/srv/lock"),
        change(MV, Operation::Mode(0o640), "/srv/report"),
        change(MV, Operation::SymbolicLink("..2026_01_02_15_04_05.1".to_owned()), "/srv/..data"),
        map("/usr/lib/libc.so.6"),
        exec("/srv/tool", &["x"], Some(MV)),
        from_upper("/srv/plugin"),
    ] {
        baseline.learn(&run(), &observation);
    }
    Judge::new(&baseline, "0011aabb")
}

#[track_caller]
fn one(observation: &Observation) -> (DriftKind, String, String, Option<String>) {
    let judge = judge();
    let mut findings = judge.judge(observation);
    assert_eq!(findings.len(), 1, "{findings:?}");
    let finding = findings.remove(0);
    let nearest = judge.nearest(observation, &finding);
    (finding.kind, finding.object, finding.pattern, nearest)
}

#[test]
fn what_was_learned_is_known_whatever_name_it_has_this_time() {
    let judge = judge();
    for known in [
        rename("/srv/.report.zZ9aQ1", "/srv/report"),
        // By chance a word.
        rename("/srv/.report.secret", "/srv/report"),
        change(MV, Operation::Delete, "/tmp/tmp_1234567"),
        change(MV, Operation::Delete, "/srv/lock"),
        change(MV, Operation::SymbolicLink("..2027_03_04_05_06_07.8".to_owned()), "/srv/..data"),
        map("/usr/lib/libc.so.6"),
        from_upper("/srv/plugin"),
        // Known from outside the image is no promise to be there.
        exec("/srv/plugin", &["x"], Some(MV)),
    ] {
        assert!(judge.is_known(&known), "{:?}", known.behaviour);
    }
}

#[test]
fn another_name_or_another_deed_is_drift() {
    let (kind, object, pattern, nearest) = one(&rename("/etc/passwd", "/srv/report"));
    assert_eq!(kind, DriftKind::FileLink);
    assert_eq!(object, "rename /etc/passwd /srv/report");
    assert_eq!(pattern, object);
    assert_eq!(
        nearest.unwrap(),
        "the nearest of 2 such changes by mv: rename /srv/.report.{rand:6} /srv/report"
    );
    // The same names, linked instead.
    let link = change(MV, Operation::HardLink("/srv/.report.aB3xY9".to_owned()), "/srv/report");
    assert_eq!(one(&link).0, DriftKind::FileLink);
    let (kind, object, _, nearest) = one(&change(MV, Operation::Mode(0o4755), "/srv/report"));
    assert_eq!((kind, object.as_str()), (DriftKind::FileMeta, "mode 4755 /srv/report"));
    assert_eq!(nearest.unwrap(), "the only such change by mv: mode 0640 /srv/report");
    let (kind, _, _, nearest) = one(&change(MV, Operation::Delete, "/srv/data"));
    assert_eq!(kind, DriftKind::FileDelete);
    assert_eq!(nearest.unwrap(), "mv deletes /srv/lock there");
    let (kind, _, _, nearest) = one(&map("/usr/lib/libevil.so"));
    assert_eq!(kind, DriftKind::FileMapExec);
    assert_eq!(nearest.unwrap(), "nginx maps executable /usr/lib/libc.so.6 there");
    let owner = one(&change(NGINX, Operation::Owner, "/srv/x"));
    assert_eq!(owner.3.unwrap(), "nginx never changes a mode or an owner");
}

#[test]
fn a_known_program_that_is_no_longer_the_images_is_drift() {
    let (kind, object, _, nearest) = one(&from_upper("/srv/tool"));
    assert_eq!((kind, object.as_str()), (DriftKind::ExecNotInImage, "/srv/tool"));
    assert_eq!(nearest.unwrap(), "run without being in the image were only /srv/plugin");
    // An unknown one is both.
    let kinds: Vec<_> =
        judge().judge(&from_upper("/srv/new")).iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [DriftKind::Exec, DriftKind::ExecNotInImage]);
}
