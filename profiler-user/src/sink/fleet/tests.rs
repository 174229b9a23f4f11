//! Against a real PostgreSQL.

mod counts;
mod limits;
mod server;

use serde_json::{Value, json};

use self::server::Server;
use super::*;
use crate::investigate::{self, History, Selector};
use crate::store::testing::{flood, verified, write};

async fn count(server: &Server, table: &str) -> i64 {
    server.number(&format!("SELECT COUNT(*) FROM {table}")).await
}

/// Every question about a history of which everything is known, as JSON.
async fn answers(history: &mut History, ids: &[String]) -> Vec<Value> {
    let mut answers = Vec::new();
    let some = |text: &str| Some(text.to_owned());
    let none = Selector::default;
    let window = jiff::SignedDuration::from_mins(10);
    for selector in [
        none(),
        Selector { technique: some("T1059"), ..none() },
        Selector { technique: some("T105"), ..none() },
        Selector { kind: some("exec"), ..none() },
        Selector { node: some("node-2"), ..none() },
        Selector { from: Some(crate::drift::sample::later(241)), ..none() },
        Selector { digest: some("sha256:manifest-web2"), ..none() },
        Selector { image: some("registry/web"), ..none() },
        Selector { severity: Some(crate::drift::Severity::High), ..none() },
        Selector { namespace: some("shop"), pod: some("db-0"), ..none() },
    ] {
        answers.push(json!(investigate::timeline(history, &selector, 100).await.unwrap()));
        answers.push(json!(investigate::scope(history, &selector).await.unwrap()));
        answers.push(json!(investigate::lateral(history, &selector, window).await.unwrap()));
    }
    for id in ids {
        answers.push(json!(investigate::seen(history, id).await.unwrap()));
        answers.push(json!(investigate::scope_of(history, id).await.unwrap()));
        answers.push(json!(investigate::before(history, id, window, 100).await.unwrap()));
        answers.push(json!(investigate::members(history, id, 100).await.unwrap()));
    }
    for container in ["01", "02", "03"] {
        answers.push(json!(investigate::container(history, container, 100).await.unwrap()));
    }
    let report = investigate::report(history, &Selector::default(), window, 100).await.unwrap();
    answers.push(json!(report));
    answers
}

#[tokio::test]
async fn both_databases_give_the_same_answers() {
    let server = Server::start();
    let (dir, ids) = investigate::laboratory().await;
    let store = Store::open(dir.path()).await.unwrap();
    let mut fleet = Fleet::new(server.address(), "node-1", store.clone(), Limits::default());
    fleet.ship().await.unwrap();
    fleet.ship().await.unwrap();
    let mut at_home = History::open(dir.path()).await.unwrap();
    let mut there = History::open_fleet(&server.address()).await.unwrap();
    let (at_home, there) = (answers(&mut at_home, &ids).await, answers(&mut there, &ids).await);
    for (at_home, there) in at_home.iter().zip(&there) {
        assert_eq!(at_home, there);
    }
}

#[tokio::test]
async fn what_two_nodes_tell_is_there_once_although_the_database_was_killed() {
    let mut server = Server::start();
    let mut nodes = Vec::new();
    for name in ["node-a", "node-b"] {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        nodes.push((
            Fleet::new(server.address(), name, store.clone(), Limits::default()),
            store,
            dir,
        ));
    }
    for round in 0..4 {
        if round == 1 {
            server.kill();
        }
        for (fleet, store, _) in &mut nodes {
            for number in 0..50 {
                store.commit(vec![write(&format!("/{round}/{number}"))]).await.unwrap();
            }
            store.commit(flood(&format!("/{round}/flood"), 300)).await.unwrap();
            let shipped = fleet.ship().await;
            assert_eq!(shipped.is_ok(), round == 0 || round == 3, "{round}: {shipped:?}");
        }
        if round == 2 {
            server.restart();
        }
    }
    let mut all = 0;
    for (fleet, store, dir) in &mut nodes {
        let events = verified(store).await;
        all += i64::try_from(events.len()).unwrap();
        let query = "SELECT line FROM events WHERE agent = $1 ORDER BY seq";
        let connection = &mut fleet.link.as_mut().unwrap().connection;
        let query = sqlx::query_scalar(query).bind(&fleet.node);
        let lines: Vec<String> = query.fetch_all(connection).await.unwrap();
        assert!(lines.iter().eq(events.iter().map(|event| &event.line)));
        // An agent that is started again goes on where it was.
        let mut again = Fleet::new(server.address(), &fleet.node, store.clone(), Limits::default());
        again.ship().await.unwrap();
        let evidence = store.evidence_after(0, u32::MAX).await.unwrap();
        assert!(!evidence.is_empty(), "{}", dir.path().display());
    }
    assert_eq!(count(&server, "events").await, all);
}

#[tokio::test]
async fn what_it_refuses_is_said_without_the_password() {
    let server = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.commit(vec![write("/one")]).await.unwrap();
    let wrong: Address = server.url().replace("right-secret", "wrong-secret").parse().unwrap();
    let mut fleet = Fleet::new(wrong.clone(), "node-a", store.clone(), Limits::default());
    let error = fleet.ship().await.unwrap_err().to_string();
    assert!(error.contains("password authentication failed"), "{error}");
    let unread = History::open_fleet(&wrong).await.unwrap_err().to_string();
    for text in [error, unread, format!("{wrong} {wrong:?} {fleet:?}")] {
        assert!(!text.contains("secret"), "{text}");
    }
    // Not prepared by any agent yet.
    let error = History::open_fleet(&server.address()).await.unwrap_err().to_string();
    assert!(error.contains("start an agent"), "{error}");

    // Prepared by an older version: what it is, what it should be, and what to do.
    let error =
        crate::store::fleet::readable_version(&server.address(), 0).unwrap_err().to_string();
    assert!(error.contains("its schema is 0, not "), "{error}");
    assert!(error.contains("start an agent of this version"), "{error}");

    let mut fleet = Fleet::new(server.address(), "node-a", store.clone(), Limits::default());
    fleet.ship().await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations SELECT 99, 'later', now(), true, '', 0";
    let connection = &mut fleet.link.as_mut().unwrap().connection;
    sqlx::query(newer).execute(connection).await.unwrap();
    let error =
        Fleet::new(server.address(), "node-a", store, Limits::default()).ship().await.unwrap_err();
    assert!(error.to_string().contains("newer driftline"), "{error}");
    let error = History::open_fleet(&server.address()).await.unwrap_err().to_string();
    assert!(error.contains("newer driftline"), "{error}");
}

/// A database that something else uses is left as it is.
#[tokio::test]
async fn what_belongs_to_somebody_else_is_not_touched() {
    let server = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.commit(vec![write("/one")]).await.unwrap();
    for (theirs, words) in [
        ("CREATE TABLE events (id INT)", "a table \"events\""),
        (
            "DROP TABLE events; CREATE TABLE _sqlx_migrations (version BIGINT, description TEXT); \
             INSERT INTO _sqlx_migrations VALUES (1, 'shop')",
            "another program notes its migrations",
        ),
    ] {
        server.run(theirs).await;
        let mut fleet = Fleet::new(server.address(), "node-a", store.clone(), Limits::default());
        let error = fleet.ship().await.unwrap_err().to_string();
        assert!(error.contains(words) && error.contains("nothing was changed"), "{error}");
        let tables = "SELECT COUNT(*) FROM pg_class WHERE relname = 'histories'";
        assert_eq!(server.number(tables).await, 0);
    }
    let error = History::open_fleet(&server.address()).await.unwrap_err().to_string();
    assert!(error.contains("another program notes its migrations"), "{error}");
}

/// Two machines of one name, or one whose directory was lost: neither history gets anything of the other.
#[tokio::test]
async fn a_history_that_begins_anew_stands_beside_the_first() {
    let server = Server::start();
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut all = 0;
    for (dir, path) in [(&one, "/one"), (&other, "/other"), (&one, "/more"), (&other, "/more")] {
        let store = Store::open(dir.path()).await.unwrap();
        store.commit(vec![write(path)]).await.unwrap();
        let mut fleet = Fleet::new(server.address(), "node-a", store.clone(), Limits::default());
        fleet.ship().await.unwrap();
        let count = i64::try_from(verified(&store).await.len()).unwrap();
        let name = if dir.path() == one.path() { "node-a" } else { "node-a~2" };
        let query = format!("SELECT COUNT(*) FROM events WHERE agent = '{name}'");
        assert_eq!(server.number(&query).await, count, "{name}");
        all = all.max(count);
        store.close().await;
    }
    assert!(all > 1);
    assert_eq!(server.number("SELECT COUNT(*) FROM histories").await, 2);
    // And it is said, once, to whoever asks later.
    let gaps = "SELECT COUNT(*) FROM gaps WHERE why LIKE '%began anew%' AND agent = 'node-a~2'";
    assert_eq!(server.number(gaps).await, 1);
}

/// A directory that was copied back from an earlier day goes on otherwise than what is known of it.
#[tokio::test]
async fn a_directory_that_was_put_back_is_refused() {
    let server = Server::start();
    let (dir, back) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::open(dir.path()).await.unwrap();
    store.commit(vec![write("/one")]).await.unwrap();
    store.close().await;
    for file in std::fs::read_dir(dir.path()).unwrap().flatten() {
        if file.file_type().unwrap().is_file() {
            std::fs::copy(file.path(), back.path().join(file.file_name())).unwrap();
        }
    }
    for (dir, path) in [(&dir, "/two"), (&back, "/three")] {
        let store = Store::open(dir.path()).await.unwrap();
        store.commit(vec![write(path)]).await.unwrap();
        let mut fleet = Fleet::new(server.address(), "node-a", store, Limits::default());
        let shipped = fleet.ship().await.map_err(|error| error.to_string());
        if path == "/two" {
            shipped.unwrap();
        } else {
            let error = shipped.unwrap_err();
            assert!(error.contains("put back to an earlier day"), "{error}");
        }
    }
    assert_eq!(server.number("SELECT COUNT(*) FROM events WHERE line LIKE '%/three%'").await, 0);
}

/// A database that falls silent in the middle of a question, here since somebody else holds its tables, ends it.
#[tokio::test]
async fn a_question_without_an_answer_ends() {
    let server = Server::start();
    let (dir, _ids) = investigate::laboratory().await;
    let store = Store::open(dir.path()).await.unwrap();
    let mut fleet = Fleet::new(server.address(), "node-1", store, Limits::default());
    fleet.ship().await.unwrap();
    let mut history = History::open_fleet(&server.address()).await.unwrap();
    let connection = &mut fleet.link.as_mut().unwrap().connection;
    sqlx::raw_sql("BEGIN; LOCK TABLE events, containers").execute(connection).await.unwrap();
    let error = investigate::timeline(&mut history, &Selector::default(), 10).await.unwrap_err();
    assert!(error.to_string().contains("no answer came within"), "{error}");
    assert!(error.to_string().contains("cannot read the fleet's store"), "{error}");
}

#[tokio::test]
async fn no_selector_is_part_of_a_statement_there_either() {
    let server = Server::start();
    let (dir, _ids) = investigate::laboratory().await;
    let store = Store::open(dir.path()).await.unwrap();
    Fleet::new(server.address(), "node-1", store, Limits::default()).ship().await.unwrap();
    let before = content(&server).await;
    let mut history = History::open_fleet(&server.address()).await.unwrap();
    investigate::injected(&mut history).await;
    history.close().await;
    assert_eq!(content(&server).await, before);
}

/// How many rows there are of each table, and what the events' lines hash to.
async fn content(server: &Server) -> Vec<i64> {
    let mut all = Vec::new();
    for table in &TABLES {
        all.push(count(server, table.name).await);
    }
    assert!(all.iter().any(|rows| *rows > 0));
    all.push(server.number("SELECT SUM(hashtext(line))::bigint FROM events").await);
    all
}

/// All agents of a cluster meet an empty database at once.
#[tokio::test]
async fn many_agents_may_prepare_it_at_once() {
    let server = Server::start();
    let agents: Vec<_> = (0..16)
        .map(|number| {
            let address = server.address();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(async {
                    let dir = tempfile::tempdir().unwrap();
                    let store = Store::open(dir.path()).await.unwrap();
                    store.commit(vec![write("/one")]).await.unwrap();
                    let node = format!("node-{number}");
                    Fleet::new(address, &node, store, Limits::default()).ship().await.unwrap();
                });
            })
        })
        .collect();
    for agent in agents {
        agent.join().unwrap();
    }
    assert_eq!(server.number("SELECT COUNT(*) FROM histories").await, 16);
    assert_eq!(server.number("SELECT COUNT(DISTINCT agent) FROM events").await, 16);
}
