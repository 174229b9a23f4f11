//! The flags that say which history, and which part of it.

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize as _;
use serde::de::{IntoDeserializer as _, value};

use crate::cli::{DEFAULT_STORE, Place, duration};
use crate::drift::Severity;
use crate::error::Error;
use crate::investigate::{History, Selector, moment};

/// Which history.
#[derive(Debug, Args)]
pub(super) struct Where {
    /// Directory of the history, an agent may be writing to it; or the store that many nodes share, as `postgres://USER@HOST/DATABASE`
    /// (its password in PGPASSWORD)
    #[arg(long, value_name = "DIR|URL", env = "DRIFTLINE_STORE", default_value = DEFAULT_STORE, hide_env_values = true)]
    store: Place,
}

impl Where {
    /// None where it is a store that many nodes share.
    pub(super) fn directory(&self) -> Option<&std::path::Path> {
        match &self.store {
            Place::Directory(directory) => Some(directory),
            Place::Fleet(_) => None,
        }
    }

    /// The node's own directory, for what is there and nowhere else.
    pub(super) fn home(&self) -> Result<&std::path::Path, Error> {
        self.directory().ok_or_else(|| {
            Error::Usage(
                "what the flight recorder wrote is on the node where it happened and not in a shared store; ask there, \
                 with --store DIR"
                    .to_owned(),
            )
        })
    }

    pub(super) async fn open(&self) -> Result<History, Error> {
        match &self.store {
            Place::Directory(directory) => History::open(directory).await.map_err(Error::from),
            Place::Fleet(address) => History::open_fleet(address).await.map_err(Error::from),
        }
    }
}

/// Which part of it.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Nothing that was over by then: 2h (ago; s, m, h, d, w), 2026-11-21, 2026-11-21T20:59:01Z
    #[arg(long, value_name = "WHEN")]
    from: Option<String>,
    /// Nothing that began later
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Of this namespace
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Of pods of this name
    #[arg(long, value_name = "NAME")]
    pod: Option<String>,
    /// Of pods of this workload, such as a deployment
    #[arg(long, value_name = "NAME")]
    workload: Option<String>,
    /// Of this container: its id, or the beginning of it
    #[arg(long, value_name = "ID")]
    container: Option<String>,
    /// Of this image, by its name, or as the pod asks for it
    #[arg(long, value_name = "NAME")]
    image: Option<String>,
    /// Of this image, by the digest of its configuration or of a manifest
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,
    /// Of this node
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Drift of this kind; exec holds exec.args
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Drift at least so grave: info, low, medium, high, critical
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    severity: Option<Severity>,
    /// Drift of this ATT&CK technique; T1059 holds T1059.004
    #[arg(long, value_name = "ID")]
    technique: Option<String>,
    /// Drift of this fingerprint, or of that of an event: either's id, a fingerprint's may be cut
    #[arg(long, value_name = "FINGERPRINT|EVENT_ID")]
    fingerprint: Option<String>,
}

impl Which {
    /// What is named by the beginning of its id is looked up.
    pub(super) async fn selector(
        &self,
        history: &mut History,
        now: Timestamp,
    ) -> Result<Selector, Error> {
        let time = |flag: &str, text: &Option<String>| {
            let time = text.as_deref().map(|text| moment(text, now)).transpose();
            time.map_err(|why| Error::Usage(format!("--{flag}: {why}")))
        };
        let (from, until) = (time("from", &self.from)?, time("until", &self.until)?);
        if let (Some(from), Some(until)) = (from, until)
            && from > until
        {
            return Err(Error::Usage(format!(
                "--from {from} is later than --until {until}: nothing is in between"
            )));
        }
        let container = match &self.container {
            Some(name) => Some(history.container_id(name).await?),
            None => None,
        };
        let fingerprint = match &self.fingerprint {
            Some(name) => Some(history.fingerprint(name).await?),
            None => None,
        };
        Ok(Selector {
            from,
            until,
            namespace: self.namespace.clone(),
            pod: self.pod.clone(),
            workload: self.workload.clone(),
            container,
            image: self.image.clone(),
            digest: self.digest.clone(),
            node: self.node.clone(),
            kind: self.kind.clone(),
            severity: self.severity,
            technique: self.technique.clone(),
            fingerprint,
            speaking: false,
        })
    }

    /// Nothing is restricted.
    pub(super) fn is_everything(&self) -> bool {
        let Self { from, until, namespace, pod, workload, container, image, digest, .. } = self;
        let Self { node, kind, severity, technique, fingerprint, .. } = self;
        [
            from,
            until,
            namespace,
            pod,
            workload,
            container,
            image,
            digest,
            node,
            kind,
            technique,
            fingerprint,
        ]
        .into_iter()
        .all(Option::is_none)
            && severity.is_none()
    }
}

/// How long after a connection.
#[derive(Debug, Args)]
pub(super) struct Within {
    /// What another pod does belongs to a connection for so long (seconds, or with a unit: 90s, 10m, 2h)
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10m")]
    window: std::time::Duration,
}

impl Within {
    pub(super) fn window(&self) -> Result<SignedDuration, Error> {
        window(self.window)
    }
}

pub(super) fn window(length: std::time::Duration) -> Result<SignedDuration, Error> {
    SignedDuration::try_from(length)
        .map_err(|_| Error::Usage("--window is out of range".to_owned()))
}

fn severity(name: &str) -> Result<Severity, String> {
    let deserializer: value::StrDeserializer<'_, value::Error> = name.into_deserializer();
    Severity::deserialize(deserializer).map_err(|_| {
        let names: Vec<_> = Severity::ALL.iter().map(|one| one.name()).collect();
        format!("write one of {}", names.join(", "))
    })
}
