//! Killed twenty times in the middle of a storm, with every sort of sink behind the store and retention at work.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::*;
use crate::drift::{Action, Node};
use crate::sink::{Alertmanager, FileSink, Format, Otlp, Spool, Syslog, Webhook};

mod receivers;

/// Set for the process that is to be killed: where its store is.
const VICTIM: &str = "DRIFTLINE_TEST_STORM";
/// And where its sinks' receivers are: those of HTTP, and syslog.
const RECEIVERS: &str = "DRIFTLINE_TEST_RECEIVERS";

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

async fn spool(store: &Store, directory: &Path, receivers: &str) -> (Spool, JoinSet<()>) {
    let (mut spool, mut tasks) = (Spool::new(store.clone()), JoinSet::new());
    let file = directory.join("events.jsonl");
    let sink = FileSink::open(&file, None, Format::Native, store).await.unwrap();
    spool.add(sink, &mut tasks).await.unwrap();
    let (http, syslog) = receivers.split_once(',').unwrap();
    let sink = Alertmanager::new(&format!("http://{http}"), None).unwrap();
    spool.add(sink, &mut tasks).await.unwrap();
    let sink = Webhook::new(&format!("http://{http}/hook"), None, Format::Native).unwrap();
    spool.add(sink, &mut tasks).await.unwrap();
    let sink = Otlp::new(&format!("http://{http}")).unwrap();
    spool.add(sink, &mut tasks).await.unwrap();
    let sink = Syslog::new(&format!("tcp://{syslog}"), None).unwrap();
    spool.add(sink, &mut tasks).await.unwrap();
    (spool, tasks)
}

/// Says on stdout how far the newest commit came. Not a test of its own: it is run by the next.
#[tokio::test]
async fn storm() {
    let Some(directory) = std::env::var_os(VICTIM) else { return };
    let directory = Path::new(&directory);
    let store = Store::open(directory).await.unwrap();
    let receivers = std::env::var(RECEIVERS).unwrap();
    let (_spool, _tasks) = spool(&store, directory, &receivers).await;
    let mut retention = retention(&store);
    tokio::spawn(async move {
        loop {
            // The others are slower than a storm: of repeats they miss some, of first occurrences none.
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_in_a_storm_lose_nothing_and_the_log_and_every_sink_stay_whole() {
    let dir = tempfile::tempdir().unwrap();
    let receivers = receivers::Receivers::default();
    let addresses = receivers.listen().await.join(",");
    let mut alerted = 0;
    let mut acknowledged = HashSet::new();
    let mut pause = 1_u64;
    for _ in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "store::tests::kills::storm"])
            .env(VICTIM, dir.path())
            .env(RECEIVERS, &addresses)
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
        alerted += receivers.counted();
        whole(dir.path()).await;
    }
    let store = Store::open(dir.path()).await.unwrap();
    let (sinks, mut tasks) = spool(&store, dir.path(), &addresses).await;
    let begun = Instant::now();
    while sinks.status().iter().any(|sink| sink.queue_length > 0) {
        assert!(begun.elapsed() < Duration::from_mins(2), "{:#?}", sinks.status());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
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
    // Every sink has each at least once. An alert counts what it tells of.
    for (sink, objects) in receivers.objects() {
        let missing: Vec<_> = acknowledged.difference(&objects).collect();
        assert!(missing.is_empty(), "{sink}: {missing:?}");
    }
    alerted += receivers.counted();
    assert!(alerted >= acknowledged.len() as u64, "{alerted} of {}", acknowledged.len());
    // The file has every line once, also those that are gone from the store.
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
