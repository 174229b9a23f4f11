//! `driftline baseline sign`: somebody answers for a baseline.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use jiff::Timestamp;

use super::{refused, when};
use crate::{
    attest::{self, Claim, Envelope, SigningKey, Statement, statement::PAYLOAD_TYPE},
    baseline,
    error::Error,
};

#[derive(Debug, Args)]
pub(super) struct Sign {
    /// The private key, Ed25519 or ECDSA P-256, as PKCS#8 in PEM
    #[arg(long, value_name = "PEM", env = "DRIFTLINE_SIGNING_KEY")]
    key: PathBuf,
    /// Who has reviewed the baseline; it becomes part of what is signed
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Until when it is good: 90d, 12h, or a date
    #[arg(long, value_name = "WHEN", conflicts_with = "add")]
    expires: Option<String>,
    /// Add a signature to the one that is there, for the same statement
    #[arg(long, conflicts_with = "by")]
    add: bool,
    file: PathBuf,
}

pub(super) fn run(args: &Sign, now: Timestamp) -> Result<ExitCode, Error> {
    let key = SigningKey::read(&args.key)?;
    let (baseline, bytes) = baseline::read_file(&args.file)?;
    let expires = match &args.expires {
        Some(text) => {
            Some(when::moment(text, now).map_err(|why| Error::Usage(format!("--expires: {why}")))?)
        }
        None => None,
    };
    let mut envelope = if args.add {
        attest::read_envelope(&args.file).map_err(|why| refused(&args.file, why))?
    } else {
        let claim = Claim { by: args.by.clone(), signed: now, expires };
        let statement = Statement::new(&baseline, claim);
        let payload = serde_json::to_vec(&statement).map_err(anyhow::Error::from)?;
        Envelope::new(PAYLOAD_TYPE, &payload)
    };
    envelope.sign(&key).map_err(|why| refused(&args.file, why))?;
    // Nothing is signed that would not be believed: neither what says something twice, nor another's statement.
    let trusted = std::slice::from_ref(key.public());
    let verified = attest::said_once(&bytes)
        .and_then(|()| attest::verify(&envelope, &baseline, trusted, now))
        .map_err(|why| refused(&args.file, why))?;
    let path = attest::write_envelope(&args.file, &envelope)?;
    let until = verified.expires().map_or(String::new(), |time| format!(", good until {time}"));
    eprintln!(
        "driftline: signed {} ({}) with key {}{until}: {}",
        args.file.display(),
        baseline.id(),
        key.public().id(),
        path.display()
    );
    Ok(ExitCode::SUCCESS)
}
