//! `driftline baseline verify`: whether a trusted key answers for a baseline.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::{print_json, refused};
use crate::{
    attest::{self, KeyId, PublicKey, Reason, Trust},
    baseline,
    error::Error,
};

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// A public key that is trusted, as PEM; repeat it for more
    #[arg(long, value_name = "PEM", required_unless_present = "trust")]
    key: Vec<PathBuf>,
    /// A directory of public keys that are trusted, *.pem and *.pub
    #[arg(long, value_name = "DIR", env = "DRIFTLINE_TRUST")]
    trust: Option<PathBuf>,
    /// Print the result as JSON on stdout
    #[arg(long)]
    json: bool,
    file: PathBuf,
}

#[derive(Serialize)]
struct Report {
    schema_version: &'static str,
    baseline: String,
    image: String,
    verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys: Vec<KeyId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reviewed_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
}

pub(super) fn run(args: &Verify, now: Timestamp) -> Result<ExitCode, Error> {
    let mut trusted =
        args.key.iter().map(|path| PublicKey::read(path)).collect::<Result<Vec<_>, _>>()?;
    if let Some(directory) = &args.trust {
        trusted.extend_from_slice(Trust::open(directory)?.keys());
    }
    let (baseline, bytes) = baseline::read_file(&args.file)?;
    let result = attest::check(&args.file, &bytes, &baseline, &trusted, now);
    let mut report = Report {
        schema_version: "driftline.verify/v1",
        baseline: baseline.id(),
        image: baseline.image.label(),
        verified: result.is_ok(),
        reason: None,
        why: None,
        keys: Vec::new(),
        signed: None,
        reviewed_by: None,
        expires: None,
    };
    match &result {
        Ok(verified) => {
            let bound = &verified.statement.predicate.driftline_baseline;
            report.keys.clone_from(&verified.keys);
            report.signed = Some(bound.signed);
            report.reviewed_by.clone_from(&bound.reviewed_by);
            report.expires = bound.expires;
        }
        Err(refusal) => {
            report.reason = Some(refusal.reason());
            report.why = Some(refusal.to_string());
        }
    }
    if args.json {
        print_json(&report)?;
    }
    result.map_err(|why| refused(&args.file, why))?;
    if !args.json {
        print_text(&report);
    }
    Ok(ExitCode::SUCCESS)
}

fn print_text(report: &Report) {
    let Report { baseline, image, .. } = report;
    eprintln!("driftline: verified: {image} ({baseline})");
    for key in &report.keys {
        eprintln!("  signed by key {key}");
    }
    if let Some(signed) = report.signed {
        eprintln!("  signed on     {signed}");
    }
    if let Some(by) = &report.reviewed_by {
        eprintln!("  reviewed by   {}", by.escape_debug());
    }
    if let Some(expires) = report.expires {
        eprintln!("  good until    {expires}");
    }
}
