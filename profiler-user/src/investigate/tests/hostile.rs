//! What is given to a question, or lies where the history should, is not to be trusted.

use super::super::*;
use super::history::laboratory;
use crate::store;

/// Each would end a statement, a text, a pattern, or mean something to SQLite.
const INJECTIONS: &[&str] = &[
    "",
    "'",
    "\"",
    "' OR '1'='1",
    "x'; DROP TABLE events; --",
    "%",
    "_",
    "*",
    "\\",
    "$1",
    "?1",
    "\u{0}",
    "exec' UNION SELECT * FROM containers --",
    "\u{10ffff}",
    "\\'; DELETE FROM containers; --",
    "$$; DROP TABLE events; $$",
    "E'\\x27'",
    "x\u{0}y",
    "\u{202e}\u{1b}[2J",
];

/// More than any name has.
const LONG: usize = 4096;

#[tokio::test]
async fn no_selector_is_part_of_a_statement() {
    let (dir, _ids) = laboratory().await;
    let mut history = History::open(dir.path()).await.unwrap();
    injected(&mut history).await;
    history.close().await;
    let events = crate::store::verify_store(dir.path(), &[]).await.unwrap();
    assert!(events.whole, "{events:?}");
}

/// Of any database.
pub(crate) async fn injected(history: &mut History) {
    let long = ["'", "%", "a"].map(|part| part.repeat(LONG));
    for text in INJECTIONS.iter().copied().chain(long.iter().map(String::as_str)) {
        let value = || Some(text.to_owned());
        let none = Selector::default;
        for selector in [
            Selector { namespace: value(), ..none() },
            Selector { pod: value(), ..none() },
            Selector { workload: value(), ..none() },
            Selector { container: value(), ..none() },
            Selector { image: value(), ..none() },
            Selector { digest: value(), ..none() },
            Selector { node: value(), ..none() },
            Selector { kind: value(), ..none() },
            Selector { technique: value(), ..none() },
            Selector { fingerprint: value(), ..none() },
        ] {
            let found = timeline(history, &selector, 10).await.unwrap();
            // A gap of the whole node is everybody's.
            let found = found.entries.iter().filter(|entry| !matches!(entry, Entry::Gap(_)));
            assert_eq!(found.count(), 0, "{selector:?}");
            assert!(scope(history, &selector).await.unwrap().containers.is_empty());
            let window = jiff::SignedDuration::from_mins(1);
            // Hops are of one kind by nature.
            let hops = lateral(history, &selector, window).await.unwrap().hops;
            assert!(hops.is_empty() || selector.kind.is_some(), "{selector:?}");
        }
        let window = jiff::SignedDuration::from_mins(1);
        assert!(history.event(text).await.is_err(), "{text:?}");
        assert!(history.container_id(text).await.is_err(), "{text:?}");
        assert!(history.fingerprint(text).await.is_err(), "{text:?}");
        assert!(members(history, text, 10).await.is_err(), "{text:?}");
        assert!(scope_of(history, text).await.is_err(), "{text:?}");
        assert!(seen(history, text).await.is_err(), "{text:?}");
        assert!(before(history, text, window, 10).await.is_err(), "{text:?}");
        assert!(container(history, text, 10).await.is_err(), "{text:?}");
    }
}

#[tokio::test]
async fn what_fits_more_than_one_is_not_guessed() {
    let (dir, _ids) = laboratory().await;
    let mut history = History::open(dir.path()).await.unwrap();
    let error = container(&mut history, "0", 10).await.unwrap_err();
    assert!(matches!(error, HistoryError::Ambiguous { .. }), "{error}");
}

#[tokio::test]
async fn what_is_no_history_of_this_version_is_refused_with_the_reason() {
    let empty = tempfile::tempdir().unwrap();
    let error = History::open(empty.path()).await.unwrap_err().to_string();
    assert!(error.contains("No such file"), "{error}");

    let (dir, _ids) = laboratory().await;
    let file = dir.path().join(store::FILE);
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, "not a database at all, but long enough to look like one".repeat(20))
        .unwrap();
    let error = History::open(dir.path()).await.unwrap_err();
    assert!(error.to_string().contains("not a database"), "{error}");

    for half in [whole.len() / 2, 100, 0] {
        std::fs::write(&file, &whole[..half]).unwrap();
        let answer = match History::open(dir.path()).await {
            Ok(mut history) => timeline(&mut history, &Selector::default(), 100)
                .await
                .map(|found| found.entries.len()),
            Err(error) => Err(error),
        };
        assert!(answer.is_err(), "{half}: {answer:?}");
    }

    for (version, word) in [("99", "newer"), ("2", "older")] {
        std::fs::write(&file, &whole).unwrap();
        let mut connection = {
            use sqlx::ConnectOptions as _;
            sqlx::sqlite::SqliteConnectOptions::new().filename(&file).connect().await.unwrap()
        };
        let change = format!(
            "UPDATE _sqlx_migrations SET version = {version} WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)"
        );
        let change = if word == "older" {
            "DELETE FROM _sqlx_migrations WHERE version > 2".to_owned()
        } else {
            change
        };
        sqlx::query(sqlx::AssertSqlSafe(change)).execute(&mut connection).await.unwrap();
        sqlx::Connection::close(connection).await.unwrap();
        let error = History::open(dir.path()).await.unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
