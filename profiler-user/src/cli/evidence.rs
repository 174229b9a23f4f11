//! What is kept of containers that drift.

use std::path::PathBuf;

use clap::Args;

use crate::drift::Severity;
use crate::error::Error;
use crate::evidence::keeper::Config;

/// Without CMD: evidence.
#[derive(Clone, Debug, Args)]
pub struct Evidence {
    /// Without CMD: keep evidence of containers whose drift is at least so grave: info, low, medium, high, critical; or none
    #[arg(
        long = "evidence-severity",
        id = "evidence_severity",
        value_name = "SEVERITY",
        env = "DRIFTLINE_EVIDENCE_SEVERITY",
        default_value = "high"
    )]
    severity: String,
    /// Sign evidence with this key (PKCS#8 PEM) [default: one that is made in --store]
    #[arg(
        long = "evidence-key",
        id = "evidence_key",
        value_name = "PEM",
        env = "DRIFTLINE_EVIDENCE_KEY"
    )]
    key: Option<PathBuf>,
    /// Keep all evidence together below this size, the oldest is removed: bytes, or with a unit (512M, 2G)
    #[arg(long = "evidence-size", id = "evidence_size", value_name = "SIZE", env = "DRIFTLINE_EVIDENCE_SIZE", default_value = "1G", value_parser = super::size)]
    size: u64,
    /// Put the end of this log into evidence, as that of the container runtime's daemon; repeat it for more [default: what the
    /// journal has of containerd, CRI-O, Docker, Podman and the kubelet]
    #[arg(
        long = "runtime-log",
        id = "runtime_log",
        value_name = "FILE",
        env = "DRIFTLINE_RUNTIME_LOG",
        value_delimiter = ','
    )]
    runtime_log: Vec<PathBuf>,
}

impl Evidence {
    /// None where none is to be kept.
    pub(crate) fn config(self) -> Result<Option<Config>, Error> {
        if self.severity == "none" {
            return Ok(None);
        }
        let called = |severity: &&Severity| severity.name() == self.severity;
        let severity = *Severity::ALL.iter().find(called).ok_or_else(|| {
            Error::Usage(format!(
                "--evidence-severity: {:?} is none; write info, low, medium, high, critical or none",
                self.severity
            ))
        })?;
        let Self { key, size, runtime_log: runtime_logs, .. } = self;
        Ok(Some(Config { severity, key, size, runtime_logs }))
    }
}
