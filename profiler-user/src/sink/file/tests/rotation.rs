//! Files that are set aside, by us or by somebody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::*;
use crate::sink::{FileSink, Spool};
use crate::store::Store;
use crate::store::testing::{verified, write as event_of};

async fn expected(store: &Store) -> String {
    verified(store).await.iter().flat_map(|event| [&*event.line, "\n"]).collect()
}

/// Delivers so many events, in commits of a hundred.
async fn storm(store: &Store, sink: FileSink, commits: usize) {
    let (mut spool, mut tasks) = (Spool::new(store.clone()), JoinSet::new());
    spool.add(sink, &mut tasks).await.unwrap();
    for commit in 0..commits {
        let events = (0..100).map(|n| event_of(&format!("/{commit}/{n}\nand more")));
        store.commit(events.collect()).await.unwrap();
    }
    while spool.status()[0].queue_length > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    spool.stop();
    while tasks.join_next().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_renamed_during_a_storm_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).await.unwrap();
    let path = dir.path().join("events.jsonl");
    let sink = FileSink::open(&path, None, Format::Native, &store).await.unwrap();
    let reopener = sink.reopener();
    let done = Arc::new(AtomicBool::new(false));
    let (ended, from) = (Arc::clone(&done), path.clone());
    // As logrotate does it: a new name, then a word to whoever writes.
    let rotator = std::thread::spawn(move || {
        let mut files = Vec::new();
        while !ended.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(3));
            let to = from.with_extension(files.len().to_string());
            if fs::rename(&from, &to).is_ok() {
                files.push(to);
                if files.len() % 2 == 0 {
                    reopener.reopen();
                }
            }
        }
        files
    });
    storm(&store, sink, 100).await;
    done.store(true, Ordering::Relaxed);
    let mut files = rotator.join().unwrap();
    files.push(path);
    let found: String =
        files.iter().map(|file| fs::read_to_string(file).unwrap_or_default()).collect();
    assert!(files.len() > 10, "{} files", files.len());
    assert!(found == expected(&store).await, "all lines, once and in order");
}

#[tokio::test]
async fn files_are_set_aside_by_size_and_the_oldest_go() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).await.unwrap();
    let path = dir.path().join("events.jsonl");
    let size = 64 * 1024;
    let sink = FileSink::open(&path, Some(Rotation { size, keep: 1000 }), Format::Native, &store)
        .await
        .unwrap();
    storm(&store, sink, 5).await;
    let mut numbers = 1..;
    let older: Vec<_> = std::iter::from_fn(|| {
        let file = path.with_extension(format!("jsonl.{}", numbers.next()?));
        fs::read_to_string(file).ok()
    })
    .collect();
    let newest = fs::read_to_string(&path).unwrap();
    assert!(older.len() > 4, "{} files", older.len());
    // Full, but for less than a line.
    assert!(older.iter().all(|text| text.len() as u64 <= size && text.len() > 60_000));
    let found: String = older.iter().rev().map(String::as_str).chain([&*newest]).collect();
    assert!(found == expected(&store).await);

    let keep = Some(Rotation { size, keep: 2 });
    let sink = FileSink::open(&path, keep, Format::Native, &store).await.unwrap();
    for gone in 3..=older.len() {
        fs::remove_file(path.with_extension(format!("jsonl.{gone}"))).unwrap();
    }
    storm(&store, sink, 5).await;
    let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().flatten().collect();
    names.retain(|entry| entry.file_type().unwrap().is_file());
    assert_eq!(names.len(), 3);
}

#[tokio::test]
async fn an_agent_killed_right_after_setting_a_file_aside_repeats_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).await.unwrap();
    let path = dir.path().join("events.jsonl");
    let keep = Some(Rotation { size: 1 << 20, keep: 2 });
    storm(&store, FileSink::open(&path, keep, Format::Native, &store).await.unwrap(), 2).await;
    for new_file in [false, true] {
        fs::rename(&path, path.with_extension("jsonl.1")).unwrap();
        if new_file {
            File::create(&path).unwrap();
        }
        // What was delivered had not been noted.
        store.advance("file", 100).await.unwrap();
        storm(&store, FileSink::open(&path, keep, Format::Native, &store).await.unwrap(), 1).await;
        let lines = expected(&store).await;
        let last: Vec<&str> = lines.lines().rev().take(100).collect();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().rev().collect::<Vec<_>>(), last);
    }
}

#[tokio::test]
async fn a_directory_in_which_nothing_can_be_renamed_costs_no_event() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).await.unwrap();
    let path = dir.path().join("events.jsonl");
    // A directory that is not empty cannot be replaced by a file.
    fs::create_dir_all(dir.path().join("events.jsonl.1/x")).unwrap();
    let keep = Some(Rotation { size: 10_000, keep: 1 });
    storm(&store, FileSink::open(&path, keep, Format::Native, &store).await.unwrap(), 1).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), expected(&store).await);
}

#[tokio::test]
async fn a_pipe_without_a_reader_is_a_sink_that_is_down() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).await.unwrap();
    let path = dir.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let sink = FileSink::open(&path, None, Format::Native, &store).await.unwrap();
    let (mut spool, mut tasks) = (Spool::new(store.clone()), JoinSet::new());
    spool.add(sink, &mut tasks).await.unwrap();
    store.commit(vec![event_of("/a")]).await.unwrap();
    while spool.status()[0].up.is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(spool.status()[0].up, Some(false));
    let reader = std::thread::spawn(move || {
        let mut line = String::new();
        std::io::BufRead::read_line(
            &mut std::io::BufReader::new(File::open(path).unwrap()),
            &mut line,
        )
        .unwrap();
        line
    });
    let line = tokio::task::spawn_blocking(|| reader.join().unwrap()).await.unwrap();
    assert_eq!(line, expected(&store).await);
    spool.stop();
    while tasks.join_next().await.is_some() {}
}

#[test]
fn a_command_goes_on_with_its_chain_in_the_next_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let keep = Some(Rotation { size: 10_000, keep: 9 });
    for _ in 0..2 {
        let mut file = EventsFile::open(&path, keep, Format::Native).unwrap();
        for _ in 0..20 {
            write(&mut file).unwrap();
        }
        fs::rename(&path, path.with_extension("jsonl.1")).unwrap();
        write(&mut file).unwrap();
    }
    let text = fs::read_to_string(&path).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["event.seq"], 42);
    let before = crate::store::verify_events(&path, &[]).unwrap();
    assert!(before.whole, "{before:?}");
}

#[tokio::test]
async fn other_formats_are_gone_on_with_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).await.unwrap();
    for (name, format) in [("ecs.jsonl", Format::Ecs), ("ocsf.jsonl", Format::Ocsf)] {
        let path = dir.path().join(name);
        let before = verified(&store).await.len();
        for _ in 0..2 {
            // What was delivered had not been noted; and a line was cut off.
            if let Ok(text) = fs::read_to_string(&path) {
                store.advance("file", i64::try_from(before).unwrap()).await.unwrap();
                fs::write(&path, &text[..text.len() - 50]).unwrap();
            }
            storm(&store, FileSink::open(&path, None, format, &store).await.unwrap(), 1).await;
        }
        let events = verified(&store).await;
        let expected: String = events[before..]
            .iter()
            .flat_map(|event| [format.render(&event.line).into_owned(), "\n".to_owned()])
            .collect();
        assert!(fs::read_to_string(&path).unwrap() == expected, "{name}");
    }
}
