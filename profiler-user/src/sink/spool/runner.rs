//! The task behind one sink: tries it out, delivers, waits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Progress, Sighted, Sink, SinkError};
use crate::sink::{Backoff, is_canary, is_silenced};
use crate::store::{Store, StoredEvent};

/// Events that a sink gets at once.
const BATCH: u32 = 256;

/// Waits between tries: the first, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// After so long without a word to it, a sink is tried out again: that it is dead shall be known before it is needed.
const SILENCE: Duration = Duration::from_mins(5);

pub(super) struct Runner<S> {
    sink: S,
    store: Store,
    cursor: i64,
    progress: Arc<Mutex<Progress>>,
    /// When it is to be tried out; never where there is nothing to try.
    try_at: Option<Instant>,
    /// That it works was not said yet.
    is_untold: bool,
}

#[derive(Deserialize)]
struct Named {
    #[serde(rename = "event.id")]
    id: String,
}

/// What is to be done next.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Step {
    TryOut,
    Deliver,
    Tick,
}

impl<S: Sink> Runner<S> {
    pub(super) fn new(sink: S, store: Store, cursor: i64, progress: Arc<Mutex<Progress>>) -> Self {
        Self { sink, store, cursor, progress, try_at: Some(Instant::now()), is_untold: true }
    }

    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut newest = self.store.newest();
        let mut backoff = Backoff::new(WAITS.0, WAITS.1);
        let mut is_first = true;
        loop {
            let news = *newest.borrow_and_update() > self.cursor;
            if !news && *stop.borrow() {
                return;
            }
            let next = self.next(std::mem::take(&mut is_first), news);
            let result = match next {
                Some(Step::TryOut) => match self.try_out(&mut stop, news, newest.clone()).await {
                    Some(result) => result,
                    None => continue,
                },
                Some(Step::Deliver) => {
                    wait(self.sink.gather(), &mut stop).await;
                    match self.deliver().await {
                        Some(result) => result,
                        None => continue,
                    }
                }
                Some(Step::Tick) => self.sink.tick().await,
                None => {
                    let due = [self.sink.next_tick(), self.try_at].into_iter().flatten().min();
                    tokio::select! {
                        _ = newest.changed() => {}
                        _ = stop.wait_for(|stop| *stop) => {}
                        () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                    }
                    continue;
                }
            };
            self.note(&result, next == Some(Step::TryOut));
            let silence = if result.is_ok() { SILENCE } else { Duration::ZERO };
            self.try_at = self.try_at.map(|_| Instant::now() + silence);
            if result.is_ok() {
                backoff.reset();
            } else if *stop.borrow() && next != Some(Step::TryOut) {
                return;
            } else {
                wait(backoff.next(), &mut stop).await;
            }
        }
    }

    /// None: nothing is due.
    fn next(&self, is_first: bool, news: bool) -> Option<Step> {
        let now = Instant::now();
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        match () {
            () if is_first => Some(Step::TryOut),
            () if news => Some(Step::Deliver),
            () if is_due(self.sink.next_tick()) => Some(Step::Tick),
            () if is_due(self.try_at) => Some(Step::TryOut),
            () => None,
        }
    }

    /// None where there is nothing to try, or something better to do: a delivery tells as much, and a receiver that hangs
    /// shall not hold up the first one.
    async fn try_out(
        &mut self,
        stop: &mut watch::Receiver<bool>,
        news: bool,
        mut newest: watch::Receiver<i64>,
    ) -> Option<Result<(), SinkError>> {
        let result = tokio::select! {
            biased;
            result = self.sink.try_out() => result,
            () = std::future::ready(()), if news => return None,
            _ = newest.changed() => return None,
            _ = stop.wait_for(|stop| *stop) => return None,
        };
        if result.is_none() {
            (self.try_at, self.is_untold) = (None, false);
        }
        result
    }

    /// None where there was nothing for this sink: how it does is as unknown as before.
    async fn deliver(&mut self) -> Option<Result<(), SinkError>> {
        let events = self.store.events_after(self.cursor, BATCH).await.map_err(SinkError::new);
        let mut events = match events {
            Ok(events) => events,
            Err(error) => return Some(Err(error)),
        };
        let mut last = events.last().map(|event| event.seq)?;
        if !self.sink.takes_silenced() {
            events.retain(|event| !is_silenced(event));
        }
        // A canary goes by itself, so that what becomes of it is known of it.
        let canary = events.iter().position(is_canary);
        if let Some(at) = canary {
            events.truncate(at.max(1));
            last = events.last().map_or(last, |event| event.seq);
        }
        let refused = self.sink.refused();
        if !events.is_empty()
            && let Err(error) = self.sink.deliver(&events).await
        {
            return Some(Err(error));
        }
        if canary == Some(0)
            && let Some(event) = events.first()
        {
            self.follow(event, self.sink.refused() > refused).await;
        }
        self.cursor = last;
        // If it cannot be noted, a crash repeats more; the next batch notes it as well.
        let _noted_later = self.store.advance(self.sink.name(), self.cursor).await;
        if events.is_empty() {
            self.progress.lock().unwrap_or_else(PoisonError::into_inner).cursor = last;
            return None;
        }
        Some(Ok(()))
    }

    /// Looks where a canary has come to.
    async fn follow(&mut self, event: &StoredEvent, was_refused: bool) {
        let Ok(Named { id }) = serde_json::from_str(&event.line) else { return };
        let result = if was_refused {
            Err(SinkError::new("its receiver refuses the event"))
        } else {
            self.sink.confirm(event).await
        };
        let why = result.err().map(|error| error.to_string());
        let sighted = Sighted { event: id, at: Instant::now(), why };
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.status.canary = Some(sighted);
    }

    /// Says once whether it works, then when it begins to fail, and when it works again.
    fn note(&mut self, result: &Result<(), SinkError>, was_tried_out: bool) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.cursor = self.cursor;
        let status = &mut progress.status;
        status.refused = self.sink.refused();
        let before = status.up.replace(result.is_ok());
        match result {
            Ok(()) => {
                if !was_tried_out {
                    status.last_success = Some(Timestamp::now());
                }
                if before == Some(false) {
                    eprintln!("driftline: the sink {} takes events again", status.name);
                } else if self.is_untold {
                    eprintln!("driftline: the sink {} works", status.name);
                }
                self.is_untold = false;
                status.last_error = None;
            }
            Err(error) => {
                status.failures += u64::from(!was_tried_out);
                if status.last_error.replace(error.to_string()).is_none() {
                    let name = &status.name;
                    eprintln!("driftline: the sink {name} fails: {error}; its events wait");
                }
            }
        }
    }
}

/// As long as it is said, but not into the end.
async fn wait(time: Duration, stop: &mut watch::Receiver<bool>) {
    if !time.is_zero() {
        tokio::select! {
            () = sleep(time) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
}
