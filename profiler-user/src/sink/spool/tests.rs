use std::path::Path;

use tokio::time::timeout;

use super::*;
use crate::sink::FileSink;
use crate::store::Write;
use crate::store::testing::{verified, write};

const SOON: Duration = Duration::from_secs(20);

/// Takes what it gets, and fails as often as it is told to.
struct Fake {
    name: &'static str,
    fails: usize,
    taken: Arc<Mutex<Vec<i64>>>,
}

impl Sink for Fake {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn deliver(&mut self, events: &[StoredEvent]) -> Result<(), SinkError> {
        if self.fails > 0 {
            self.fails -= 1;
            return Err(SinkError::new("out of order"));
        }
        self.taken.lock().unwrap().extend(events.iter().map(|event| event.seq));
        Ok(())
    }
}

fn fake(name: &'static str, fails: usize) -> (Fake, Arc<Mutex<Vec<i64>>>) {
    let taken = Arc::default();
    (Fake { name, fails, taken: Arc::clone(&taken) }, taken)
}

async fn finish(spool: &Spool, mut tasks: JoinSet<()>) {
    spool.stop();
    timeout(SOON, async { while tasks.join_next().await.is_some() {} }).await.unwrap();
}

async fn until(mut condition: impl FnMut() -> bool) {
    timeout(SOON, async {
        while !condition() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}

fn writes(count: usize) -> Vec<Write> {
    (0..count).map(|n| write(&format!("/{n}"))).collect()
}

#[tokio::test]
async fn a_sink_that_fails_gets_everything_later_and_holds_up_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let (mut spool, mut tasks) = (Spool::new(store.clone()), JoinSet::new());
    let (bad, bad_taken) = fake("bad", 2);
    let (good, good_taken) = fake("good", 0);
    spool.add(bad, &mut tasks).await.unwrap();
    spool.add(good, &mut tasks).await.unwrap();
    store.commit(writes(3)).await.unwrap();
    until(|| spool.status()[0].last_error.is_some()).await;
    until(|| good_taken.lock().unwrap().len() == 3).await;
    let status = spool.status();
    assert_eq!(status[0].last_error.as_deref(), Some("out of order"));
    assert_eq!(status[0].queue_length, 3);
    store.commit(writes(1)).await.unwrap();
    until(|| bad_taken.lock().unwrap().len() == 4).await;
    assert_eq!(*bad_taken.lock().unwrap(), [1, 2, 3, 4]);
    until(|| spool.status().iter().all(|sink| sink.queue_length == 0)).await;
    let status = spool.status().remove(0);
    assert_eq!((status.failures, status.last_error), (2, None));
    assert!(status.last_success.is_some());
    finish(&spool, tasks).await;
}

/// Nothing is given to it: whether it works, it says when it is tried.
struct Tried(Arc<Mutex<Vec<Result<(), &'static str>>>>);

impl Sink for Tried {
    fn name(&self) -> &'static str {
        "tried"
    }

    async fn try_out(&mut self) -> Option<Result<(), SinkError>> {
        Some(self.0.lock().unwrap().pop()?.map_err(SinkError::new))
    }

    async fn deliver(&mut self, _events: &[StoredEvent]) -> Result<(), SinkError> {
        panic!("there are no events")
    }
}

#[tokio::test]
async fn a_sink_is_tried_before_it_is_needed_and_again_until_it_works() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let (mut spool, mut tasks) = (Spool::new(store.clone()), JoinSet::new());
    let answers = Arc::new(Mutex::new(vec![Ok(()), Err("still away"), Err("away")]));
    spool.add(Tried(Arc::clone(&answers)), &mut tasks).await.unwrap();
    let (untried, _) = fake("untried", 0);
    spool.add(untried, &mut tasks).await.unwrap();
    until(|| spool.status()[0].up == Some(false)).await;
    assert!(spool.status()[0].last_error.as_deref().is_some_and(|why| why.ends_with("away")));
    until(|| spool.status()[0].up == Some(true)).await;
    let status = spool.status();
    assert!(answers.lock().unwrap().is_empty());
    // It was given nothing: that is neither a failed delivery nor a success.
    assert_eq!(
        (status[0].failures, status[0].last_success, &status[0].last_error),
        (0, None, &None)
    );
    assert_eq!(status[1].up, None);
    finish(&spool, tasks).await;
}

#[tokio::test]
async fn a_sink_that_hangs_when_it_is_tried_holds_up_neither_the_first_event_nor_the_end() {
    struct Hangs;
    impl Sink for Hangs {
        fn name(&self) -> &'static str {
            "hangs"
        }
        async fn try_out(&mut self) -> Option<Result<(), SinkError>> {
            std::future::pending().await
        }
        async fn deliver(&mut self, _events: &[StoredEvent]) -> Result<(), SinkError> {
            Ok(())
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let (mut spool, mut tasks) = (Spool::new(store.clone()), JoinSet::new());
    spool.add(Hangs, &mut tasks).await.unwrap();
    store.commit(writes(2)).await.unwrap();
    let begun = Instant::now();
    until(|| spool.status()[0].queue_length == 0).await;
    assert_eq!(spool.status()[0].up, Some(true), "that it took something says as much");
    finish(&spool, tasks).await;
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn the_end_delivers_what_is_there_and_the_next_run_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.commit(writes(1)).await.unwrap();
    let mut expected = 2;
    for (run, fails) in [(0, 0), (1, 9), (2, 0)] {
        let (mut spool, mut tasks) = (Spool::new(store.clone()), JoinSet::new());
        let (sink, taken) = fake("one", fails);
        spool.add(sink, &mut tasks).await.unwrap();
        let newest = store.commit(writes(300)).await.unwrap().newest;
        finish(&spool, tasks).await;
        let taken = taken.lock().unwrap().clone();
        if fails > 0 {
            assert_eq!(taken, [0_i64; 0]);
        } else {
            assert_eq!(taken, (expected..=newest).collect::<Vec<_>>(), "run {run}");
            expected = newest + 1;
        }
    }
}

async fn run_file(store: &Store, path: &Path, events: usize) {
    let (mut spool, mut tasks) = (Spool::new(store.clone()), JoinSet::new());
    spool
        .add(
            FileSink::open(path, None, crate::sink::Format::Native, store).await.unwrap(),
            &mut tasks,
        )
        .await
        .unwrap();
    store.commit(writes(events)).await.unwrap();
    finish(&spool, tasks).await;
}

async fn assert_holds(store: &Store, path: &Path, from: usize) {
    let expected: String =
        verified(store).await[from..].iter().flat_map(|e| [&*e.line, "\n"]).collect();
    assert_eq!(std::fs::read_to_string(path).unwrap(), expected);
}

#[tokio::test]
async fn the_events_file_has_each_stored_line_once_also_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).await.unwrap();
    let path = dir.path().join("events.jsonl");
    run_file(&store, &path, 5).await;
    assert_holds(&store, &path, 0).await;
    // Killed between writing and noting so, and again in the middle of a line.
    store.advance("file", 2).await.unwrap();
    run_file(&store, &path, 2).await;
    assert_holds(&store, &path, 0).await;
    store.advance("file", 4).await.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &text[..text.len() - 100]).unwrap();
    run_file(&store, &path, 2).await;
    assert_holds(&store, &path, 0).await;
    // Rotated away.
    std::fs::remove_file(&path).unwrap();
    run_file(&store, &path, 2).await;
    assert_holds(&store, &path, 9).await;
}

#[tokio::test]
async fn a_file_of_another_store_hides_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let old = Store::open(&dir.path().join("old")).await.unwrap();
    run_file(&old, &path, 9).await;
    let new = Store::open(&dir.path().join("new")).await.unwrap();
    run_file(&new, &path, 3).await;
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 12);
    assert!(text.ends_with(&format!("{}\n", verified(&new).await[2].line)));
}

#[tokio::test]
async fn a_full_events_file_is_a_failing_sink() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let (mut spool, mut tasks) = (Spool::new(store.clone()), JoinSet::new());
    let sink = FileSink::open(Path::new("/dev/full"), None, crate::sink::Format::Native, &store)
        .await
        .unwrap();
    spool.add(sink, &mut tasks).await.unwrap();
    store.commit(writes(1)).await.unwrap();
    until(|| spool.status()[0].last_error.is_some()).await;
    let error = spool.status().remove(0).last_error.unwrap();
    assert_eq!(
        error,
        "cannot write to the events file /dev/full: No space left on device (os error 28)"
    );
    finish(&spool, tasks).await;
}

#[tokio::test]
async fn the_head_of_the_chain_goes_to_every_sink_once_for_what_is_new() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).await.unwrap();
    let file = dir.path().join("events.jsonl");
    let (mut spool, mut tasks) = (Spool::new(store.clone()), JoinSet::new());
    spool
        .add(
            FileSink::open(&file, None, crate::sink::Format::Native, &store).await.unwrap(),
            &mut tasks,
        )
        .await
        .unwrap();
    spool.add(crate::sink::Terminal::stderr(), &mut tasks).await.unwrap();
    let machine = crate::drift::Node { host_name: "node-1".to_owned(), name: None, cluster: None };
    let id = ulid::Ulid::new();
    let note = crate::store::HeadNote { id, action: crate::drift::Action::Created, machine };
    let head = || Write::Head(Box::new(note.clone()));
    // Of nothing there is nothing to tell, and of a head neither.
    store.commit(vec![head()]).await.unwrap();
    store.commit(writes(3)).await.unwrap();
    store.commit(vec![head(), head()]).await.unwrap();
    store.commit(vec![head()]).await.unwrap();
    finish(&spool, tasks).await;
    let status = spool.status();
    assert!(status.iter().all(|sink| sink.queue_length == 0 && sink.failures == 0), "{status:?}");
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[3]["schema_version"], "driftline.chain/v1");
    assert_eq!((&lines[3]["chain.record"], &lines[3]["chain.seq"]), (&"head".into(), &3.into()));
    assert!(lines[3].get("drift.kind").is_none());
    // What it says of the third line is what anybody can compute.
    let head = format!("3:{}", lines[3]["chain.hash"].as_str().unwrap()).parse().unwrap();
    let verdict = crate::store::verify_events(&file, &[head]).unwrap();
    assert!(verdict.whole && verdict.heads[0].holds == Some(true), "{verdict:?}");
}

/// What a silence holds for.
fn silenced(object: &str) -> Write {
    let mut write = write(object);
    if let Some(event) = write.event_mut() {
        event.silence = Some(Box::new(crate::silence::Mark {
            id: ulid::Ulid::from_parts(1, 1),
            reason: "known".to_owned(),
            by: "ann".to_owned(),
            until: Timestamp::UNIX_EPOCH,
        }));
    }
    write
}

#[tokio::test]
async fn what_is_silenced_passes_by_those_who_are_called_and_is_in_the_record() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut tasks) = (Store::open(dir.path()).await.unwrap(), JoinSet::new());
    let (called, got) = fake("called", 0);
    let mut spool = Spool::new(store.clone());
    spool.add(called, &mut tasks).await.unwrap();
    let path = dir.path().join("events.jsonl");
    let file = FileSink::open(&path, None, crate::sink::Format::Native, &store).await.unwrap();
    spool.add(file, &mut tasks).await.unwrap();
    // Nobody's name for a file makes an exception of it.
    let crafted = write("/tmp/\"drift.silence.id\":\"01");
    store.commit(vec![silenced("/a")]).await.unwrap();
    until(|| spool.status().iter().all(|sink| sink.queue_length == 0)).await;
    let status = &spool.status()[0];
    assert_eq!((status.up, status.last_success), (None, None), "it was not spoken to");
    store.commit(vec![silenced("/b"), crafted, silenced("/c"), write("/d")]).await.unwrap();
    until(|| spool.status().iter().all(|sink| sink.queue_length == 0)).await;
    assert_eq!(*got.lock().unwrap(), [3, 5]);
    finish(&spool, tasks).await;
    let text = std::fs::read_to_string(&path).unwrap();
    let marked = text.lines().filter(|line| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        value["drift.silence.reason"] == "known"
    });
    assert_eq!((text.lines().count(), marked.count()), (5, 3));
}

#[tokio::test]
async fn a_canary_goes_by_itself_and_is_followed_also_by_a_sink_that_was_away() {
    struct Refuses(Vec<usize>, u64);
    impl Sink for Refuses {
        fn name(&self) -> &'static str {
            "refuses"
        }
        fn refused(&self) -> u64 {
            self.1
        }
        async fn deliver(&mut self, events: &[StoredEvent]) -> Result<(), SinkError> {
            self.0.push(events.len());
            // The second batch is the canary alone.
            self.1 += u64::from(self.0.len() == 2);
            assert!(self.0.len() != 2 || self.0 == [2, 1], "{:?}", self.0);
            Ok(())
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let (store, mut tasks) = (Store::open(dir.path()).await.unwrap(), JoinSet::new());
    let mut spool = Spool::new(store.clone());
    let (away, taken) = fake("away", 2);
    spool.add(away, &mut tasks).await.unwrap();
    spool.add(Refuses(Vec::new(), 0), &mut tasks).await.unwrap();
    let mut canary = write("/canary");
    let event = canary.event_mut().unwrap();
    event.canary = true;
    let id = event.id.to_string();
    store.commit(vec![write("/a"), write("/b"), canary, write("/c")]).await.unwrap();
    until(|| spool.status().iter().all(|sink| sink.queue_length == 0)).await;
    assert_eq!(*taken.lock().unwrap(), [1, 2, 3, 4]);
    let status = spool.status();
    let sighted = |at: usize| status[at].canary.clone().unwrap();
    assert_eq!((sighted(0).event, sighted(0).why), (id.clone(), None));
    let why = "its receiver refuses the event".to_owned();
    assert_eq!((sighted(1).event, sighted(1).why), (id, Some(why)));
    finish(&spool, tasks).await;
}
