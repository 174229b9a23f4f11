//! How the sinks do, and whether canaries come out of them.

use std::time::Duration;

use jiff::Timestamp;
use prometheus::{Gauge, GaugeVec, IntCounterVec, IntGaugeVec};

use super::maker::Maker;
use super::{gauge, raise, seconds};
use crate::sink::SinkStatus;

#[derive(Clone, Debug)]
pub(super) struct Sinks {
    up: IntGaugeVec,
    queue: IntGaugeVec,
    failures: IntCounterVec,
    refused: IntCounterVec,
    success: GaugeVec,
    canary_every: Gauge,
    canary_success: GaugeVec,
    canary_failures: IntCounterVec,
}

impl Sinks {
    pub(super) fn new(made: &Maker<'_>) -> prometheus::Result<Self> {
        Ok(Self {
            up: made.gauges(
                "sink_up",
                "1 where the sink worked when it was last tried or given something.",
                &["sink"],
            )?,
            queue: made.gauges(
                "sink_queue_length",
                "Committed events that the sink has not taken.",
                &["sink"],
            )?,
            refused: made.counters(
                "sink_refused_events_total",
                "Events that the sink's receiver will never take, and that were let go.",
                &["sink"],
            )?,
            failures: made.counters(
                "sink_failures_total",
                "Deliveries that failed and are tried again.",
                &["sink"],
            )?,
            success: made.times(
                "sink_last_success_timestamp_seconds",
                "When the sink last took something, since 1970; 0 if it never did.",
                &["sink"],
            )?,
            canary_every: made.time(
                "canary_interval_seconds",
                "How often a canary is run by itself; 0 where none is.",
            )?,
            canary_success: made.times(
                "canary_last_success_timestamp_seconds",
                "When a canary last came out of this sink, since 1970; 0 if none did.",
                &["sink"],
            )?,
            canary_failures: made.counters(
                "canary_failures_total",
                "Canaries that did not come out of this sink.",
                &["sink"],
            )?,
        })
    }

    pub(super) fn tell(&self, sinks: &[SinkStatus]) {
        for sink in sinks {
            let name = [sink.name.as_str()];
            if let Some(up) = sink.up {
                self.up.with_label_values(&name).set(i64::from(up));
            }
            self.queue.with_label_values(&name).set(gauge(sink.queue_length));
            raise(&self.failures.with_label_values(&name), sink.failures);
            raise(&self.refused.with_label_values(&name), sink.refused);
            self.success.with_label_values(&name).set(sink.last_success.map_or(0., seconds));
            // There from the start, or an agent none of whose canaries ever arrived would have nothing stale.
            if self.canary_every.get() > 0. {
                self.canary_success.with_label_values(&name);
                self.canary_failures.with_label_values(&name);
            }
        }
    }

    pub(super) fn canary_every(&self, every: Option<Duration>) {
        self.canary_every.set(every.map_or(0., |every| every.as_secs_f64()));
    }

    pub(super) fn canary(&self, sink: &str, arrived: bool, now: Timestamp) {
        let success = self.canary_success.with_label_values(&[sink]);
        let failures = self.canary_failures.with_label_values(&[sink]);
        if arrived {
            success.set(seconds(now));
        } else {
            failures.inc();
        }
    }
}
