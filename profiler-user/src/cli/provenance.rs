//! Whom images may come from, and who attests what of them.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::attest::Trust;
use crate::error::Error;
use crate::provenance::{Approved, Sources, SourcesError};

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Without CMD: where images come from")]
pub struct Provenance {
    /// Images may come from here: events of others say so; a host, or a part of its repositories (ghcr.io/team); repeat it
    /// for more
    #[arg(
        long = "approved-registry",
        value_name = "HOST[/PREFIX]",
        env = "DRIFTLINE_APPROVED_REGISTRIES",
        value_delimiter = ','
    )]
    pub approved: Vec<Approved>,
    /// Signed statements about images: vulnerability scans and bills of materials (in-toto in DSSE envelopes: *.json, *.jsonl)
    #[arg(long, value_name = "DIR", env = "DRIFTLINE_ATTESTATIONS")]
    pub attestations: Option<PathBuf>,
    /// Believe attestations that a key of this directory has signed (public keys, *.pem and *.pub) [default: --trust]
    #[arg(
        long,
        value_name = "DIR",
        env = "DRIFTLINE_ATTESTATION_TRUST",
        requires = "attestations"
    )]
    pub attestation_trust: Option<PathBuf>,
}

impl Provenance {
    /// `trust`: whose baselines are believed.
    ///
    /// # Errors
    /// Where what was given cannot be read, or nobody is trusted.
    pub(crate) fn open(self, trust: Option<&Path>) -> Result<Sources, Error> {
        let usage = |error: SourcesError| Error::Usage(error.to_string());
        let Some(directory) = self.attestations else {
            return Sources::open(self.approved, None).map_err(usage);
        };
        let keys = self.attestation_trust.as_deref().or(trust);
        let keys = keys.ok_or(SourcesError::NoTrust).map_err(usage)?;
        Sources::open(self.approved, Some((directory, Trust::open(keys)?))).map_err(usage)
    }
}
