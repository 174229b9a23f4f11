//! Killed twenty times in the middle of a storm, with a sink behind the store and retention at work.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::*;
use crate::drift::{Action, Node};
use crate::sink::{FileSink, Spool};

/// Set for the process that is to be killed: where its store is.
const VICTIM: &str = "DRIFTLINE_TEST_STORM";

const KILLS: u32 = 20;

/// The next repeat of the one drift that goes on all the time.
fn repeat(count: u64) -> Write {
    let Write::Event(mut event) = write("/again") else { unreachable!() };
    event.id = ulid::Ulid::from_parts(1, 1);
    (event.action, event.count) = (Action::Updated, count);
    Write::Event(event)
}

fn retention(store: &Store) -> Retention {
    let machine = Node { host_name: "node-1".to_owned(), name: None, cluster: None };
    Retention::new(store.clone(), Limits::default(), machine)
}

async fn spool(store: &Store, directory: &Path) -> (Spool, JoinSet<()>) {
    let (mut spool, mut tasks) = (Spool::new(store.clone()), JoinSet::new());
    let sink =
        FileSink::open(&directory.join("events.jsonl"), None, crate::sink::Format::Native, store)
            .await
            .unwrap();
    spool.add(sink, &mut tasks).await.unwrap();
    (spool, tasks)
}

/// Says on stdout how far the newest commit came. Not a test of its own: it is run by the next.
#[tokio::test]
async fn storm() {
    let Some(directory) = std::env::var_os(VICTIM) else { return };
    let directory = Path::new(&directory);
    let store = Store::open(directory).await.unwrap();
    let (_spool, _tasks) = spool(&store, directory).await;
    let mut retention = retention(&store);
    tokio::spawn(async move {
        loop {
            retention.run(&["file".to_owned()]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    // Numbers that no run before has used, whatever it came to.
    let mut next = (*store.newest().borrow()).unsigned_abs() + 1;
    loop {
        let firsts = (next..next + 3).map(|number| write(&format!("/{number}")));
        let repeats = (next..next + 40).map(repeat);
        store.commit(firsts.chain(repeats).collect()).await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nacknowledged {next}").unwrap();
        out.flush().unwrap();
        next += 43;
    }
}

#[tokio::test]
async fn twenty_kills_in_a_storm_lose_nothing_and_the_log_and_every_sink_stay_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = HashSet::new();
    let mut pause = 1_u64;
    for _ in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "store::tests::kills::storm"])
            .env(VICTIM, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        // The first acknowledgement read after up to 300 ms; the same pauses in every run of the test.
        pause =
            pause.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pause = Duration::from_millis((pause >> 33) % 300);
        let mut begun = None;
        for line in out.lines() {
            if let Some(number) = line.unwrap().strip_prefix("acknowledged ") {
                let number: u64 = number.parse().unwrap();
                acknowledged.extend((number..number + 3).map(|number| format!("/{number}")));
                if begun.get_or_insert_with(Instant::now).elapsed() >= pause {
                    child.kill().unwrap();
                }
            }
        }
        child.wait().unwrap();
        assert!(begun.is_some(), "the victim did not get to commit");
        whole(dir.path()).await;
    }
    let store = Store::open(dir.path()).await.unwrap();
    let (sinks, mut tasks) = spool(&store, dir.path()).await;
    sinks.stop();
    while tasks.join_next().await.is_some() {}
    let events = store.events_after(0, u32::MAX).await.unwrap();
    let mut firsts = BTreeMap::<String, u32>::new();
    for event in events.iter().filter(|event| event.is_drift() && event.action == Action::Created) {
        let value: serde_json::Value = serde_json::from_str(&event.line).unwrap();
        *firsts.entry(value["drift.object"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    for object in &acknowledged {
        assert_eq!(firsts.get(object), Some(&1), "{object}");
    }
    let repeats = events.iter().filter(|event| event.action == Action::Updated).count();
    let removed = whole(dir.path()).await.removed;
    assert!(removed > 0, "retention had nothing to do");
    // The sink has every line once, also those that are gone from the store.
    let file = dir.path().join("events.jsonl");
    let lines = verify_events(&file, &[]).unwrap();
    assert!(lines.whole, "{lines:?}");
    assert_eq!((lines.first, lines.last), (Some(1), Some(*store.newest().borrow())));
    assert_eq!(lines.events, store.newest().borrow().unsigned_abs());
    eprintln!(
        "{KILLS} kills, {} acknowledged, {} rows, {repeats} of them repeats, {removed} removed, {} lines in the sink",
        acknowledged.len(),
        events.len(),
        lines.events
    );
}
