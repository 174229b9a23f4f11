//! From the store to the sinks: each has a cursor there, and a task that carries what lies behind it.
//!
//! **Invariant:** a cursor moves only past what its sink took. So after a crash a sink may get a batch twice, and
//! never misses one; and a sink that is down holds up no other.

mod runner;

use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use self::runner::Runner;
use crate::store::{Store, StoreError, StoredEvent};

/// How long the end waits for a sink: longer than one that never answers is waited for.
const GRACE: Duration = Duration::from_secs(12);

/// Takes events out of the house.
pub trait Sink: Send + 'static {
    /// Names its cursor and its metrics; the same after a restart.
    fn name(&self) -> &str;

    /// How long to wait for more once there is something to deliver.
    fn gather(&self) -> Duration {
        Duration::ZERO
    }

    /// Called once before anything is delivered; `cursor` is how far an earlier run came.
    fn restore(
        &mut self,
        _store: &Store,
        _cursor: i64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        async { Ok(()) }
    }

    /// Whether it would take something, without anybody being told of anything: at the start, and whenever it was not
    /// spoken to for a while. None where there is nothing to try.
    fn try_out(&mut self) -> impl Future<Output = Option<Result<(), SinkError>>> + Send {
        async { None }
    }

    /// Whether it is told of what a silence holds for: those who are called are not.
    fn takes_silenced(&self) -> bool {
        false
    }

    /// Takes the events, all or none. After an error the same events come again, and maybe more behind them.
    fn deliver(
        &mut self,
        events: &[StoredEvent],
    ) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Whether an event that it took came to where it was meant to go, as far as that can be asked. Asked of canaries.
    fn confirm(
        &mut self,
        _event: &StoredEvent,
    ) -> impl Future<Output = Result<(), SinkError>> + Send {
        async { Ok(()) }
    }

    /// Events that it let go since the start, because the receiver takes them never.
    fn refused(&self) -> u64 {
        0
    }

    /// When it has something to do without news.
    fn next_tick(&self) -> Option<Instant> {
        None
    }

    /// Called when it is time; after an error again.
    fn tick(&mut self) -> impl Future<Output = Result<(), SinkError>> + Send {
        async { Ok(()) }
    }
}

/// Why a sink did not take something, as a sentence without a full stop; holds no credentials.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SinkError(String);

impl SinkError {
    pub fn new(why: impl Display) -> Self {
        Self(why.to_string())
    }
}

/// How a sink does.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkStatus {
    pub name: String,
    /// Whether it worked when it was last tried or given something; absent before that.
    pub up: Option<bool>,
    /// Committed events that it has not taken yet.
    pub queue_length: u64,
    /// Tries that failed, since the start.
    pub failures: u64,
    /// Events that the receiver will never take and that were let go, since the start.
    pub refused: u64,
    /// Since the start; absent while there was nothing to do.
    pub last_success: Option<Timestamp>,
    /// Why the last try failed; absent where it did not.
    pub last_error: Option<String>,
    /// The newest canary that it was given.
    pub canary: Option<Sighted>,
}

/// What became of a canary at a sink.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighted {
    /// `event.id`
    pub event: String,
    pub at: Instant,
    /// Why it did not arrive although the sink took it; absent where it did.
    pub why: Option<String>,
}

/// The sinks that follow one store.
#[derive(Debug)]
pub struct Spool {
    store: Store,
    stop: watch::Sender<bool>,
    sinks: Vec<Arc<Mutex<Progress>>>,
}

#[derive(Debug)]
struct Progress {
    cursor: i64,
    status: SinkStatus,
}

impl Spool {
    pub fn new(store: Store) -> Self {
        Self { store, stop: watch::Sender::new(false), sinks: Vec::new() }
    }

    /// Starts to deliver. A sink that this store never knew begins with what is committed from now on, so add
    /// all of them before the first event is written.
    pub async fn add<S: Sink>(
        &mut self,
        mut sink: S,
        tasks: &mut JoinSet<()>,
    ) -> Result<(), StoreError> {
        let name = sink.name().to_owned();
        let cursor = self.store.cursor(&name).await?;
        sink.restore(&self.store, cursor).await?;
        let status = SinkStatus {
            name,
            up: None,
            queue_length: 0,
            failures: 0,
            refused: 0,
            last_success: None,
            last_error: None,
            canary: None,
        };
        let progress = Arc::new(Mutex::new(Progress { cursor, status }));
        self.sinks.push(Arc::clone(&progress));
        let runner = Runner::new(sink, self.store.clone(), cursor, progress);
        let (stop, mut stopped) = (self.stop.subscribe(), self.stop.subscribe());
        tasks.spawn(async move {
            tokio::select! {
                () = runner.run(stop) => {}
                // It hangs: what it did not take is there for the next run.
                () = async { let _ = stopped.wait_for(|stop| *stop).await; sleep(GRACE).await } => {}
            }
        });
        Ok(())
    }

    /// How all sinks do, in the order in which they were added.
    pub fn status(&self) -> Vec<SinkStatus> {
        let newest = *self.store.newest().borrow();
        let status = |progress: &Arc<Mutex<Progress>>| {
            let progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
            let queue_length = u64::try_from(newest - progress.cursor).unwrap_or(0);
            SinkStatus { queue_length, ..progress.status.clone() }
        };
        self.sinks.iter().map(status).collect()
    }

    /// Has the sinks take what is committed by now, each with one try, and then end. Their tasks are to be awaited.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

#[cfg(test)]
mod tests;
