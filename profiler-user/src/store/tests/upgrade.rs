//! A store that the version before made.

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::*;
use crate::drift::Action;
use crate::drift::chain::Chain;
use crate::store::event::Keys;
use crate::store::open::MIGRATIONS;

#[tokio::test]
async fn a_store_of_the_version_before_is_taken_over_and_its_chain_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new().filename(dir.path().join(FILE));
    let mut old = options.create_if_missing(true).connect().await.unwrap();
    let before = MIGRATIONS.iter().filter(|migration| migration.version < 3).cloned().collect();
    Migrator { migrations: before, ..Migrator::DEFAULT }.run(&mut old).await.unwrap();
    let mut chain = Chain::default();
    for (seq, count) in (1..=3).zip([1, 5, 1]) {
        let Write::Event(mut event) = write("/a") else { unreachable!() };
        event.id = ulid::Ulid::from_parts(u64::from(seq == 3), 1);
        event.action = if count == 1 { Action::Created } else { Action::Updated };
        event.count = count;
        let line = chain.link(&mut event).unwrap();
        chain.written(&line);
        Keys::of(line.as_bytes()).unwrap().insert(&mut old, seq, &line).await.unwrap();
    }
    old.close().await.unwrap();
    assert!(verify_store(dir.path(), &[]).await.is_err(), "it has no head yet");

    let store = Store::open(dir.path()).await.unwrap();
    assert_eq!(whole(dir.path()).await.events, 3);
    store.commit(vec![write("/b")]).await.unwrap();
    assert_eq!(verified(&store).await.len(), 4);
    assert_eq!(whole(dir.path()).await.events, 4);
    let query = "SELECT count, repeats, first_seq, last_seq FROM drifts ORDER BY first_seq LIMIT 1";
    let counted: (i64, i64, i64, i64) =
        sqlx::query_as(query).fetch_one(&store.inner.readers).await.unwrap();
    assert_eq!(counted, (6, 1, 1, 3));
}
