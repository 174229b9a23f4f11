//! A disk that really is full.

use super::*;
use crate::small_disk::{on_small_disk, resize};

#[test]
fn a_full_disk_loses_nothing_acknowledged_and_writing_goes_on_when_there_is_room() {
    on_small_disk("600k", |disk| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = Store::open(disk).await.unwrap();
            store.cursor("file").await.unwrap();
            let mut acknowledged = 0;
            let error = loop {
                match store.commit(vec![write("/a"), write("/b")]).await {
                    Ok(committed) => acknowledged = committed.newest,
                    Err(error) => break error,
                }
            };
            let full = matches!(error, StoreError::Database { trouble: Trouble::Full, .. });
            assert!(full, "{error}");
            assert!(acknowledged > 10);
            // One alone may fit where two do not.
            while let Ok(committed) = store.commit(vec![write("/c")]).await {
                acknowledged = committed.newest;
            }
            assert_eq!(verified(&store).await.len(), usize::try_from(acknowledged).unwrap());
            assert!(store.commit(vec![write("/c")]).await.is_err(), "it is still full");

            resize(disk, "4m");
            store.commit(vec![write("/c")]).await.unwrap();
            store.advance("file", acknowledged).await.unwrap();
            drop(store);
            let store = Store::open(disk).await.unwrap();
            assert_eq!(*store.newest().borrow(), acknowledged + 1);
            assert_eq!(verified(&store).await.len(), usize::try_from(acknowledged).unwrap() + 1);
            store.close().await;
        });
    });
}

#[test]
fn a_disk_without_room_for_an_empty_store_is_said() {
    on_small_disk("16k", |disk| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let error = runtime.block_on(Store::open(disk)).unwrap_err().to_string();
        assert!(error.contains(&disk.display().to_string()), "{error}");
        assert!(error.ends_with("; make room on its disk"), "{error}");
    });
}

#[test]
fn a_disk_that_may_only_be_read_is_said() {
    on_small_disk("1m", |disk| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (none, read_only) =
            (None::<&str>, nix::mount::MsFlags::MS_REMOUNT | nix::mount::MsFlags::MS_RDONLY);
        nix::mount::mount(none, disk, none, read_only, none).unwrap();
        let error = runtime.block_on(Store::open(&disk.join("store"))).unwrap_err().to_string();
        assert!(error.contains("Read-only file system"), "{error}");
        assert!(error.contains("give --store a directory"), "{error}");
    });
}
