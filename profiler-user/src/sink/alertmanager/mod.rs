//! Alerts for Alertmanager, by its API v2 (`POST /api/v2/alerts`).
//!
//! An alert is its labels, so they hold only what tells one problem from another: what drifted, how gravely, and
//! whose workload it was. Which pod, which file, how often: that changes while the alert stays the same,
//! and is in its annotations. An alert is never resolved; it lapses a quiet hour after its last event.
//! Until then it is sent every minute, as Alertmanager wants it, also by an agent that was restarted.
//!
//! Each URL is a sink of its own: every peer of a cluster gets every alert, and one that is down holds up no other.

mod alert;
mod api;
mod open;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use self::api::Api;
use self::open::OpenAlerts;
use super::{Sink, SinkError};
use crate::store::{Store, StoreError, StoredEvent};

pub use api::UrlError;

/// Quiet time after which an alert lapses.
pub(super) const QUIET: SignedDuration = SignedDuration::from_hours(1);

/// As Prometheus does it.
const RESEND: Duration = Duration::from_mins(1);

/// What comes in quick succession goes out as one.
const GATHER: Duration = Duration::from_secs(1);

/// Alerts in one request.
const BATCH: usize = 100;

/// Events that are read at once to know what is open.
const PAGE: u32 = 512;

/// One Alertmanager.
#[derive(Debug)]
pub struct Alertmanager {
    name: String,
    api: Api,
    open: OpenAlerts,
    /// Up to which event the alerts are counted: a batch that comes again is not counted again.
    merged: i64,
}

impl Alertmanager {
    /// `url`: where its API is, without `/api/v2/alerts`; may hold a user and a password, which are shown nowhere.
    /// `runbook`: the address of a page that has a section for each alert.
    pub fn new(url: &str, runbook: Option<String>) -> Result<Self, UrlError> {
        let api = Api::new(url)?;
        let name = format!("alertmanager:{}", api.shown());
        Ok(Self { name, api, open: OpenAlerts::new(runbook), merged: 0 })
    }

    /// Sends what has changed and what is due.
    ///
    /// An alert that alone is refused as malformed is said and let go; if nothing at all is taken, that is
    /// a failure of the whole.
    async fn send(&mut self) -> Result<(), SinkError> {
        let now = Timestamp::now();
        self.open.lapse(now);
        let due = self.open.due(Instant::now());
        let mut refused = None;
        let mut taken = 0;
        for batch in due.chunks(BATCH) {
            // Halves of what was refused; most of the time just the batch.
            let mut parts = vec![batch];
            while let Some(part) = parts.pop() {
                match self.api.post(&self.open.bodies(part, now)).await {
                    Ok(()) => {
                        taken += part.len();
                        self.open.sent(part, now, Instant::now());
                    }
                    Err(api::PostError::Malformed(_)) if part.len() > 1 => {
                        let (left, right) = part.split_at(part.len() / 2);
                        parts.extend([right, left]);
                    }
                    Err(api::PostError::Malformed(why)) => {
                        refused.get_or_insert((Vec::new(), why)).0.extend(part.iter().cloned());
                    }
                    Err(api::PostError::Failed(why)) => return Err(SinkError::new(why)),
                }
            }
        }
        match refused {
            Some((_, why)) if taken == 0 => Err(SinkError::new(why)),
            Some((labels, why)) => {
                eprintln!("driftline: {} alerts are let go: {why}", labels.len());
                self.open.sent(&labels, now, Instant::now());
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Sink for Alertmanager {
    fn name(&self) -> &str {
        &self.name
    }

    fn gather(&self) -> Duration {
        GATHER
    }

    /// To count them; no alert is made of one.
    fn takes_silenced(&self) -> bool {
        true
    }

    /// What an earlier run sent in the last hour is open.
    async fn restore(&mut self, store: &Store, cursor: i64) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let first = store.first_since(now - QUIET).await?;
        let mut after = first.map_or(cursor, |first| first - 1).min(cursor);
        'read: loop {
            let events = store.events_after(after, PAGE).await?;
            for event in &events {
                if event.seq > cursor {
                    break 'read;
                }
                self.open.merge(event, false);
                after = event.seq;
            }
            if events.is_empty() {
                break;
            }
        }
        self.merged = cursor;
        self.open.lapse(now);
        Ok(())
    }

    async fn try_out(&mut self) -> Option<Result<(), SinkError>> {
        Some(self.api.try_out().await)
    }

    /// Whether it shows the alert, whatever it does with it.
    async fn confirm(&mut self, event: &StoredEvent) -> Result<(), SinkError> {
        let id = serde_json::from_str::<alert::Keys>(&event.line).map_err(SinkError::new)?.id;
        self.api.shows(alert::CANARY, &id).await
    }

    async fn deliver(&mut self, events: &[StoredEvent]) -> Result<(), SinkError> {
        for event in events.iter().filter(|event| event.seq > self.merged) {
            self.open.merge(event, true);
        }
        self.merged = events.last().map_or(self.merged, |event| event.seq.max(self.merged));
        self.send().await
    }

    fn next_tick(&self) -> Option<Instant> {
        self.open.next_due()
    }

    async fn tick(&mut self) -> Result<(), SinkError> {
        self.send().await
    }
}

#[cfg(test)]
mod tests;
