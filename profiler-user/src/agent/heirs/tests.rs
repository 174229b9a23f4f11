use std::collections::BTreeSet;

use super::*;
use crate::{
    baseline::{Ancestor, Baseline, Judge, Run},
    container::{ContainerId, ImageIdentity},
    drift::sample,
};

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// A container of the second version.
fn container(number: u8) -> Identity {
    let id = ContainerId::parse(&format!("{number:02x}").repeat(32)).unwrap();
    let mut identity = Identity::of_path(id, None, None);
    identity.name = Some("web".to_owned());
    identity.image = Some(ImageIdentity {
        id: Some("sha256:222222222222".to_owned()),
        name: "registry/shop/web".to_owned(),
        ..ImageIdentity::default()
    });
    identity
}

/// The first version's, which does all of `calls`.
fn recorded(calls: &[&str]) -> Inheritance {
    let mut first = Baseline::new(Image::here("registry/shop/web"));
    let run = RunId::new("01K0000000000000000000000A");
    first.begin_run(run.clone(), Run::new(now(), "staging", "full"), "k");
    for call in calls {
        first.learn(&run, &sample::syscall(call));
    }
    let judge = Arc::new(Judge::new(&first, "k"));
    Inheritance { ancestor: Arc::new(Ancestor::new(&first)), judge }
}

fn heirs(directory: &Path) -> Heirs {
    let (host, tier) = ("production".to_owned(), "full".to_owned());
    Heirs::new(directory, Observed { host, tier, blind: BTreeSet::new() })
}

/// The only file.
fn kept(directory: &Path) -> Baseline {
    let listed = baseline::list(directory).unwrap();
    assert_eq!(listed.len(), 1, "{listed:?}");
    baseline::load_file(&listed[0].path).unwrap()
}

fn calls(baseline: &Baseline) -> Vec<&str> {
    baseline.syscalls.keys().map(String::as_str).collect()
}

fn life(heirs: &mut Heirs, number: u8, of: &Inheritance, does: &[&str]) {
    let heir = heirs.begin(&container(number), of, false, now()).unwrap();
    for call in does {
        heirs.take(&heir, &sample::syscall(call));
    }
    heirs.end(&heir, &[], Some(now()));
}

#[test]
fn what_is_kept_is_what_of_the_ancestors_was_seen_over_all_containers_and_agents() {
    let directory = tempfile::tempdir().unwrap();
    let ancestor = recorded(&["read", "write", "brk"]);
    let mut first = heirs(directory.path());
    life(&mut first, 1, &ancestor, &["read", "ptrace"]);
    life(&mut first, 2, &ancestor, &["read", "write"]);
    first.close();
    let held = kept(directory.path());
    assert_eq!(calls(&held), ["read", "write"]);
    assert_eq!((held.syscalls["read"].runs(), held.syscalls["write"].runs()), (2, 1));
    assert_eq!(held.image.id.as_deref(), Some("sha256:222222222222"));
    assert!(held.runs.values().all(|run| run.host == "production" && run.ended.is_some()));
    assert_eq!(held.ancestors.len(), 1);

    let mut second = heirs(directory.path());
    life(&mut second, 3, &ancestor, &["brk"]);
    second.close();
    let held = kept(directory.path());
    assert_eq!((calls(&held), held.runs.len()), (vec!["brk", "read", "write"], 3));
    // The ancestor was recorded again, and somebody took a call out of it.
    let mut third = heirs(directory.path());
    life(&mut third, 4, &recorded(&["read", "brk", "openat"]), &["openat"]);
    third.close();
    let held = kept(directory.path());
    assert_eq!(calls(&held), ["brk", "openat", "read"]);
    assert_eq!(held.ancestors.len(), 2);
}

#[test]
fn a_change_of_ancestors_is_a_run_that_was_not_seen_whole_and_idle_books_are_put_away() {
    let directory = tempfile::tempdir().unwrap();
    let mut heirs = heirs(directory.path());
    let heir = heirs.begin(&container(1), &recorded(&["read"]), false, now()).unwrap();
    heirs.end(&heir, &[], None);
    let heir = heirs.begin(&container(1), &recorded(&["write"]), true, now()).unwrap();
    heirs.save_due();
    assert_eq!(heirs.shelf.baselines().len(), 1);
    heirs.end(&heir, &[0, 7], Some(now()));
    heirs.close();
    heirs.save_due();
    assert_eq!(heirs.shelf.baselines().len(), 0);
    let held = kept(directory.path());
    assert!(held.runs.values().all(|run| run.partial && run.lost.values().sum::<u64>() == 7));
}

#[test]
fn a_file_that_breaks_is_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let ancestor = recorded(&["read"]);
    let path = baseline::path_of(directory.path(), &Image::of_container(&container(1)).unwrap());
    fs::write(&path, "{").unwrap();
    let mut heirs = heirs(directory.path());
    assert!(heirs.begin(&container(1), &ancestor, false, now()).is_none());
    heirs.close();
    assert_eq!(fs::read_to_string(&path).unwrap(), "{");
}

#[test]
fn of_very_many_files_those_written_least_lately_go() {
    let directory = tempfile::tempdir().unwrap();
    for number in 0..KEPT + 3 {
        let path = directory.path().join(format!("image-{number}.json"));
        fs::write(&path, "{}").unwrap();
        let written = SystemTime::UNIX_EPOCH + Duration::from_secs(number as u64);
        fs::File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
    }
    let mut heirs = heirs(directory.path());
    life(&mut heirs, 1, &recorded(&["read"]), &["read"]);
    heirs.close();
    let left = baseline::list(directory.path()).unwrap();
    assert_eq!(left.len(), KEPT);
    assert!(!directory.path().join("image-3.json").exists());
    assert!(directory.path().join("image-4.json").exists());
}
