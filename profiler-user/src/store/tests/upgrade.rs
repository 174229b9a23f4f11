//! A store that a version before made.

use std::fs;
use std::path::Path;

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::*;
use crate::drift::Action;
use crate::drift::chain::Chain;
use crate::investigate::History;
use crate::store::event::Keys;
use crate::store::open::MIGRATIONS;
use crate::store::{StoreError, Upgraded, upgrade};

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

/// An intrusion through three pods, as an agent with schema 8 wrote it.
fn place_schema_8(directory: &Path) -> Vec<u8> {
    let packed = include_bytes!("schema-8.db.zst");
    let bytes = zstd::decode_all(packed.as_slice()).unwrap();
    fs::write(directory.join(FILE), &bytes).unwrap();
    bytes
}

#[tokio::test]
async fn a_copy_of_an_older_history_is_refused_until_it_is_upgraded_and_whole_then() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = place_schema_8(dir.path());
    assert_eq!(whole(dir.path()).await.events, 57, "it can be proved as it is");
    let refused = History::open(dir.path()).await.unwrap_err();
    let says = format!("driftline investigate upgrade --store {}", dir.path().display());
    assert!(refused.to_string().ends_with(&says), "{refused}");
    assert!(refused.to_string().contains("its schema is 8"), "{refused}");
    assert!(fs::read(dir.path().join(FILE)).unwrap() == bytes, "whoever looks changes nothing");

    let to = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap();
    assert_eq!(upgrade(dir.path()).await.unwrap(), Upgraded { from: 8, to });
    assert_eq!(whole(dir.path()).await.events, 57);
    History::open(dir.path()).await.unwrap().close().await;
    assert_eq!(upgrade(dir.path()).await.unwrap(), Upgraded { from: to, to });
    let store = Store::open(dir.path()).await.unwrap();
    store.commit(vec![write("/later")]).await.unwrap();
    assert_eq!(whole(dir.path()).await.events, 58);
    let refused = upgrade(dir.path()).await.unwrap_err();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
}

#[tokio::test]
async fn what_cannot_be_upgraded_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let absent = dir.path().join("absent");
    assert!(matches!(upgrade(&absent).await, Err(StoreError::Directory { .. })));
    assert!(matches!(upgrade(dir.path()).await, Err(StoreError::Directory { .. })));
    assert!(fs::read_dir(dir.path()).unwrap().next().is_none(), "nothing is made");

    let mut bytes = place_schema_8(dir.path());
    let file = dir.path().join(FILE);
    bytes[4096..16384].fill(0xa5);
    fs::write(&file, &bytes).unwrap();
    assert!(upgrade(dir.path()).await.unwrap_err().is_damage());
    assert!(fs::read(&file).unwrap() == bytes);
    fs::write(&file, "no history at all, by far not one").unwrap();
    assert!(upgrade(dir.path()).await.unwrap_err().is_damage());
    assert_eq!(fs::read(&file).unwrap(), b"no history at all, by far not one");
}
