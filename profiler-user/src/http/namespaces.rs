//! Drift by namespace: bounded, and forgotten when a namespace is gone.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use prometheus::IntCounterVec;

use super::metrics::SEVERITIES;
use crate::drift::Severity;

/// Namespaces that have series of their own; all others share one.
pub(super) const MAX: usize = 100;

/// Where there is no room left.
pub(super) const OTHER: &str = "(other)";

/// A namespace without containers keeps its series for so long.
pub(super) const KEPT: Duration = Duration::from_hours(1);

#[derive(Debug)]
pub(super) struct Namespaces {
    counters: IntCounterVec,
    seen: HashMap<String, Instant>,
}

impl Namespaces {
    pub(super) fn new(counters: IntCounterVec) -> Self {
        Self { counters, seen: HashMap::new() }
    }

    /// One that is new gets its series at 0, so that its first drift is an increase.
    pub(super) fn seen(&mut self, namespace: &str, now: Instant) {
        let label = self.label(namespace, now);
        for severity in SEVERITIES {
            self.counters.with_label_values(&[label, severity.name()]);
        }
    }

    pub(super) fn count(&mut self, namespace: &str, severity: Severity, now: Instant) {
        self.seen(namespace, now);
        let label = self.label(namespace, now);
        self.counters.with_label_values(&[label, severity.name()]).inc();
    }

    fn label<'a>(&mut self, namespace: &'a str, now: Instant) -> &'a str {
        if let Some(at) = self.seen.get_mut(namespace) {
            *at = now;
            return namespace;
        }
        if self.seen.len() >= MAX {
            self.expire(now);
        }
        if self.seen.len() >= MAX {
            return OTHER;
        }
        self.seen.insert(namespace.to_owned(), now);
        namespace
    }

    pub(super) fn expire(&mut self, now: Instant) {
        let Self { counters, seen } = self;
        seen.retain(|namespace, at| {
            let keep = now.saturating_duration_since(*at) < KEPT;
            if !keep {
                for severity in SEVERITIES {
                    let _was_there = counters.remove_label_values(&[namespace, severity.name()]);
                }
            }
            keep
        });
    }
}
