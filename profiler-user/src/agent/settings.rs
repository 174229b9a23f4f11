//! What the command line asks of an agent.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::selector::Selector;
use crate::{
    cli, drift::Node as Machine, drift::severity::Table, error::Error, evidence::keeper,
    provenance::Sources, runtime, sensor, silence, store::Limits, store::fleet::Address,
};

pub(crate) struct Settings {
    pub(super) baselines: PathBuf,
    pub(super) trust: Option<PathBuf>,
    pub(super) bind: Option<PathBuf>,
    pub(super) rules: Arc<Table>,
    /// None where nothing is silenced, because nothing is judged.
    pub(super) silences: Option<PathBuf>,
    /// How often a canary is run by itself.
    pub(super) canary_every: Option<Duration>,
    pub(super) store: PathBuf,
    /// The store that many nodes share, where there is one.
    pub(super) fleet: Option<(Address, Limits)>,
    pub(super) limits: Limits,
    /// Between two words to the sinks about where the chain stands.
    pub(super) head_every: Duration,
    pub(super) events: cli::Events,
    pub(super) http: Option<std::net::SocketAddr>,
    pub(super) sinks: cli::Sinks,
    pub(super) runtime: runtime::Config,
    pub(super) selector: Selector,
    pub(super) machine: Machine,
    pub(super) sensor: sensor::Options,
    pub(super) limit: Option<Duration>,
    pub(super) fail_on_drift: bool,
    pub(super) provenance: Arc<Sources>,
    /// None where none is kept.
    pub(super) evidence: Option<keeper::Config>,
}

impl Settings {
    /// # Errors
    /// What cannot be understood, named with its flag.
    pub(crate) fn new(
        baselines: PathBuf,
        node: cli::Node,
        sensor: cli::Sensor,
    ) -> Result<Self, Error> {
        let usage = |flag: &str, why: String| Error::Usage(format!("{flag}: {why}"));
        let endpoints = node
            .runtime_endpoint
            .iter()
            .map(|text| text.parse().map_err(|why: runtime::InvalidEndpoint| why.to_string()))
            .collect::<Result<_, _>>()
            .map_err(|why| usage("--runtime-endpoint", why))?;
        let (store, fleet) = match node.store {
            cli::Place::Directory(directory) => (directory, None),
            cli::Place::Fleet(address) => {
                let limits = Limits { size: node.fleet_retain_size, age: node.fleet_retain_age };
                (node.spool, Some((address, limits)))
            }
        };
        Ok(Self {
            baselines,
            trust: None,
            bind: None,
            rules: Arc::clone(Table::builtin()),
            silences: None,
            canary_every: None,
            store,
            fleet,
            limits: Limits { size: node.retain_size, age: node.retain_age },
            head_every: node.head_every,
            events: cli::Events::default(),
            http: node.http,
            sinks: node.sinks,
            runtime: runtime::Config { endpoints, ..runtime::Config::default() },
            selector: Selector::new(&node.namespace, &node.selector, &node.images)
                .map_err(|why| usage("--selector", why))?,
            machine: Machine {
                host_name: crate::host_name(),
                name: node.node_name,
                cluster: node.cluster,
            },
            sensor: sensor.into(),
            limit: None,
            fail_on_drift: false,
            provenance: Arc::default(),
            evidence: None,
        })
    }

    pub(crate) fn with_limit(self, limit: Option<Duration>) -> Self {
        Self { limit, ..self }
    }

    pub(crate) fn with_trust(self, trust: Option<PathBuf>) -> Self {
        Self { trust, ..self }
    }

    pub(crate) fn with_bind(self, bind: Option<PathBuf>) -> Self {
        Self { bind, ..self }
    }

    pub(crate) fn with_provenance(self, provenance: Sources) -> Self {
        Self { provenance: Arc::new(provenance), ..self }
    }

    pub(crate) fn with_rules(self, rules: Arc<Table>) -> Self {
        Self { rules, ..self }
    }

    /// By default beside the history.
    pub(crate) fn with_silences(self, silences: Option<PathBuf>) -> Self {
        let silences = silences.unwrap_or_else(|| self.store.join(silence::FILE));
        Self { silences: Some(silences), ..self }
    }

    pub(crate) fn with_canary(self, canary_every: Option<Duration>) -> Self {
        Self { canary_every, ..self }
    }

    pub(crate) fn with_evidence(self, evidence: Option<keeper::Config>) -> Self {
        Self { evidence, ..self }
    }

    pub(crate) fn with_events(self, events: cli::Events, fail_on_drift: bool) -> Self {
        Self { events, fail_on_drift, ..self }
    }
}
