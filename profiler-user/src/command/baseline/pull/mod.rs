//! `driftline baseline pull`: the baselines of an image come from a registry.

mod choose;
mod offer;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use jiff::Timestamp;

use self::{
    choose::{Choice, Local, choose},
    offer::{Offer, best},
};
use super::remote::{Remote, is_of};
use crate::{
    attest::{self, PublicKey, Refusal, Trust},
    baseline::{self, Baseline, LoadError},
    error::Error,
    registry::{self, Artifact, Found},
};

#[derive(Debug, Args)]
pub(super) struct Pull {
    #[command(flatten)]
    remote: Remote,
    /// Directory that they are written to
    #[arg(long, value_name = "DIR", env = "DRIFTLINE_BASELINES", default_value = "baselines")]
    baselines: PathBuf,
    /// Take only what this public key has signed, as PEM; repeat it for more
    #[arg(long, value_name = "PEM")]
    key: Vec<PathBuf>,
    /// Take only what a key of this directory has signed (public keys, *.pem and *.pub)
    #[arg(long, value_name = "DIR", env = "DRIFTLINE_TRUST")]
    trust: Option<PathBuf>,
}

pub(super) async fn run(args: &Pull, now: Timestamp) -> Result<ExitCode, Error> {
    let trusted = trusted(args)?;
    let (reference, client) = args.remote.open()?;
    let (found, mut artifacts) = registry::pull(&client, &reference).await?;
    let images = match found {
        Found::Images(images) => Some(images),
        Found::Baseline(artifact) => {
            artifacts.push(artifact);
            None
        }
        Found::Nothing => return Err(missing(&format!("there is no {reference}"))),
    };
    if artifacts.is_empty() {
        return Err(missing(&format!("no baseline refers to image {reference}")));
    }
    let mut offers = BTreeMap::<PathBuf, Vec<Offer>>::new();
    let mut last = None;
    for Artifact { digest, baseline, envelope } in artifacts {
        let offer = Offer::read(&baseline, envelope.as_deref(), trusted.as_deref(), now);
        let offer = offer.and_then(|offer| match &images {
            Some(images) if !images.iter().any(|image| is_of(&offer.baseline, image)) => {
                Err(format!("it is of {}, another image", offer.baseline.image.label()))
            }
            _ => Ok(offer),
        });
        match offer {
            Ok(offer) => {
                let Baseline { image, scope, .. } = &offer.baseline;
                let path = baseline::path_in(&args.baselines, image, scope);
                offers.entry(path).or_default().push(offer);
            }
            Err(why) => {
                let said =
                    format!("baseline {digest} of {reference} is refused: {}", printable(&why));
                // The last is the error itself, where none is left.
                if let Some(before) = last.replace(said) {
                    eprintln!("driftline: {before}");
                }
            }
        }
    }
    if offers.is_empty() {
        return Err(Error::Baseline(last.unwrap_or_default()));
    }
    if let Some(said) = last {
        eprintln!("driftline: {said}");
    }
    // Everything is decided before anything is written.
    let mut choices = Vec::new();
    for (path, offers) in offers {
        let offer = best(offers).map_err(|why| Error::Baseline(format!("{reference}: {why}")))?;
        let local = local(&path, trusted.as_deref(), now)?;
        let choice = choose(local, offer)
            .map_err(|why| Error::Baseline(format!("{}: {why}", path.display())))?;
        choices.push((path, choice));
    }
    for (path, choice) in choices {
        write(args, &path, choice)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Words of a registry's must not steer a terminal.
fn printable(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { plain.extend(c.escape_default()) } else { plain.push(c) }
    }
    plain
}

fn missing(what: &str) -> Error {
    Error::Baseline(format!("{what}: push one with driftline baseline push"))
}

/// None where anybody is believed.
fn trusted(args: &Pull) -> Result<Option<Vec<PublicKey>>, Error> {
    if args.key.is_empty() && args.trust.is_none() {
        return Ok(None);
    }
    let mut trusted =
        args.key.iter().map(|path| PublicKey::read(path)).collect::<Result<Vec<_>, _>>()?;
    if let Some(directory) = &args.trust {
        trusted.extend_from_slice(Trust::open(directory)?.keys());
    }
    Ok(Some(trusted))
}

/// What is there already.
fn local(path: &Path, trusted: Option<&[PublicKey]>, now: Timestamp) -> Result<Local, Error> {
    let (baseline, _) = match baseline::read_file(path) {
        Err(LoadError::Unreadable { source, .. })
            if source.kind() == std::io::ErrorKind::NotFound =>
        {
            return Ok(Local::None);
        }
        read => read?,
    };
    let signed = attest::read_envelope(path).and_then(|envelope| match trusted {
        Some(trusted) => attest::verify(&envelope, &baseline, trusted, now)
            .map(|verified| verified.statement.predicate.driftline_baseline.signed),
        None => attest::unverified(&envelope, &baseline, now)
            .map(|statement| statement.predicate.driftline_baseline.signed),
    });
    Ok(match signed {
        Ok(signed) => Local::Signed(baseline, signed),
        Err(Refusal::Unsigned { .. }) => Local::Unsigned(baseline),
        Err(_) => Local::Refused(baseline),
    })
}

/// The envelope first: a baseline is never there for the first time without it.
fn write(args: &Pull, path: &Path, choice: Choice) -> Result<(), Error> {
    match choice {
        Choice::Keep(why) => eprintln!("driftline: kept {}: {why}", path.display()),
        Choice::Write { offer, said } => {
            if let Some((envelope, _)) = &offer.envelope {
                attest::write_envelope(path, envelope)?;
            }
            baseline::save(&args.baselines, &offer.baseline)?;
            let id = offer.baseline.id();
            eprintln!("driftline: pulled {} ({id}): {said}", path.display());
        }
    }
    Ok(())
}
