use jiff::SignedDuration;
use proptest::prelude::*;
use sqlx::AssertSqlSafe;

use super::*;
use crate::drift::sample;
use crate::store::testing::{flood, whole, write};
use crate::store::{HeadNote, Limits, Retention, Store, Write};

fn machine() -> crate::drift::Node {
    crate::drift::Node { host_name: "node-1".to_owned(), name: None, cluster: None }
}

fn note(action: crate::drift::Action) -> Write {
    let id = ulid::Ulid::from_parts(1, 2);
    Write::Head(Box::new(HeadNote { id, action, machine: machine() }))
}

/// A log of 12 events and a head, without rows 3, 4 and 7, which retention took.
async fn log(directory: &Path) {
    let store = Store::open(directory).await.unwrap();
    for n in 1..=12_i64 {
        let Write::Event(mut event) = write(&format!("/{n}")) else { unreachable!() };
        if [3, 4, 7].contains(&n) {
            event.action = crate::drift::Action::Updated;
        }
        event.last = sample::start() + SignedDuration::from_secs(n);
        store.commit(vec![Write::Event(event)]).await.unwrap();
    }
    store.commit(vec![note(crate::drift::Action::Created)]).await.unwrap();
    let limits = Limits { size: 1, ..Limits::default() };
    Retention::new(store.clone(), limits, machine()).run(&[]).await.unwrap();
    store.commit(vec![write("/last"), note(crate::drift::Action::Closed)]).await.unwrap();
    store.close().await;
}

/// By somebody who means it: past the triggers.
async fn tamper(directory: &Path, statements: &[String]) {
    let file = directory.join(FILE);
    let mut connection = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    let triggers: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    let drop = triggers.iter().map(|name| format!("DROP TRIGGER {name}"));
    for statement in drop.chain(statements.iter().cloned()) {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

async fn broken(directory: &Path) -> Break {
    let verdict = verify_store(directory, &[]).await.unwrap();
    assert!(!verdict.whole);
    verdict.broken.unwrap()
}

fn copy(from: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(from.join(FILE), dir.path().join(FILE)).unwrap();
    dir
}

#[tokio::test]
async fn a_log_with_checkpoints_is_whole_and_says_what_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    log(dir.path()).await;
    let verdict = whole(dir.path()).await;
    // The head is a repeat of none: only the three went. 12 events, head, removal, event, head.
    assert_eq!(
        (verdict.first, verdict.last, verdict.removed),
        (Some(1), Some(16), 3),
        "{verdict:?}"
    );
    assert_eq!(verdict.events, 13);
}

#[tokio::test]
async fn every_row_that_is_removed_changed_swapped_or_put_in_is_named() {
    let dir = tempfile::tempdir().unwrap();
    log(dir.path()).await;
    let there: Vec<i64> = (1..=16).filter(|seq| ![3, 4, 7].contains(seq)).collect();
    for seq in &there {
        let copy = copy(dir.path());
        tamper(copy.path(), &[format!("DELETE FROM events WHERE seq = {seq}")]).await;
        let found = broken(copy.path()).await;
        assert_eq!((found.seq, found.what.as_str()), (*seq, "a row is missing"), "{found:?}");
        let after = (*seq > 1).then_some(()).is_some();
        assert_eq!(found.after.is_some(), after && there[0] < *seq, "{found:?}");
    }
    for pair in there.windows(2) {
        let copy = copy(dir.path());
        let (a, b) = (pair[0], pair[1]);
        let swap = [(a, -1), (b, a), (-1, b)];
        let swap =
            swap.map(|(from, to)| format!("UPDATE events SET seq = {to} WHERE seq = {from}"));
        tamper(copy.path(), &swap).await;
        let found = broken(copy.path()).await;
        assert_eq!((found.seq, found.what.as_str()), (a, "another event is in its place"));
    }
    for seq in [0, 3, 4, 7, 17, 30] {
        let copy = copy(dir.path());
        let columns =
            "line, id, action, kind, severity, fingerprint, container, namespace, time, last";
        let insert =
            format!("INSERT INTO events SELECT {seq}, {columns} FROM events WHERE seq = 5");
        tamper(copy.path(), &[insert]).await;
        let found = broken(copy.path()).await;
        assert!(found.seq == seq || seq == 30 && found.seq == 17, "{seq}: {found:?}");
    }
    for (statement, seq) in [
        ("DELETE FROM checkpoints WHERE first = 3", 3),
        ("UPDATE checkpoints SET last = 3 WHERE first = 3", 4),
        ("DELETE FROM head", 16),
        ("UPDATE head SET seq = 15", 16),
        ("UPDATE head SET hash = 'sha256:0'", 16),
    ] {
        let copy = copy(dir.path());
        tamper(copy.path(), &[statement.to_owned()]).await;
        assert_eq!(broken(copy.path()).await.seq, seq, "{statement}");
    }
}

#[tokio::test]
async fn the_end_of_a_log_is_proved_without_what_came_before() {
    let dir = tempfile::tempdir().unwrap();
    log(dir.path()).await;
    let there: Vec<i64> = (1..=16).filter(|seq| ![3, 4, 7].contains(seq)).collect();
    for from in [2, 5, 6, 8, 14, 16] {
        let verdict = verify_store_from(dir.path(), &[], from).await.unwrap();
        assert!(verdict.whole, "{from}: {verdict:?}");
        assert_eq!((verdict.first, verdict.last), (Some(from), Some(16)), "{from}");
        for seq in &there {
            let copy = copy(dir.path());
            let change = format!(
                "UPDATE events SET line = replace(line, 'node-1', 'node-2') WHERE seq = {seq}"
            );
            tamper(copy.path(), &[change]).await;
            let verdict = verify_store_from(copy.path(), &[], from).await.unwrap();
            let found = verdict.broken.map(|broken| broken.seq);
            assert_eq!(found, Some(*seq).filter(|seq| *seq >= from), "{from} {seq}");
        }
        for seq in there.iter().filter(|seq| **seq >= from) {
            let copy = copy(dir.path());
            tamper(copy.path(), &[format!("DELETE FROM events WHERE seq = {seq}")]).await;
            let verdict = verify_store_from(copy.path(), &[], from).await.unwrap();
            assert_eq!(verdict.broken.unwrap().seq, *seq, "{from}");
        }
    }
    // One that retention took: from the next on.
    let verdict = verify_store_from(dir.path(), &[], 3).await.unwrap();
    assert_eq!((verdict.whole, verdict.first), (true, Some(5)));
}

#[tokio::test]
async fn a_removal_that_the_log_does_not_tell_of_is_named() {
    let dir = tempfile::tempdir().unwrap();
    log(dir.path()).await;
    let lines: Vec<(i64, String)> = {
        let file = dir.path().join(FILE);
        let mut connection = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
        sqlx::query_as("SELECT seq, line FROM events").fetch_all(&mut connection).await.unwrap()
    };
    let hash_of = |seq: i64| {
        let line = lines.iter().find(|line| line.0 == seq).unwrap();
        crate::drift::chain::hash(line.1.as_bytes())
    };
    // A checkpoint that fits, by somebody who wants event 10 gone.
    let forged =
        format!("INSERT INTO checkpoints VALUES (14, 10, 10, '{}', '{}')", hash_of(9), hash_of(10));
    tamper(dir.path(), &["DELETE FROM events WHERE seq = 10".to_owned(), forged]).await;
    let found = broken(dir.path()).await;
    assert_eq!(found.what, "a checkpoint is not the one that the log tells of", "{found:?}");
}

#[tokio::test]
async fn a_log_that_was_written_anew_or_cut_off_does_not_hold_against_a_head_that_a_sink_has() {
    let dir = tempfile::tempdir().unwrap();
    log(dir.path()).await;
    let verdict = whole(dir.path()).await;
    let head = Head { seq: verdict.last.unwrap(), hash: verdict.hash.unwrap() };
    let found = verify_store(dir.path(), std::slice::from_ref(&head)).await.unwrap();
    assert!(found.whole && found.heads[0].holds == Some(true));
    let gone = Head { seq: 3, ..head.clone() };
    let found = verify_store(dir.path(), &[gone]).await.unwrap();
    assert!(found.whole && found.heads[0].holds.is_none(), "nobody can tell: {found:?}");

    let other = tempfile::tempdir().unwrap();
    log(other.path()).await;
    let store = Store::open(other.path()).await.unwrap();
    store.commit(vec![write("/more")]).await.unwrap();
    store.close().await;
    whole(other.path()).await;
    let found = verify_store(other.path(), std::slice::from_ref(&head)).await.unwrap();
    assert_eq!(found.broken.unwrap().seq, head.seq);
    let far = Head { seq: 99, ..head };
    let found = verify_store(dir.path(), &[far]).await.unwrap();
    assert!(found.broken.unwrap().what.contains("ends before"));
}

#[tokio::test]
async fn a_file_of_lines_is_proved_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.commit((0..9).map(|n| write(&format!("/{n}"))).collect()).await.unwrap();
    let events = store.events_after(0, 100).await.unwrap();
    let lines: Vec<String> = events.into_iter().map(|event| event.line + "\n").collect();
    let file = dir.path().join("events.jsonl");
    let verdict = |lines: &[String]| {
        std::fs::write(&file, lines.concat()).unwrap();
        verify_events(&file, &[]).unwrap()
    };
    assert!(verdict(&lines).whole && verdict(&lines[4..]).whole && verdict(&[]).whole);
    let anew = verdict(&[&lines[..], &lines[..3]].concat());
    assert_eq!((anew.whole, anew.beginnings), (true, 1));
    for n in 1..lines.len() - 1 {
        let mut changed = lines.clone();
        changed.remove(n);
        assert_eq!(verdict(&changed).broken.unwrap().line, Some(n as u64 + 1));
        let mut changed = lines.clone();
        changed.swap(n, n + 1);
        assert_eq!(verdict(&changed).broken.unwrap().line, Some(n as u64 + 1));
        let mut changed = lines.clone();
        changed[n] = changed[n].replace("\"drift.count\":1", "\"drift.count\":2");
        assert_ne!(changed, lines);
        assert_eq!(verdict(&changed).broken.unwrap().line, Some(n as u64 + 2));
    }
    let mut cut = lines.clone();
    cut[8].truncate(40);
    assert_eq!(verdict(&cut).broken.unwrap().what, "the last line is cut off");
    assert!(verify_events(&dir.path().join("none"), &[]).is_err());
}

const COLUMNS: [&str; 10] = [
    "line",
    "id",
    "action",
    "kind",
    "severity",
    "fingerprint",
    "container",
    "namespace",
    "time",
    "last",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn any_byte_of_any_row_that_is_changed_is_named(
        row in 0..13_usize,
        column in 0..COLUMNS.len(),
        place in any::<prop::sample::Index>(),
        bits in 1..=255_u8,
    ) {
        static LOG: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let log = LOG.get_or_init(|| {
            let dir = tempfile::tempdir().unwrap();
            runtime.block_on(log(dir.path()));
            std::fs::read(dir.path().join(FILE)).unwrap()
        });
        runtime.block_on(async {
            let copy = tempfile::tempdir().unwrap();
            std::fs::write(copy.path().join(FILE), log).unwrap();
            let seq = (1..=16).filter(|seq| ![3, 4, 7].contains(seq)).nth(row).unwrap();
            let column = COLUMNS[column];
            let is_number = matches!(column, "time" | "last");
            let value = if is_number {
                let by = i64::from(bits) << (8 * place.index(7));
                format!("{column} + {by}")
            } else {
                let file = copy.path().join(FILE);
                let mut connection = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
                let query = format!("SELECT CAST({column} AS BLOB) FROM events WHERE seq = {seq}");
                let text: Option<Vec<u8>> =
                    sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                let mut text = text.unwrap_or_default();
                if text.is_empty() {
                    text.push(b'x');
                } else {
                    let at = place.index(text.len());
                    text[at] ^= bits;
                }
                let mut hex = String::new();
                for byte in &text {
                    std::fmt::Write::write_fmt(&mut hex, format_args!("{byte:02x}")).unwrap();
                }
                format!("CAST(x'{hex}' AS TEXT)")
            };
            tamper(copy.path(), &[format!("UPDATE events SET {column} = {value} WHERE seq = {seq}")]).await;
            let found = broken(copy.path()).await;
            assert_eq!(found.seq, seq, "{column} {value}: {found:?}");
        });
    }
}

#[tokio::test]
async fn evidence_that_was_changed_taken_away_or_put_in_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    // 8 of each are told on their own.
    store.commit(flood("/one", 28)).await.unwrap();
    store.commit(flood("/two", 38)).await.unwrap();
    store.close().await;
    assert_eq!(whole(dir.path()).await.evidence, 50);
    let put =
        "INSERT INTO evidence SELECT number + 1, seq, id, of, line FROM evidence WHERE number = 50";
    for (statement, found) in [
        (
            "UPDATE evidence SET line = replace(line, '/one/9', '/one/x') WHERE number = 2",
            "evidence 2 or 3",
        ),
        (
            "UPDATE evidence SET line = replace(line, '/one/27', '/one/x') WHERE number = 20",
            "evidence 20",
        ),
        ("UPDATE evidence SET line = 'x' WHERE number = 7", "evidence 7 cannot be read"),
        ("UPDATE evidence SET of = 'another' WHERE number = 5", "evidence 5 is told as another's"),
        ("DELETE FROM evidence WHERE number = 5", "evidence before line 6"),
        ("DELETE FROM evidence WHERE number < 25", "evidence before line 25"),
        ("DELETE FROM evidence WHERE number <= 20", "evidence before line 21"),
        ("DELETE FROM evidence WHERE number = 50", "evidence ends before line 50"),
        ("DELETE FROM evidence", "evidence ends before line 50"),
        (put, "evidence 50 or 51"),
    ] {
        let copy = copy(dir.path());
        tamper(copy.path(), &[statement.to_owned()]).await;
        let broken = broken(copy.path()).await;
        assert!(broken.what.contains(found), "{statement}: {broken:?}");
    }
    // Not even by mistake.
    let store = Store::open(dir.path()).await.unwrap();
    let mut file = store.inner.writers.lock().await;
    for (statement, why) in [
        ("DELETE FROM evidence", "removed by retention alone"),
        ("UPDATE evidence SET line = ''", "never changed"),
        ("INSERT INTO evidence VALUES (50, 1, '', '', '')", "only ever appended"),
    ] {
        let error = sqlx::query(statement).execute(&mut file.durable).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}
