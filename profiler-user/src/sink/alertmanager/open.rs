//! The alerts that are open.

use std::collections::HashMap;

use jiff::Timestamp;
use tokio::time::Instant;

use super::alert::{Alert, Body, Keys, Labels};
use super::{QUIET, RESEND};
use crate::sink::is_silenced;
use crate::store::StoredEvent;

/// Drifts whose count is known, at about 100 bytes each. Beyond that, those that were quiet longest are
/// forgotten; should one repeat, its occurrences count twice.
const COUNTED: usize = 16_384;

/// Alerts that may be open, at about 3 KiB each. Beyond that, what was quiet longest lapses early.
const OPEN: usize = 1_000;

#[derive(Debug)]
pub(super) struct OpenAlerts {
    alerts: HashMap<Labels, Alert>,
    /// By `event.id`: what its newest event counted, and when.
    counted: HashMap<String, (u64, Timestamp)>,
    runbook: Option<String>,
}

impl OpenAlerts {
    pub(super) fn new(runbook: Option<String>) -> Self {
        Self { alerts: HashMap::new(), counted: HashMap::new(), runbook }
    }

    /// Takes an event in; `news` where nobody was told of it yet.
    pub(super) fn merge(&mut self, event: &StoredEvent, news: bool) {
        // A word about the chain is no alert.
        if !event.is_drift() {
            return;
        }
        // An event that has other keys is of no use to one.
        let Ok(keys) = serde_json::from_str::<Keys>(&event.line) else { return };
        self.make_room();
        let before = self.counted.insert(keys.id.clone(), (keys.count, event.last));
        let more = keys.count.saturating_sub(before.map_or(0, |(count, _)| count));
        // Counted all the same, so that what happens after the silence is not told together with what happened in it.
        if is_silenced(event) {
            return;
        }
        let labels = Labels::of(event, &keys);
        let alert = if let Some(alert) = self.alerts.get_mut(&labels) {
            alert.add(event, keys, more);
            alert
        } else {
            // What no event before told of, or all of it, where none did.
            let mut keys = keys;
            keys.count = before.map_or(keys.count, |_| more);
            self.alerts.entry(labels).or_insert_with(|| Alert::new(event, keys))
        };
        alert.changed |= news;
    }

    /// Forgets what Alertmanager considers over.
    pub(super) fn lapse(&mut self, now: Timestamp) {
        self.alerts.retain(|_, alert| !alert.has_lapsed(now));
        self.counted.retain(|_, (_, last)| *last + QUIET > now);
    }

    /// What has changed, and what was last sent a while ago.
    pub(super) fn due(&self, now: Instant) -> Vec<Labels> {
        let due = self.alerts.iter().filter(|(_, alert)| due_at(alert).is_none_or(|at| at <= now));
        due.map(|(labels, _)| labels.clone()).collect()
    }

    /// When the next alert is to be sent, where any is open.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let now = Instant::now();
        self.alerts.values().map(|alert| due_at(alert).unwrap_or(now)).min()
    }

    pub(super) fn bodies(&self, labels: &[Labels], now: Timestamp) -> Vec<Body<'_>> {
        let alerts = labels.iter().filter_map(|labels| self.alerts.get_key_value(labels));
        alerts.map(|(labels, alert)| alert.body(labels, self.runbook.as_deref(), now)).collect()
    }

    pub(super) fn sent(&mut self, labels: &[Labels], now: Timestamp, at: Instant) {
        for labels in labels {
            if let Some(alert) = self.alerts.get_mut(labels) {
                alert.told(now, at);
            }
        }
    }

    fn make_room(&mut self) {
        if self.counted.len() >= COUNTED {
            let mut lasts: Vec<_> = self.counted.values().map(|(_, last)| *last).collect();
            let (_, median, _) = lasts.select_nth_unstable(COUNTED / 2);
            let median = *median;
            self.counted.retain(|_, (_, last)| *last > median);
        }
        if self.alerts.len() >= OPEN
            && let Some(quiet) = self
                .alerts
                .iter()
                .min_by_key(|(_, alert)| alert.last())
                .map(|(labels, _)| labels.clone())
        {
            self.alerts.remove(&quiet);
        }
    }
}

/// Absent: at once.
fn due_at(alert: &Alert) -> Option<Instant> {
    if alert.changed { None } else { alert.sent.map(|at| at + RESEND) }
}
