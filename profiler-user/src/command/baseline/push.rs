//! `driftline baseline push`: a baseline and its signature go into a registry.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use jiff::Timestamp;

use super::{
    refused,
    remote::{Remote, is_of},
};
use crate::{
    attest::{self, Refusal},
    baseline,
    error::Error,
    registry::{self, Found, Reference},
};

#[derive(Debug, Args)]
pub(super) struct Push {
    /// The baseline; its signature is found beside it
    file: PathBuf,
    #[command(flatten)]
    remote: Remote,
}

pub(super) async fn run(args: &Push, now: Timestamp) -> Result<ExitCode, Error> {
    let path = &args.file;
    let (reference, client) = args.remote.open()?;
    let (baseline, bytes) = baseline::read_file(path)?;
    let envelope = match attest::read_envelope(path) {
        Ok(envelope) => Some(envelope),
        Err(Refusal::Unsigned { .. }) => None,
        Err(why) => return Err(refused(path, why)),
    };
    // Nothing is sent that would not be taken.
    attest::said_once(&bytes).map_err(|why| refused(path, why))?;
    if let Some(envelope) = &envelope {
        attest::unverified(envelope, &baseline, now).map_err(|why| refused(path, why))?;
    }
    let signed = if envelope.is_some() { "signed" } else { "not signed" };
    let text = envelope.map(|envelope| serde_json::to_vec(&envelope)).transpose();
    let text = text.map_err(anyhow::Error::from)?;
    let (image, beside) = match registry::find(&client, &reference).await? {
        Found::Images(images) => {
            let Some(image) = images.into_iter().find(|image| is_of(&baseline, image)) else {
                return Err(other_image(args, &reference, &baseline.image.label()));
            };
            let beside = format!("beside image {}", image.digests[0]);
            (Some(image), beside)
        }
        Found::Baseline(before) => (None, format!("in place of {}", before.digest)),
        Found::Nothing => (None, "by itself: there is no image of that name".to_owned()),
    };
    let pushed = registry::push(&client, &reference, image.as_ref(), bytes, text).await?;
    eprintln!(
        "driftline: pushed {} ({}, {signed}) to {reference}, {beside}: {}",
        path.display(),
        baseline.id(),
        pushed.digest
    );
    Ok(ExitCode::SUCCESS)
}

fn other_image(args: &Push, reference: &Reference, image: &str) -> Error {
    Error::Baseline(format!(
        "baseline {} is of {image}, which is not the image {reference}: name its own image, or a tag without one",
        args.file.display()
    ))
}
