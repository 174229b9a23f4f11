//! What arrives, whatever is in it, and what is counted of it.

use sqlx::ConnectOptions as _;

use super::*;
use crate::drift::{Action, DriftKind, Event, sample};
use crate::investigate::{Entry, seen, timeline};
use crate::store::Write;

/// A NUL in a value is JSON, and none to PostgreSQL.
#[tokio::test]
async fn a_name_with_a_nul_holds_up_nothing() {
    let server = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let mut event = sample::event(DriftKind::FileRead, &sample::read("/x"));
    (event.object, event.techniques) = ("@a\0b".to_owned(), vec!["T1021.004".to_owned()]);
    store.commit(vec![Write::Event(Box::new(event)), write("/later")]).await.unwrap();
    store.commit(flood("/flood", 40)).await.unwrap();
    let mut fleet = Fleet::new(server.address(), "node-a", store.clone(), Limits::default());
    fleet.ship().await.unwrap();
    assert_eq!(
        count(&server, "events").await,
        i64::try_from(verified(&store).await.len()).unwrap()
    );
    let mut history = History::open_fleet(&server.address()).await.unwrap();
    let selector = Selector { technique: Some("T1021".to_owned()), ..Selector::default() };
    let told = timeline(&mut history, &selector, 10).await.unwrap().entries;
    let [Entry::Drift(told)] = told.as_slice() else { panic!("{told:#?}") };
    assert_eq!(told.object, "@a\0b");
}

#[tokio::test]
async fn what_its_agent_forgot_is_counted_on_from() {
    let server = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let mut fleet = Fleet::new(server.address(), "node-a", store.clone(), Limits::default());
    let event = |seconds: i64, count: u64| {
        let mut event = sample::event(DriftKind::FileRead, &sample::read("/x"));
        event.id = ulid::Ulid::new();
        (event.time, event.last, event.count) =
            (sample::later(seconds), sample::later(seconds), count);
        event
    };
    let first = event(0, 1);
    let fingerprint = first.fingerprint.clone();
    let Event { id, .. } = first;
    let again = Event { id, action: Action::Updated, ..event(0, 500) };
    for some in [first, again] {
        store.commit(vec![Write::Event(Box::new(some))]).await.unwrap();
        fleet.ship().await.unwrap();
    }
    let file = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.path().join("driftline.db"));
    let mut file = file.connect().await.unwrap();
    sqlx::query("DELETE FROM drifts").execute(&mut file).await.unwrap();
    for seconds in [4_000_000, 4_000_001] {
        store.commit(vec![Write::Event(Box::new(event(seconds, 1)))]).await.unwrap();
        fleet.ship().await.unwrap();
        fleet.ship().await.unwrap();
    }
    let mut history = History::open_fleet(&server.address()).await.unwrap();
    let seen = seen(&mut history, &fingerprint).await.unwrap();
    assert_eq!(
        (seen.count, seen.first, seen.last),
        (502, sample::later(0), sample::later(4_000_001))
    );
}
