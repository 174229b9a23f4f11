//! What is silenced.

use jiff::Timestamp;
use prometheus::{Gauge, IntCounterVec, IntGauge};

use super::maker::Maker;
use super::{SEVERITIES, gauge, seconds};
use crate::drift::Severity;

#[derive(Clone, Debug)]
pub(super) struct Silences {
    silenced: IntCounterVec,
    active: IntGauge,
    broken: IntGauge,
    next_end: Gauge,
}

impl Silences {
    pub(super) fn new(made: &Maker<'_>) -> prometheus::Result<Self> {
        let all = Self {
            silenced: made.counters(
                "silenced_drift_events_total",
                "Drift at its first occurrence that a silence holds for: stored, and nobody is called.",
                &["severity"],
            )?,
            active: made.gauge("silences_active", "Silences that hold.")?,
            broken: made.gauge(
                "silences_broken",
                "1 while the file of silences cannot be used; those that held before go on.",
            )?,
            next_end: made.time(
                "silences_next_end_timestamp_seconds",
                "When the next silence ends, since 1970; 0 where none holds.",
            )?,
        };
        for severity in SEVERITIES {
            all.silenced.with_label_values(&[severity.name()]);
        }
        Ok(all)
    }

    pub(super) fn drift(&self, severity: Severity) {
        self.silenced.with_label_values(&[severity.name()]).inc();
    }

    pub(super) fn tell(&self, active: u64, next_end: Option<Timestamp>, broken: bool) {
        self.active.set(gauge(active));
        self.next_end.set(next_end.map_or(0., seconds));
        self.broken.set(i64::from(broken));
    }
}
