use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::container::ContainerId;
use crate::drift::kind::DriftKind;
use crate::drift::{Action, Severity, sample};
use crate::store::testing::{flood, whole, write};
use crate::store::{StoredEvent, Write};

const DAY: i64 = 24 * 3600 * 1_000_000_000;

fn machine() -> Machine {
    Machine { host_name: "node-1".to_owned(), name: None, cluster: None }
}

fn limits(size: u64, days: u64) -> Limits {
    Limits { size, age: Duration::from_hours(days * 24) }
}

/// An event of one container about one object.
fn of(object: &str, action: Action, count: u64, severity: Severity) -> Write {
    let mut event = sample::event(DriftKind::FileRead, &sample::read(object));
    let mut origin = (*event.origin).clone();
    origin.container_id = Some(ContainerId::parse(&"a".repeat(64)).unwrap().as_str().to_owned());
    event.origin = std::sync::Arc::new(origin);
    event.fingerprint = object.to_owned();
    event.id =
        ulid::Ulid::from_parts(0, object.bytes().fold(0, |id, byte| id << 8 | u128::from(byte)));
    (event.action, event.count, event.severity) = (action, count, severity);
    Write::Event(Box::new(event))
}

async fn objects(store: &Store) -> Vec<(String, Action)> {
    let events = store.events_after(0, u32::MAX).await.unwrap();
    let drift = events.iter().filter(|event| event.is_drift());
    let object = |event: &StoredEvent| {
        let value: serde_json::Value = serde_json::from_str(&event.line).unwrap();
        (value["drift.object"].as_str().unwrap().to_owned(), event.action)
    };
    drift.map(object).collect()
}

/// Its own clock for each test, by the thread that runs it.
macro_rules! clock {
    ($clocks:ident, $wall:ident, $steady:ident) => {
        static $wall: AtomicI64 = AtomicI64::new(20_000 * DAY);
        static $steady: AtomicI64 = AtomicI64::new(0);
        fn $clocks() -> Clocks {
            Clocks { wall: $wall.load(Ordering::Relaxed), steady: $steady.load(Ordering::Relaxed) }
        }
    };
}

#[tokio::test]
async fn what_is_too_old_goes_and_the_log_stays_whole() {
    clock!(clocks, WALL, STEADY);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let retention = Retention::new(store.clone(), limits(1 << 30, 30), machine());
    let mut retention = retention.with_clocks(clocks);
    for day in 0..50 {
        store.commit(vec![write(&format!("/{day}"))]).await.unwrap();
        retention.run(&[]).await.unwrap();
        WALL.fetch_add(DAY, Ordering::Relaxed);
        STEADY.fetch_add(DAY, Ordering::Relaxed);
    }
    let kept = objects(&store).await;
    assert!((29..=32).contains(&kept.len()), "{kept:?}");
    assert_eq!(kept.last().unwrap().0, "/49");
    let verdict = whole(dir.path()).await;
    assert!(verdict.removed >= 18, "{verdict:?}");
    // The same after a restart.
    drop(retention);
    store.close().await;
    let store = Store::open(dir.path()).await.unwrap();
    store.commit(vec![write("/new")]).await.unwrap();
    assert_eq!(whole(dir.path()).await.removed, verdict.removed);
}

/// What a group tells of is as old as the events beside it, and goes with them: never before, for want of room either.
#[tokio::test]
async fn evidence_stays_until_it_is_too_old() {
    clock!(clocks, WALL, STEADY);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let retention = Retention::new(store.clone(), limits(1, 30), machine());
    let mut retention = retention.with_clocks(clocks);
    for day in 0..40 {
        store.commit(flood(&format!("/{day}"), 108)).await.unwrap();
        retention.run(&[]).await.unwrap();
        let kept = whole(dir.path()).await.evidence;
        assert!(kept >= 100 * (day + 1).min(29), "{kept} on day {day}");
        assert!(kept <= 100 * 32, "{kept} on day {day}");
        WALL.fetch_add(DAY, Ordering::Relaxed);
        STEADY.fetch_add(DAY, Ordering::Relaxed);
    }
    drop(retention);
    store.close().await;
    let store = Store::open(dir.path()).await.unwrap();
    store.commit(flood("/new", 108)).await.unwrap();
    whole(dir.path()).await;
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_for_an_hour_removes_nothing_and_later_nothing_stays_for_ever() {
    clock!(clocks, WALL, STEADY);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let retention = Retention::new(store.clone(), limits(1 << 30, 30), machine());
    let mut retention = retention.with_clocks(clocks);
    let pass = async |retention: &mut Retention, wall: i64, steady: i64| {
        WALL.fetch_add(wall, Ordering::Relaxed);
        STEADY.fetch_add(steady, Ordering::Relaxed);
        retention.run(&[]).await.unwrap()
    };
    store.commit(vec![write("/before")]).await.unwrap();
    pass(&mut retention, 0, 0).await;
    for _ in 0..6 {
        pass(&mut retention, 0, DAY / 144).await;
    }
    // Ten years ahead, for an hour; what happens then has such times, and is no older for it.
    pass(&mut retention, 3650 * DAY, 0).await;
    store.commit(vec![write("/meanwhile")]).await.unwrap();
    pass(&mut retention, DAY / 24, DAY / 24).await;
    pass(&mut retention, -3650 * DAY, 0).await;
    assert_eq!(objects(&store).await.len(), 2);
    for _ in 0..31 {
        pass(&mut retention, DAY, DAY).await;
    }
    assert_eq!(objects(&store).await, []);
    whole(dir.path()).await;
}

#[tokio::test]
async fn of_one_drift_there_are_never_more_than_a_thousand_repeats_and_the_count_is_exact() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let mut retention = Retention::new(store.clone(), Limits::default(), machine());
    store.commit(vec![of("/a", Action::Created, 1, Severity::Low)]).await.unwrap();
    store.commit(vec![of("/b", Action::Created, 1, Severity::Low)]).await.unwrap();
    let mut count = 1;
    for _ in 0..25 {
        let more = (0..50).map(|n| of("/a", Action::Updated, count + n + 1, Severity::Low));
        store.commit(more.collect()).await.unwrap();
        count += 50;
        retention.run(&[]).await.unwrap();
        let repeats = objects(&store).await.iter().filter(|(_, a)| *a == Action::Updated).count();
        assert!(repeats <= 1000, "{repeats}");
    }
    let kept = objects(&store).await;
    assert_eq!(kept[..2], [("/a".to_owned(), Action::Created), ("/b".to_owned(), Action::Created)]);
    assert!(retention.done.by_repeats >= 250);
    // A later series of the same drift adds to it.
    let Write::Event(mut event) = of("/a", Action::Created, 1, Severity::Low) else { panic!() };
    event.id = ulid::Ulid::from_parts(1, 1);
    let mut again = event.clone();
    (again.action, again.count) = (Action::Closed, 5);
    store.commit(vec![Write::Event(event), Write::Event(again)]).await.unwrap();
    let query =
        AssertSqlSafe("SELECT count, repeats FROM drifts WHERE fingerprint = '/a'".to_owned());
    let rows: Vec<(i64, i64)> = store.rows(query).await.unwrap();
    let repeats = objects(&store).await.iter().filter(|(_, a)| *a != Action::Created).count();
    assert_eq!(rows, [(i64::try_from(count).unwrap() + 5, i64::try_from(repeats).unwrap())]);
    whole(dir.path()).await;
}

#[tokio::test]
async fn a_store_that_is_too_large_gives_up_repeats_then_the_least_severe_and_never_a_first_occurrence()
 {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let empty = store.used().await.unwrap();
    for (n, severity) in [Severity::Low, Severity::High].into_iter().cycle().take(40).enumerate() {
        let object = format!("/{n}");
        let of = |action, count| of(&object, action, count, severity);
        let mut writes = vec![of(Action::Created, 1)];
        writes.extend((2..7).map(|count| of(Action::Updated, count)));
        writes.push(of(Action::Created, 1));
        store.commit(writes).await.unwrap();
    }
    let full = store.used().await.unwrap();
    let count =
        |kept: &[(String, Action)], action| kept.iter().filter(|(_, a)| *a == action).count();
    // Without the repeats there is room enough.
    let size = empty + (full - empty) * 7 / 10;
    let mut retention = Retention::new(store.clone(), limits(size, 30), machine());
    let done = retention.run(&[]).await.unwrap();
    assert!(done.by_size > 0 && !done.is_over && done.bytes <= size, "{done:?} {size}");
    let kept = objects(&store).await;
    assert_eq!((count(&kept, Action::Created), count(&kept, Action::Updated)), (80, 0), "{done:?}");
    whole(dir.path()).await;
    // No room at all: what a container had done before goes as well, the firsts stay.
    let mut retention = Retention::new(store.clone(), limits(empty, 30), machine());
    let done = retention.run(&[]).await.unwrap();
    assert!(done.is_over && done.undelivered == 0, "{done:?}");
    assert_eq!(objects(&store).await.len(), 40);
    whole(dir.path()).await;
}

#[tokio::test]
async fn what_a_sink_has_not_taken_goes_only_when_the_store_is_too_large_and_is_told() {
    clock!(clocks, WALL, STEADY);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.cursor("slow").await.unwrap();
    store.cursor("gone").await.unwrap();
    let writes = (0..600).map(|n| write(&format!("/{n}"))).collect();
    store.commit(writes).await.unwrap();
    store.advance("slow", 100).await.unwrap();
    let sinks = ["slow".to_owned()];
    let mut retention =
        Retention::new(store.clone(), limits(1 << 30, 30), machine()).with_clocks(clocks);
    retention.run(&sinks).await.unwrap();
    for _ in 0..31 {
        WALL.fetch_add(DAY, Ordering::Relaxed);
        STEADY.fetch_add(DAY, Ordering::Relaxed);
        retention.run(&sinks).await.unwrap();
    }
    let done = retention.done;
    assert_eq!((done.by_age, done.undelivered), (100, 0));
    assert_eq!(objects(&store).await[0].0, "/100");
    // Too large: the oldest go, although `slow` has them not.
    let size = store.used().await.unwrap() / 2;
    retention.limits.size = size;
    let done = retention.run(&sinks).await.unwrap();
    assert!(done.undelivered > 0 && done.bytes <= size, "{done:?}");
    let gaps = store.gaps(None).await.unwrap();
    assert!(gaps[0].2.contains("were removed that a sink had not taken"), "{gaps:?}");
    let verdict = whole(dir.path()).await;
    assert_eq!(verdict.removed.unsigned_abs(), done.by_age + done.by_size);
}

#[tokio::test]
async fn the_file_shrinks_when_rows_go() {
    clock!(clocks, WALL, STEADY);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    for batch in 0..20 {
        let writes = (0..500).map(|n| write(&format!("/{batch}/{n}"))).collect();
        store.commit(writes).await.unwrap();
    }
    let mut retention =
        Retention::new(store.clone(), limits(1 << 30, 1), machine()).with_clocks(clocks);
    retention.run(&[]).await.unwrap();
    let full = store.used().await.unwrap();
    WALL.fetch_add(2 * DAY, Ordering::Relaxed);
    STEADY.fetch_add(2 * DAY, Ordering::Relaxed);
    retention.run(&[]).await.unwrap();
    whole(dir.path()).await;
    store.close().await;
    drop(retention);
    let store = Store::open(dir.path()).await.unwrap();
    store.close().await;
    let left = std::fs::metadata(dir.path().join(super::super::FILE)).unwrap().len();
    eprintln!("{full} bytes were in use, {left} are left");
    assert!(left < full / 2, "{full} {left}");
}

#[tokio::test]
async fn what_is_known_of_a_fingerprint_goes_with_its_drifts() {
    clock!(clocks, WALL, STEADY);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let all = |names: &[&str]| names.iter().map(|name| write(name)).collect::<Vec<_>>();
    store.commit(all(&["/a", "/b", "/b"])).await.unwrap();
    let mut retention =
        Retention::new(store.clone(), limits(1 << 30, 1), machine()).with_clocks(clocks);
    retention.run(&[]).await.unwrap();
    WALL.fetch_add(2 * DAY, Ordering::Relaxed);
    STEADY.fetch_add(2 * DAY, Ordering::Relaxed);
    store.commit(all(&["/b", "/c"])).await.unwrap();
    retention.run(&[]).await.unwrap();
    let known = async |query: &str| -> Vec<(String, i64, i64, i64, i64)> {
        store.rows(sqlx::AssertSqlSafe(query.to_owned())).await.unwrap()
    };
    let kept = known("SELECT * FROM fingerprints ORDER BY fingerprint").await;
    let counted = known(
        "SELECT fingerprint, MIN(first), MAX(last), SUM(count), COUNT(*) FROM drifts GROUP BY 1 ORDER BY 1",
    );
    assert_eq!(kept, counted.await);
    assert_eq!(kept.len(), 2, "{kept:?}");
}

#[tokio::test]
async fn rows_cannot_be_changed_or_removed_by_mistake() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.commit(vec![write("/a"), write("/b")]).await.unwrap();
    let mut writers = store.inner.writers.lock().await;
    for (statement, why) in [
        ("UPDATE events SET severity = 'info'", "events are never changed"),
        ("DELETE FROM events WHERE seq = 1", "events are removed by retention alone"),
        (
            "INSERT OR REPLACE INTO events (seq, line, id, action, kind, severity, fingerprint, time, last) \
             SELECT 1, line, id, action, kind, severity, fingerprint, time, last FROM events WHERE seq = 2",
            "only ever appended",
        ),
    ] {
        let error = sqlx::query(statement).execute(&mut writers.durable).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}
