use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::testing::{verified, whole, write};
use super::*;
use crate::container::{ContainerId, Identity, ImageIdentity, Pod, Role, Source};
use crate::drift::{BaselineStatus, sample};

mod crash;
mod disk;
mod kills;
mod rate;
mod upgrade;

fn id(digit: char) -> ContainerId {
    ContainerId::parse(&digit.to_string().repeat(64)).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    sample::start() + SignedDuration::from_secs(seconds)
}

fn entry(identity: Identity) -> LedgerEntry {
    LedgerEntry {
        identity,
        cgroup: None,
        node: "node-1".to_owned(),
        seen: at(0),
        capture: Capture::FromStart,
        tier: None,
        baseline: None,
        provenance: None,
    }
}

/// As much as a runtime can tell.
fn full(id: ContainerId) -> Identity {
    Identity {
        source: Source::Runtime,
        role: Role::Container,
        name: Some("web".to_owned()),
        attempt: 2,
        pod: Some(Pod {
            uid: "uid-1".to_owned(),
            name: Some("web-0".to_owned()),
            namespace: Some("shop".to_owned()),
            labels: [("app".to_owned(), "web".to_owned())].into(),
            ip: Some("10.0.0.7".parse().unwrap()),
        }),
        image: Some(ImageIdentity {
            id: Some("sha256:0123".to_owned()),
            reference: Some("registry/web:1".to_owned()),
            name: "registry/web".to_owned(),
            tags: vec!["1".to_owned()],
            repo_digests: vec!["registry/web@sha256:4567".to_owned()],
            architecture: Some("x86_64".to_owned()),
        }),
        pid: Some(4711),
        log_path: Some("/var/log/pods/web".to_owned()),
        created: Some(at(1)),
        started: Some(at(2)),
        ..Identity::of_path(id, Some("containerd".to_owned()), None)
    }
}

async fn commit(store: &Store, entry: LedgerEntry) -> LedgerRow {
    let id = entry.identity.id.clone();
    store.commit(vec![Write::Container(Box::new(entry))]).await.unwrap();
    store.container(&id).await.unwrap().unwrap()
}

#[tokio::test]
async fn what_is_committed_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("new")).await.unwrap();
    let committed = store.commit(vec![write("/a"), write("/b")]).await.unwrap();
    assert_eq!(committed, Committed { events: 2, newest: 2 });
    assert_eq!(*store.newest().borrow(), 2);
    let events = verified(&store).await;
    assert!(events[1].line.contains(r#""drift.object":"/b""#), "{}", events[1].line);
    assert_eq!((events[1].kind.as_str(), events[1].time), ("file.read", sample::start()));
    assert_eq!(store.events_after(1, 10).await.unwrap(), events[1..]);
    assert_eq!(store.event(2).await.unwrap().as_ref(), events.last());
    assert_eq!(store.first_since(sample::start()).await.unwrap(), Some(1));
    assert_eq!(store.first_since(at(1)).await.unwrap(), None);

    drop(store);
    let store = Store::open(&dir.path().join("new")).await.unwrap();
    assert_eq!(*store.newest().borrow(), 2);
    store.commit(vec![write("/c")]).await.unwrap();
    assert_eq!(verified(&store).await.len(), 3);
}

#[tokio::test]
async fn only_its_owner_can_read_the_store() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = Store::open(&path).await.unwrap();
    store.commit(vec![write("/a")]).await.unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for entry in std::fs::read_dir(&path).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn what_a_better_source_says_is_added_and_nothing_known_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let path = Identity::of_path(id('a'), None, Some("uid-1".to_owned()));
    let mut first = entry(path.clone());
    first.cgroup = Some("/kubepods/a".to_owned());
    let row = commit(&store, first.clone()).await;
    assert_eq!((row.identity, row.workload), (path, None));

    let mut better = entry(full(id('a')));
    better.seen = at(5);
    better.baseline = Some((Some("sha256:b".to_owned()), BaselineStatus::Exact));
    let row = commit(&store, better).await;
    assert_eq!(row.identity, full(id('a')));
    assert_eq!(row.workload.as_deref(), Some("web"));
    assert_eq!(row.cgroup.as_deref(), Some("/kubepods/a"));
    assert_eq!(row.baseline_status.as_deref(), Some("exact"));
    // What only the path tells takes none of it back.
    assert_eq!(commit(&store, first).await, row);
    assert_eq!(row.first_seen, at(0));
}

#[tokio::test]
async fn an_end_stays_and_is_completed() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    commit(&store, entry(full(id('a')))).await;
    assert_eq!(store.unfinished().await.unwrap().len(), 1);
    let ended = |seconds, exit_code, reason: Option<&str>| Write::Ended {
        id: id('a'),
        at: at(seconds),
        exit_code,
        reason: reason.map(str::to_owned),
    };
    store
        .commit(vec![ended(60, None, None), ended(61, Some(137), Some("OOMKilled"))])
        .await
        .unwrap();
    store.commit(vec![ended(99, Some(0), Some("Completed"))]).await.unwrap();
    let row = commit(&store, entry(full(id('a')))).await;
    assert_eq!((row.identity.finished, row.identity.exit_code), (Some(at(60)), Some(137)));
    assert!(row.out_of_memory());
    assert_eq!(row.restarts, 0);
    assert!(store.unfinished().await.unwrap().is_empty());

    // Docker starts a container again under its id.
    let mut again = full(id('a'));
    again.started = Some(at(120));
    let row = commit(&store, entry(again)).await;
    assert_eq!((row.identity.finished, row.identity.exit_code, row.restarts), (None, None, 1));
}

#[tokio::test]
async fn whoever_saw_an_end_is_believed_rather_than_who_did_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    commit(&store, entry(full(id('a')))).await;
    let ended = |seconds, exit_code, reason: &str| Write::Ended {
        id: id('a'),
        at: at(seconds),
        exit_code,
        reason: Some(reason.to_owned()),
    };
    store.commit(vec![ended(60, None, UNOBSERVED)]).await.unwrap();
    assert!(store.unfinished().await.unwrap().is_empty());
    store.commit(vec![ended(30, Some(1), "Error")]).await.unwrap();
    store.commit(vec![ended(90, None, UNOBSERVED)]).await.unwrap();
    let row = store.container(&id('a')).await.unwrap().unwrap().identity;
    assert_eq!((row.finished, row.exit_code), (Some(at(30)), Some(1)));
    assert_eq!(row.reason.as_deref(), Some("Error"));
}

#[tokio::test]
async fn the_view_of_a_container_only_gets_worse() {
    use Capture::{FromStart, Gaps, Listed, Partial};
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let digits = "0123456789abcdef".chars();
    for (digit, (old, new, expected)) in digits.zip([
        (Listed, FromStart, FromStart),
        (FromStart, Listed, FromStart),
        (FromStart, Partial, Gaps),
        (Partial, FromStart, Partial),
        (Partial, Gaps, Gaps),
        (Gaps, FromStart, Gaps),
    ]) {
        for capture in [old, new] {
            let mut entry = entry(full(id(digit)));
            entry.capture = capture;
            commit(&store, entry).await;
        }
        let row = store.container(&id(digit)).await.unwrap().unwrap();
        assert_eq!(row.capture, expected, "{old:?}, then {new:?}");
    }
    let gap = |container| Write::Gap {
        container,
        from: at(0),
        to: at(9),
        why: "upgrade".to_owned(),
        event: None,
    };
    store.commit(vec![gap(Some(id('0'))), gap(None)]).await.unwrap();
    assert_eq!(store.container(&id('0')).await.unwrap().unwrap().capture, Gaps);
    for container in [Some(id('0')), None] {
        let gaps = store.gaps(container.as_ref()).await.unwrap();
        assert_eq!(gaps, [(at(0), at(9), "upgrade".to_owned())]);
    }
}

#[tokio::test]
async fn containers_are_found_by_what_a_responder_knows() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    commit(&store, entry(full(id('a')))).await;
    let mut other = entry(Identity::of_path(id('b'), None, None));
    other.seen = at(100);
    commit(&store, other).await;
    let (at, reason) = (at(200), Some("Error".to_owned()));
    let end = Write::Ended { id: id('b'), at, exit_code: Some(1), reason };
    store.commit(vec![end]).await.unwrap();

    let all = LedgerFilter::default();
    let some = |text: &str| Some(text.to_owned());
    for (filter, expected) in [
        (all.clone(), vec![id('b'), id('a')]),
        (LedgerFilter { limit: Some(1), ..all.clone() }, vec![id('b')]),
        (LedgerFilter { namespace: some("shop"), ..all.clone() }, vec![id('a')]),
        (LedgerFilter { workload: some("web"), pod: some("web-0"), ..all.clone() }, vec![id('a')]),
        (LedgerFilter { image_id: some("sha256:0123"), ..all.clone() }, vec![id('a')]),
        (LedgerFilter { running: Some(false), ..all.clone() }, vec![id('b')]),
        (LedgerFilter { from: Some(super::tests::at(201)), ..all.clone() }, vec![id('a')]),
        (LedgerFilter { until: Some(super::tests::at(99)), ..all.clone() }, vec![id('a')]),
        (LedgerFilter { namespace: some("other"), ..all }, vec![]),
    ] {
        let rows = store.containers(&filter).await.unwrap();
        let ids: Vec<_> = rows.into_iter().map(|row| row.identity.id).collect();
        assert_eq!(ids, expected, "{filter:?}");
    }
}

#[tokio::test]
async fn a_new_sink_begins_with_what_comes_and_an_old_one_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.commit(vec![write("/a"), write("/b")]).await.unwrap();
    assert_eq!(store.cursor("file").await.unwrap(), 2);
    store.commit(vec![write("/c"), write("/d")]).await.unwrap();
    assert_eq!(store.cursor("file").await.unwrap(), 2);
    store.advance("file", 3).await.unwrap();
    assert_eq!(store.last_heartbeat().await.unwrap(), None);
    store.commit(vec![Write::Heartbeat(at(3)), Write::Heartbeat(at(5))]).await.unwrap();
    drop(store);
    let store = Store::open(dir.path()).await.unwrap();
    assert_eq!(store.cursor("file").await.unwrap(), 3);
    assert_eq!(store.last_heartbeat().await.unwrap(), Some(at(5)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Numbers have no gaps and the chain holds, however batches of several writers fall together.
    #[test]
    fn any_interleaving_of_batches_is_one_chain(
        tasks in prop::collection::vec(prop::collection::vec(0_usize..5, 1..6), 1..5),
        reopen in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let store = Store::open(dir.path()).await.unwrap();
            let mut set = tokio::task::JoinSet::new();
            let total: usize = tasks.iter().flatten().sum();
            for (task, batches) in tasks.into_iter().enumerate() {
                let store = store.clone();
                set.spawn(async move {
                    for (batch, size) in batches.into_iter().enumerate() {
                        let writes = (0..size).map(|n| write(&format!("/{task}/{batch}/{n}"))).collect();
                        store.commit(writes).await.unwrap();
                    }
                });
            }
            while set.join_next().await.is_some() {}
            let store = if reopen {
                drop(store);
                Store::open(dir.path()).await.unwrap()
            } else {
                store
            };
            assert_eq!(verified(&store).await.len(), total);
        });
    }
}

#[tokio::test]
async fn losses_are_counted_by_kind_and_can_be_looked_at_while_the_history_is_in_use() {
    let dir = tempfile::tempdir().unwrap();
    assert!(losses(dir.path()).await.unwrap().is_none());
    let store = Store::open(dir.path()).await.unwrap();
    commit(&store, entry(full(id('a')))).await;
    commit(&store, entry(full(id('b')))).await;
    assert!(losses(dir.path()).await.unwrap().unwrap().of.is_empty());

    let lost = |kind, total| Write::Lost { id: id('a'), kind, total };
    store.commit(vec![lost("open", 3), lost("open", 7), lost("connect", 2)]).await.unwrap();
    let found = losses(dir.path()).await.unwrap().unwrap();
    assert_eq!((found.containers, found.of.len()), (2, 1));
    assert_eq!(found.of[0].identity.id, id('a'));
    assert_eq!(found.of[0].lost, [("connect".to_owned(), 2), ("open".to_owned(), 7)].into());
    assert_eq!(store.container(&id('b')).await.unwrap().unwrap().lost, [].into());
}
