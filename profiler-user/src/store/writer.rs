//! The task that writes: whatever waits goes out as one transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::{Store, StoreError, Write};
use crate::sink::Backoff;

/// Writes that may wait: at about 4 KiB each, 16 MiB.
const QUEUE: usize = 4096;

/// Writes in one transaction: the first of many does not wait for the last of too many.
const BATCH: usize = 1024;

/// How long the end is held up by a store that cannot be written to.
const GRACE: Duration = Duration::from_secs(5);

/// Where writes are handed in; cheap to clone. The task ends when all clones are gone.
#[derive(Clone, Debug)]
pub struct StoreWriter {
    queue: mpsc::Sender<Write>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    failing: AtomicBool,
    failures: AtomicU64,
    not_written: AtomicU64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WriterStatus {
    /// The last try failed.
    pub failing: bool,
    /// Commits that failed, those that were tried again included.
    pub failures: u64,
    /// Writes that were given up.
    pub not_written: u64,
    /// Writes that wait.
    pub queued: usize,
}

impl StoreWriter {
    /// The second part writes; it is to be spawned, and to be awaited after the last writer is gone. Its result is the
    /// number of writes that were given up.
    pub fn new(store: Store) -> (Self, impl Future<Output = u64> + Send + 'static) {
        let (queue, writes) = mpsc::channel(QUEUE);
        let shared = Arc::<Shared>::default();
        let task =
            Task { store, writes, shared: Arc::clone(&shared), gave_up: None, closed_since: None };
        (Self { queue, shared }, task.run())
    }

    /// Hands a write in. While the store works, a full queue is waited for, so that whoever writes too fast is slowed
    /// down; while it fails, what no longer fits is counted as not written, so that watching goes on.
    pub async fn write(&self, write: Write) {
        let Err(error) = self.queue.try_send(write) else { return };
        let mpsc::error::TrySendError::Full(write) = error else { return self.give_up() };
        let room = loop {
            if self.shared.failing.load(Ordering::Relaxed) {
                return self.give_up();
            }
            match tokio::time::timeout(Duration::from_millis(100), self.queue.reserve()).await {
                Ok(Ok(room)) => break room,
                Ok(Err(_)) => return self.give_up(),
                Err(_) => {}
            }
        };
        room.send(write);
    }

    /// Hands in what may be left out where the queue is full.
    pub fn offer(&self, write: Write) {
        let _may_be_full = self.queue.try_send(write);
    }

    pub fn status(&self) -> WriterStatus {
        WriterStatus {
            failing: self.shared.failing.load(Ordering::Relaxed),
            failures: self.shared.failures.load(Ordering::Relaxed),
            not_written: self.shared.not_written.load(Ordering::Relaxed),
            queued: self.queue.max_capacity() - self.queue.capacity(),
        }
    }

    fn give_up(&self) {
        self.shared.not_written.fetch_add(1, Ordering::Relaxed);
    }
}

struct Task {
    store: Store,
    writes: mpsc::Receiver<Write>,
    shared: Arc<Shared>,
    /// Since when writes were given up, and how many had been before.
    gave_up: Option<(Timestamp, u64)>,
    /// Since when it is waited for with nobody left to hand anything in.
    closed_since: Option<Instant>,
}

impl Task {
    async fn run(mut self) -> u64 {
        let mut batch = Vec::new();
        while self.writes.recv_many(&mut batch, BATCH).await > 0 {
            self.keep_trying(&mut batch).await;
            batch.clear();
        }
        self.shared.not_written.load(Ordering::Relaxed)
    }

    /// Returns when the batch is written, or when trying on is in vain.
    async fn keep_trying(&mut self, batch: &mut [Write]) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            let Err(error) = self.store.commit_all(batch).await else {
                return self.recovered().await;
            };
            self.shared.failures.fetch_add(1, Ordering::Relaxed);
            if error.is_permanent() {
                return self.one_by_one(batch).await;
            }
            if error.is_damage() && !self.shared.failing.load(Ordering::Relaxed) {
                self.store.suspect();
            }
            self.say_once(&error);
            if self.writes.is_closed()
                && self.closed_since.get_or_insert_with(Instant::now).elapsed() > GRACE
            {
                self.shared.not_written.fetch_add(batch.len() as u64, Ordering::Relaxed);
                return;
            }
            sleep(backoff.next()).await;
        }
    }

    /// One of them is refused for what it is: the others must not suffer for it.
    async fn one_by_one(&mut self, batch: &mut [Write]) {
        for write in batch {
            if let Err(error) = self.store.commit_all(std::slice::from_mut(write)).await {
                self.shared.failures.fetch_add(1, Ordering::Relaxed);
                self.shared.not_written.fetch_add(1, Ordering::Relaxed);
                eprintln!("driftline: a record is left out: {error}");
            }
        }
    }

    fn say_once(&mut self, error: &StoreError) {
        if self.shared.failing.swap(true, Ordering::Relaxed) {
            return;
        }
        self.gave_up = Some((Timestamp::now(), self.shared.not_written.load(Ordering::Relaxed)));
        eprintln!("driftline: {error}; until then up to {QUEUE} records are kept in memory");
    }

    /// What was not written is a gap in the history, and the history says so.
    async fn recovered(&mut self) {
        if !self.shared.failing.swap(false, Ordering::Relaxed) {
            return;
        }
        let not_written = self.shared.not_written.load(Ordering::Relaxed);
        let Some((from, before)) = self.gave_up.take() else { return };
        let missing = not_written - before;
        eprintln!("driftline: the store is written to again; {missing} records are missing");
        if missing > 0 {
            let why = format!("the store could not be written to; {missing} records are missing");
            let gap = Write::Gap { container: None, from, to: Timestamp::now(), why, event: None };
            if let Err(error) = self.store.commit(vec![gap]).await {
                eprintln!("driftline: {error}");
            }
        }
    }
}
