//! What happens to the history when something else goes wrong.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::*;

/// Set for the process that is to be killed: where its store is.
const VICTIM: &str = "DRIFTLINE_TEST_STORE";

/// Commits until it is killed; says so on stdout after each. Not a test of its own: it is run by the next.
#[tokio::test]
async fn victim() {
    let Some(directory) = std::env::var_os(VICTIM) else { return };
    let store = Store::open(Path::new(&directory)).await.unwrap();
    let mut next = store.newest().borrow().to_owned();
    loop {
        let size = next % 7 + 1;
        let writes = (next..next + size).map(|n| write(&format!("/{}", n + 1))).collect();
        next = store.commit(writes).await.unwrap().newest;
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nacknowledged {next}").unwrap();
        out.flush().unwrap();
    }
}

#[tokio::test]
async fn kill_9_loses_nothing_acknowledged_and_repeats_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..8 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "store::tests::crash::victim"])
            .env(VICTIM, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let begun = Instant::now();
        let mut seen = 0;
        for line in out.lines() {
            if let Some(newest) = line.unwrap().strip_prefix("acknowledged ") {
                acknowledged = newest.parse::<i64>().unwrap();
                seen += 1;
            }
            // What is in the pipe by then is still read.
            if seen > 2 && begun.elapsed() > Duration::from_millis(200 + 37 * round) {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen > 2, "the victim did not get to commit");
        whole(dir.path()).await;
        let store = Store::open(dir.path()).await.unwrap();
        let events = verified(&store).await;
        assert!(*store.newest().borrow() >= acknowledged, "an acknowledged commit is lost");
        for event in &events {
            let object = format!(r#""drift.object":"/{}""#, event.seq);
            assert!(
                event.line.contains(&object),
                "{} is there twice, or not: {}",
                event.seq,
                event.line
            );
        }
    }
}

#[tokio::test]
async fn a_second_agent_is_told_who_the_first_is() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let clone = store.clone();
    drop(store);
    let error = Store::open(dir.path()).await.unwrap_err().to_string();
    let expected = format!(
        "the store directory {} is in use by another driftline (pid {}); end that one, or give each its own --store",
        dir.path().display(),
        std::process::id()
    );
    assert_eq!(error, expected);
    drop(clone);
    Store::open(dir.path()).await.unwrap().close().await;
}

/// What is kept of a damaged store, without what SQLite has beside it.
fn kept(directory: &Path) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let is_kept = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.contains(".damaged-") && !name.ends_with("-wal") && !name.ends_with("-shm")
    };
    files.filter(is_kept).collect()
}

/// A new history begins, and says where the old one is.
async fn begins_anew(directory: &Path, damaged: &[u8]) {
    let store = Store::open(directory).await.unwrap();
    store.commit(vec![write("/new")]).await.unwrap();
    assert_eq!(verified(&store).await.len(), 1);
    let kept = kept(directory);
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(std::fs::read(&kept[0]).unwrap() == damaged, "it was touched");
    let name = kept[0].file_name().unwrap().to_str().unwrap();
    assert!(store.gaps(None).await.unwrap()[0].2.ends_with(name));
    store.close().await;
    whole(directory).await;
}

#[tokio::test]
async fn a_file_that_is_no_store_is_kept_and_a_new_one_begins() {
    let dir = tempfile::tempdir().unwrap();
    let text = "not a database, whatever its name says\n".repeat(100);
    std::fs::write(dir.path().join(FILE), &text).unwrap();
    begins_anew(dir.path(), text.as_bytes()).await;
}

/// A closed store's file, of 2,000 events.
async fn filled(directory: &Path) -> Vec<u8> {
    let store = Store::open(directory).await.unwrap();
    let writes = (0..2_000).map(|n| write(&format!("/{n}"))).collect();
    store.commit(writes).await.unwrap();
    store.close().await;
    std::fs::read(directory.join(FILE)).unwrap()
}

#[tokio::test]
async fn a_store_with_a_hole_or_cut_off_is_kept_and_a_new_one_begins() {
    let whole = tempfile::tempdir().unwrap();
    let whole = filled(whole.path()).await;
    let hole = [&whole[..4096], &vec![0x5a; whole.len() - 4096]].concat();
    for damaged in [hole, whole[..whole.len() / 2].to_vec(), whole[..5000].to_vec()] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), &damaged).unwrap();
        begins_anew(dir.path(), &damaged).await;
    }
}

#[tokio::test]
async fn damage_that_is_met_at_work_is_looked_for_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = filled(dir.path()).await;
    // Pages in the middle, which nobody reads at a start.
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 3 * 4096].fill(0x5a);
    std::fs::write(dir.path().join(FILE), &bytes).unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    assert!(kept(dir.path()).is_empty());
    store.suspect();
    store.close().await;
    let bytes = std::fs::read(dir.path().join(FILE)).unwrap();
    begins_anew(dir.path(), &bytes).await;
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    {
        let mut writers = store.inner.writers.lock().await;
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (9999, 'tomorrow', true, x'00', 0)";
        sqlx::query(newer).execute(&mut writers.durable).await.unwrap();
    }
    drop(store);
    let error = Store::open(dir.path()).await.unwrap_err().to_string();
    assert!(error.contains("was written by a newer driftline (its schema is 9999,"), "{error}");
}

#[tokio::test]
async fn a_directory_that_cannot_be_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Store::open(&file.join("store")).await.unwrap_err().to_string();
    let path = file.join("store");
    let start = format!("cannot use the store directory {}: ", path.display());
    assert!(error.starts_with(&start) && error.contains("--store"), "{error}");
}

/// Pages that an empty store has, and a few more.
const SMALL: u32 = 40;

#[tokio::test]
async fn a_full_disk_fails_whole_commits_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_limited(dir.path(), Some(SMALL)).await.unwrap();
    let mut written = 0;
    let error = loop {
        match store.commit(vec![write("/a"), write("/b"), write("/c")]).await {
            Ok(committed) => written = committed.newest,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Database { trouble: Trouble::Full, .. }), "{error}");
    assert!(error.to_string().ends_with("; make room on its disk"), "{error}");
    assert_eq!(i64::try_from(verified(&store).await.len()).unwrap(), written);
    assert_eq!(*store.newest().borrow(), written);
}

#[tokio::test]
async fn the_writer_keeps_what_a_full_disk_does_not_take_and_goes_on_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_limited(dir.path(), Some(SMALL)).await.unwrap();
    let (writer, task) = StoreWriter::new(store.clone());
    let task = tokio::spawn(task);
    let mut handed_in = 0;
    while !writer.status().failing {
        writer.write(write(&format!("/{handed_in}"))).await;
        handed_in += 1;
        tokio::task::yield_now().await;
    }
    let waiting = verified(&store).await.len();
    assert!(waiting < handed_in);
    {
        let mut writers = store.inner.writers.lock().await;
        sqlx::query("PRAGMA max_page_count = 100000").execute(&mut writers.durable).await.unwrap();
    }
    drop(writer);
    assert_eq!(task.await.unwrap(), 0);
    let events = verified(&store).await;
    assert_eq!(events.len(), handed_in);
    for (index, event) in events.iter().enumerate() {
        assert!(event.line.contains(&format!(r#""drift.object":"/{index}""#)));
    }
}

#[tokio::test]
async fn while_the_disk_is_full_the_rest_is_counted_and_later_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_limited(dir.path(), Some(SMALL)).await.unwrap();
    let (writer, task) = StoreWriter::new(store.clone());
    let task = tokio::spawn(task);
    let mut handed_in = 0;
    while writer.status().not_written < 10 {
        writer.write(write("/a")).await;
        handed_in += 1;
    }
    {
        let mut writers = store.inner.writers.lock().await;
        sqlx::query("PRAGMA max_page_count = 100000").execute(&mut writers.durable).await.unwrap();
    }
    drop(writer);
    let not_written = usize::try_from(task.await.unwrap()).unwrap();
    assert_eq!(verified(&store).await.len() + not_written, handed_in);
    let gaps = store.gaps(None).await.unwrap();
    assert!(gaps[0].2.contains(&format!("{not_written} records are missing")), "{gaps:?}");
}

#[tokio::test]
async fn a_thousand_containers_churn_in_a_moment() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let (writer, task) = StoreWriter::new(store.clone());
    let task = tokio::spawn(task);
    let begun = Instant::now();
    for number in 0..1_000 {
        let id = ContainerId::parse(&format!("{number:064x}")).unwrap();
        let path = Identity::of_path(id.clone(), None, None);
        writer.write(Write::Container(Box::new(entry(path)))).await;
        writer.write(Write::Container(Box::new(entry(full(id.clone()))))).await;
        writer.write(write("/a")).await;
        let ended = Write::Ended { id, at: at(9), exit_code: Some(0), reason: None };
        writer.write(ended).await;
    }
    drop(writer);
    assert_eq!(task.await.unwrap(), 0);
    let took = begun.elapsed();
    eprintln!("4,000 writes for 1,000 containers: {took:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(store.containers(&LedgerFilter::default()).await.unwrap().len(), 1_000);
    assert!(store.unfinished().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_event_is_on_disk_within_50_ms() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let (writer, task) = StoreWriter::new(store.clone());
    let task = tokio::spawn(task);
    let mut newest = store.newest();
    let mut took = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        writer.write(write("/a")).await;
        newest.changed().await.unwrap();
        took.push(begun.elapsed());
    }
    took.sort();
    // The worst of them depends on who else uses the disk.
    eprintln!("drift to disk: median {:?}, worst {:?}", took[25], took[49]);
    assert!(took[25] < Duration::from_millis(50), "{:?}", took[25]);
    drop(writer);
    task.await.unwrap();
}
