//! The metrics, at most 1,000 series: nothing is labelled by what there may be any number of.

mod maker;
mod silences;
mod sinks;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use prometheus::{Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder};

use self::maker::Maker;
use self::silences::Silences;
use self::sinks::Sinks;
use super::namespaces::Namespaces;
use crate::attest::Reason;
use crate::drift::{DriftKind, Severity};
use crate::sink::SinkStatus;
use crate::store::Retained;

/// What may become of evidence.
const EVIDENCE: [&str; 8] = [
    "bundle",
    "executable",
    "failed",
    "limited",
    "process_caught",
    "process_gone",
    "queue_full",
    "removed",
];

pub(super) const SEVERITIES: [Severity; 5] =
    [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

/// All that the agent counts; cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    drift: IntCounterVec,
    namespaces: Arc<Mutex<Namespaces>>,
    lost: IntCounterVec,
    containers: IntGaugeVec,
    unresolved: IntCounter,
    images_unprofiled: IntGauge,
    baselines: IntGauge,
    baselines_refused: IntGaugeVec,
    blind: IntGaugeVec,
    evidence: IntCounterVec,
    store_failures: IntCounter,
    store_bytes: IntGauge,
    store_over: IntGauge,
    store_removed: IntCounterVec,
    store_undelivered: IntCounter,
    runtime_up: IntGauge,
    last_event: Gauge,
    sinks: Sinks,
    silences: Silences,
    baselines_unsigned: IntGauge,
    store_free: IntGauge,
}

/// Containers on the node, by what is done with them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Containers {
    pub watched: u64,
    pub recorded: u64,
    /// There is no baseline for the image.
    pub unprofiled: u64,
    /// Nobody knows yet whose they are.
    pub unresolved: u64,
    pub ignored: u64,
}

impl Metrics {
    /// `started`: when the agent did; rules tell by it what a counter holds of the last minutes.
    pub fn new(started: Timestamp) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let made = &Maker(&registry);
        let build = made.gauges("build_info", "Always 1; what this agent is.", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let start = made.time("start_time_seconds", "When this agent started, since 1970.")?;
        start.set(seconds(started));
        let by_namespace = made.counters(
            "namespace_drift_events_total",
            "Drift by namespace; '(other)' where there are more than 100.",
            &["namespace", "severity"],
        )?;
        let metrics = Self {
            drift: made.counters(
                "drift_events_total",
                "Behaviours that no baseline holds, at their first occurrence.",
                &["kind", "severity"],
            )?,
            namespaces: Arc::new(Mutex::new(Namespaces::new(by_namespace))),
            lost: made.counters(
                "lost_events_total",
                "Events that the sensor could not deliver.",
                &["kind"],
            )?,
            containers: made.gauges("containers", "Containers on this node.", &["state"])?,
            unresolved: made.counter(
                "containers_unresolved_total",
                "Containers of which nobody said whose they were.",
            )?,
            images_unprofiled: made
                .gauge("images_unprofiled", "Images in use that have no baseline.")?,
            baselines: made.gauge("baselines", "Baselines that are loaded.")?,
            baselines_refused: made.gauges(
                "baselines_refused",
                "Baselines that are there and not believed.",
                &["reason"],
            )?,
            blind: made.gauges(
                "blind_behaviours",
                "1 where no probe sees this behaviour.",
                &["behaviour"],
            )?,
            evidence: made.counters(
                "evidence_captures_total",
                "What became of evidence of drift that was to be kept.",
                &["result"],
            )?,
            store_failures: made
                .counter("store_failures_total", "Commits to the store that failed.")?,
            store_bytes: made.gauge("store_bytes", "Bytes of the store's file that are in use.")?,
            store_over: made.gauge(
                "store_over_limit",
                "1 while the store is larger than it may be, and nothing that may go is left.",
            )?,
            store_removed: made.counters(
                "store_removed_events_total",
                "Events that retention removed, by why.",
                &["reason"],
            )?,
            store_undelivered: made.counter(
                "store_undelivered_events_total",
                "Events that were removed although a sink had not taken them.",
            )?,
            runtime_up: made.gauge("runtime_up", "1 while the container runtime answers.")?,
            last_event: made.time(
                "last_event_timestamp_seconds",
                "When the last drift was seen, since 1970.",
            )?,
            baselines_unsigned: made.gauge(
                "baselines_unsigned",
                "Baselines that are judged by although no trusted key answers for them.",
            )?,
            store_free: made.gauge(
                "store_free_bytes",
                "Bytes that are free on the file system of the store.",
            )?,
            sinks: Sinks::new(made)?,
            silences: Silences::new(made)?,
            registry: registry.clone(),
        };
        for result in EVIDENCE {
            metrics.evidence.with_label_values(&[result]);
        }
        for kind in DriftKind::ALL {
            for severity in SEVERITIES {
                metrics.drift.with_label_values(&[kind.name(), severity.name()]);
            }
        }
        for reason in Reason::ALL {
            metrics.baselines_refused(reason, 0);
        }
        metrics.containers(Containers::default());
        metrics.retained(&Retained::default());
        Ok(metrics)
    }

    /// A drift at its first occurrence. Call [`Self::namespace_seen`] when the container starts, not only here.
    pub fn drift(
        &self,
        kind: DriftKind,
        severity: Severity,
        namespace: Option<&str>,
        time: Timestamp,
    ) {
        self.drift.with_label_values(&[kind.name(), severity.name()]).inc();
        self.last_event.set(seconds(time));
        if let Some(namespace) = namespace {
            let mut namespaces = self.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
            namespaces.count(namespace, severity, Instant::now());
        }
    }

    /// The same where a silence holds for it: it calls nobody by way of Prometheus either.
    pub fn silenced_drift(&self, severity: Severity, time: Timestamp) {
        self.silences.drift(severity);
        self.last_event.set(seconds(time));
    }

    /// `next_end`: when the first of them ends.
    pub fn silences(&self, active: u64, next_end: Option<Timestamp>, broken: bool) {
        self.silences.tell(active, next_end, broken);
    }

    pub fn canary_every(&self, every: Option<Duration>) {
        self.sinks.canary_every(every);
    }

    /// What became of a canary at a sink.
    pub fn canary(&self, sink: &str, arrived: bool, now: Timestamp) {
        self.sinks.canary(sink, arrived, now);
    }

    /// The namespace has a container: its series are there, at first with 0. Call it every few minutes for each that
    /// has; the series of one that is not told of for an hour are dropped.
    pub fn namespace_seen(&self, namespace: &str) {
        let mut namespaces = self.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
        namespaces.seen(namespace, Instant::now());
    }

    /// So many more events of a kind did not get through. With 0 the kind is there to be watched.
    pub fn lost(&self, kind: &str, more: u64) {
        self.lost.with_label_values(&[kind]).inc_by(more);
    }

    pub fn containers(&self, containers: Containers) {
        let Containers { watched, recorded, unprofiled, unresolved, ignored } = containers;
        for (state, value) in [
            ("watched", watched),
            ("recorded", recorded),
            ("unprofiled", unprofiled),
            ("unresolved", unresolved),
            ("ignored", ignored),
        ] {
            self.containers.with_label_values(&[state]).set(gauge(value));
        }
    }

    /// One more container ended, or was waited for long enough, without anybody saying whose it was.
    pub fn container_unresolved(&self) {
        self.unresolved.inc();
    }

    pub fn images_unprofiled(&self, images: u64) {
        self.images_unprofiled.set(gauge(images));
    }

    pub fn baselines(&self, baselines: u64) {
        self.baselines.set(gauge(baselines));
    }

    /// Of those that are loaded.
    pub fn baselines_unsigned(&self, baselines: u64) {
        self.baselines_unsigned.set(gauge(baselines));
    }

    /// Room on the disk of the store.
    pub fn store_free(&self, bytes: u64) {
        self.store_free.set(gauge(bytes));
    }

    pub fn baselines_refused(&self, reason: Reason, baselines: u64) {
        self.baselines_refused.with_label_values(&[reason.name()]).set(gauge(baselines));
    }

    /// Tell of every behaviour, so that each is there to be watched.
    pub fn blind(&self, behaviour: &str, blind: bool) {
        self.blind.with_label_values(&[behaviour]).set(i64::from(blind));
    }

    pub fn runtime_up(&self, up: bool) {
        self.runtime_up.set(i64::from(up));
    }

    /// What [`StoreWriter::status`](crate::store::StoreWriter::status) says of failures, since the start.
    /// `result`: one of [`EVIDENCE`].
    pub(crate) fn evidence(&self, result: &'static str) {
        self.evidence.with_label_values(&[result]).inc();
    }

    pub fn store_failures(&self, failures: u64) {
        raise(&self.store_failures, failures);
    }

    /// What retention has done since the start.
    pub fn retained(&self, retained: &Retained) {
        self.store_bytes.set(gauge(retained.bytes));
        self.store_over.set(i64::from(retained.is_over));
        for (reason, rows) in
            [("age", retained.by_age), ("repeats", retained.by_repeats), ("size", retained.by_size)]
        {
            raise(&self.store_removed.with_label_values(&[reason]), rows);
        }
        raise(&self.store_undelivered, retained.undelivered);
    }

    /// What [`Spool::status`](crate::sink::Spool::status) says.
    pub fn sinks(&self, sinks: &[SinkStatus]) {
        self.sinks.tell(sinks);
    }

    /// In Prometheus' text format.
    pub fn text(&self) -> prometheus::Result<String> {
        self.namespaces.lock().unwrap_or_else(PoisonError::into_inner).expire(Instant::now());
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// Up to what somebody else counted.
fn raise(counter: &IntCounter, to: u64) {
    counter.inc_by(to.saturating_sub(counter.get()));
}

fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn seconds(time: Timestamp) -> f64 {
    time.as_duration().as_secs_f64()
}

#[cfg(test)]
mod tests;
