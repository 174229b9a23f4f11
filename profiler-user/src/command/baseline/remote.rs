//! What `push` and `pull` share: which registry, and whether a baseline is of its image.

use std::path::PathBuf;

use clap::Args;

use crate::{
    baseline::Baseline,
    cli::duration,
    registry::{Client, Image, Options, Reference, RegistryError},
};

#[derive(Debug, Args)]
pub(super) struct Remote {
    /// The image in its registry: HOST/NAME:TAG or HOST/NAME@sha256:…; where there is no image, a name for the baseline
    #[arg(value_name = "REF")]
    pub(super) reference: String,
    /// Ask without encryption also other hosts than this one
    #[arg(long, conflicts_with = "ca")]
    plain_http: bool,
    /// Believe the registry also with a certificate that an authority in this file (PEM) has issued, and ask it by HTTPS wherever it is
    #[arg(long, value_name = "FILE", env = "DRIFTLINE_REGISTRY_CA")]
    ca: Option<PathBuf>,
    /// Wait for each answer of the registry at most so long (seconds, or with a unit: 90s, 10m)
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    timeout: std::time::Duration,
}

impl Remote {
    pub(super) fn open(&self) -> Result<(Reference, Client), RegistryError> {
        let reference: Reference = self.reference.parse()?;
        let Self { plain_http, timeout, .. } = *self;
        let options = Options { plain_http, authorities: self.ca.clone(), timeout };
        let client = Client::new(&reference, options)?;
        Ok((reference, client))
    }
}

/// Whether this is what the baseline is of: by its id, or by a digest that a node knew it by.
pub(super) fn is_of(baseline: &Baseline, image: &Image) -> bool {
    match &baseline.image.id {
        Some(id) if *id == image.id.as_str() => true,
        // containerd and Docker may name an image by its manifest.
        Some(id) => image.digests.iter().any(|digest| digest.as_str() == id),
        None => false,
    }
}
