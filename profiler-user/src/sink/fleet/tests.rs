//! Against a real PostgreSQL.

mod server;

use serde_json::{Value, json};

use self::server::Server;
use super::*;
use crate::investigate::{self, History, Selector};
use crate::store::testing::{flood, verified, write};

async fn count(server: &Server, table: &str) -> i64 {
    let mut connection = PgConnectOptions::from_url_text(&server.url()).connect().await.unwrap();
    let query = AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
    sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
}

trait FromText {
    fn from_url_text(url: &str) -> Self;
}

impl FromText for PgConnectOptions {
    fn from_url_text(url: &str) -> Self {
        url.parse().unwrap()
    }
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
    let mut fleet = Fleet::new(server.address(), "node-1", store.clone());
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
        nodes.push((Fleet::new(server.address(), name, store.clone()), store, dir));
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
        let connection = fleet.connection.as_mut().unwrap();
        let query = sqlx::query_scalar(query).bind(&fleet.agent);
        let lines: Vec<String> = query.fetch_all(connection).await.unwrap();
        assert!(lines.iter().eq(events.iter().map(|event| &event.line)));
        // An agent that is started again goes on where it was.
        let mut again = Fleet::new(server.address(), &fleet.agent, store.clone());
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
    let mut fleet = Fleet::new(wrong.clone(), "node-a", store.clone());
    let error = fleet.ship().await.unwrap_err().to_string();
    assert!(error.contains("password authentication failed"), "{error}");
    let unread = History::open_fleet(&wrong).await.unwrap_err().to_string();
    for text in [error, unread, format!("{wrong} {wrong:?} {fleet:?}")] {
        assert!(!text.contains("secret"), "{text}");
    }
    // Not prepared by any agent yet.
    let error = History::open_fleet(&server.address()).await.unwrap_err().to_string();
    assert!(error.contains("start an agent"), "{error}");

    let mut fleet = Fleet::new(server.address(), "node-a", store.clone());
    fleet.ship().await.unwrap();
    // Another history under the same name.
    let other = tempfile::tempdir().unwrap();
    let other_store = Store::open(other.path()).await.unwrap();
    other_store.commit(vec![write("/other")]).await.unwrap();
    let error = Fleet::new(server.address(), "node-a", other_store).ship().await.unwrap_err();
    assert!(error.to_string().contains("another history"), "{error}");

    let newer = "UPDATE _sqlx_migrations SET version = 99";
    sqlx::query(newer).execute(fleet.connection.as_mut().unwrap()).await.unwrap();
    let error = Fleet::new(server.address(), "node-a", store).ship().await.unwrap_err();
    assert!(error.to_string().contains("newer driftline"), "{error}");
    let error = History::open_fleet(&server.address()).await.unwrap_err().to_string();
    assert!(error.contains("newer driftline"), "{error}");
}

#[tokio::test]
async fn no_selector_is_part_of_a_statement_there_either() {
    let server = Server::start();
    let (dir, _ids) = investigate::laboratory().await;
    let store = Store::open(dir.path()).await.unwrap();
    Fleet::new(server.address(), "node-1", store).ship().await.unwrap();
    let mut history = History::open_fleet(&server.address()).await.unwrap();
    investigate::injected(&mut history).await;
    history.close().await;
    assert!(count(&server, "events").await > 0);
}
