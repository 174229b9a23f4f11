//! Makes metrics whose names all begin alike.

use prometheus::{
    Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// Registers what it makes.
pub(super) struct Maker<'a>(pub(super) &'a Registry);

impl Maker<'_> {
    fn options(name: &str, help: &str) -> Opts {
        Opts::new(format!("driftline_{name}"), help)
    }

    fn register<C: Clone + prometheus::core::Collector + 'static>(
        &self,
        collector: C,
    ) -> prometheus::Result<C> {
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    pub(super) fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        self.register(IntCounterVec::new(Self::options(name, help), labels)?)
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        self.register(IntCounter::with_opts(Self::options(name, help))?)
    }

    pub(super) fn gauges(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntGaugeVec> {
        self.register(IntGaugeVec::new(Self::options(name, help), labels)?)
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        self.register(IntGauge::with_opts(Self::options(name, help))?)
    }

    pub(super) fn times(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<GaugeVec> {
        self.register(GaugeVec::new(Self::options(name, help), labels)?)
    }

    pub(super) fn time(&self, name: &str, help: &str) -> prometheus::Result<Gauge> {
        self.register(Gauge::with_opts(Self::options(name, help))?)
    }
}
