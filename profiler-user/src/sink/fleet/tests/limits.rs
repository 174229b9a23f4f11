//! What goes from the shared store, and what does not.

use super::*;
use crate::drift::Node as Machine;
use crate::store::Retention;
use crate::store::testing::clock_is;

/// What is too much or too old goes there as well, and what is sent afterwards goes on behind it.
#[tokio::test]
async fn the_shared_store_keeps_to_its_limits() {
    let server = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    for number in 0..3000 {
        store.commit(vec![write(&format!("/{number}"))]).await.unwrap();
    }
    let size = Limits { size: 1 << 20, ..Limits::default() };
    let mut fleet = Fleet::new(server.address(), "node-a", store.clone(), size);
    fleet.ship().await.unwrap();
    let bytes = "SELECT SUM(octet_length(line))::bigint FROM events";
    let lines = server.number(bytes).await;
    assert!((900_000..=1 << 20).contains(&lines), "{lines}");
    let counted = server.number("SELECT bytes FROM histories").await;
    let evidence = "SELECT COALESCE(SUM(octet_length(line)), 0)::bigint FROM evidence";
    assert_eq!(counted, lines + server.number(evidence).await);
    store.commit(vec![write("/after")]).await.unwrap();
    fleet.ship().await.unwrap();
    let newest = "SELECT MAX(seq) FROM events";
    assert_eq!(server.number(newest).await, *store.newest().borrow());
    assert_eq!(
        server.number(&format!("SELECT COUNT(*) FROM events WHERE seq = ({newest})")).await,
        1
    );

    // Of a node that tells nothing any more, and of this one long ago.
    // Another whose clock is years behind still tells: by the database's clock nothing of it is old.
    let all = server.number("SELECT COUNT(*) FROM events").await;
    for (name, told) in [("gone", "1"), ("behind", "DEFAULT")] {
        let columns =
            "seq, line, id, action, kind, severity, fingerprint, container, namespace, time, last";
        server
            .run(&format!(
                "INSERT INTO histories VALUES ('{name}', '{name}', 1, 'x', 0, {told}); INSERT INTO marks VALUES ('{name}', 100000, 1); \
                 INSERT INTO events SELECT '{name}', {columns} FROM events WHERE agent = 'node-a'"
            ))
            .await;
    }
    let before = server.number("SELECT MIN(seq) FROM events WHERE agent = 'node-a'").await;
    server.run(&format!("INSERT INTO marks VALUES ('node-a', {}, 1)", before + 10)).await;
    let mut retention = Retention::new(store.clone(), Limits::default(), Machine::default());
    retention.run(&[]).await.unwrap();
    let age = Limits { age: Duration::from_hours(1), ..Limits::default() };
    let mut fleet = Fleet::new(server.address(), "node-a", store, age);
    fleet.ship().await.unwrap();
    let oldest = "SELECT MIN(seq) FROM events WHERE agent = 'node-a'";
    assert_eq!(server.number(oldest).await, before + 11);
    // The newest stays: by it an agent that comes back knows how far it was.
    assert_eq!(server.number("SELECT COUNT(*) FROM events WHERE agent = 'gone'").await, 1);
    assert_eq!(server.number("SELECT COUNT(*) FROM events WHERE agent = 'behind'").await, all);
}

/// A clock of the node or of the database that is ahead takes nothing.
#[tokio::test]
async fn nothing_goes_there_by_one_clock_alone() {
    let server = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    for number in 0..20 {
        store.commit(vec![write(&format!("/{number}"))]).await.unwrap();
    }
    let mut retention = Retention::new(store.clone(), Limits::default(), Machine::default());
    retention.run(&[]).await.unwrap();
    let age = Limits { age: Duration::from_hours(24), ..Limits::default() };
    let mut fleet = Fleet::new(server.address(), "node-a", store.clone(), age);
    fleet.ship().await.unwrap();
    let all = count(&server, "events").await;
    let now = "(EXTRACT(EPOCH FROM now()) * 1000000000)::bigint";
    let hour = 3_600_000_000_000_i64;
    // The node's clock jumps three days: its retention believes what is there to be three days old.
    server.run(&format!("UPDATE marks SET at = {now} - {hour}")).await;
    clock_is(&store, hour * 72).await;
    fleet.retain = Instant::now();
    fleet.ship().await.unwrap();
    assert_eq!(count(&server, "events").await, all);
    // The database's is days ahead of the node's: as if the node believed it to be long ago.
    server.run(&format!("UPDATE marks SET at = {now} - {hour} * 48")).await;
    clock_is(&store, -hour * 96).await;
    fleet.retain = Instant::now();
    fleet.ship().await.unwrap();
    assert_eq!(count(&server, "events").await, all);
    // Both say so.
    clock_is(&store, hour * 96 - hour * 72).await;
    fleet.retain = Instant::now();
    fleet.ship().await.unwrap();
    assert_eq!(count(&server, "events").await, 1);
}
