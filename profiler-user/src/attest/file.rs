//! Where an envelope is: beside its baseline, with a longer name, so that both fit into a directory, a `ConfigMap` or an
//! OCI artifact as two files.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::dsse::Envelope;
use super::key::PublicKey;
use super::strict::is_said_once;
use super::verify::{Refusal, Verified, verify};
use crate::baseline::{self, Baseline, SaveError};
use crate::drift::{BaselineSignature, clean};

/// A statement names programs and peers, nothing else that grows.
const SIZE_MAX: u64 = 16 * 1024 * 1024;

/// `web.json` → `web.json.dsse`: not another `.json`, which would be taken for a baseline.
pub fn envelope_path(baseline: &Path) -> PathBuf {
    let mut name = baseline.as_os_str().to_owned();
    name.push(".dsse");
    PathBuf::from(name)
}

/// The envelope beside a baseline.
pub fn read_envelope(beside: &Path) -> Result<Envelope, Refusal> {
    let path = envelope_path(beside);
    let bytes = match baseline::read_up_to(&path, SIZE_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Refusal::Unsigned { envelope: path });
        }
        Err(error) => {
            return Err(Refusal::Malformed { what: "its signature", why: error.to_string() });
        }
    };
    parse_envelope(&bytes)
}

/// An envelope's text. Everything in it must be said once.
pub fn parse_envelope(bytes: &[u8]) -> Result<Envelope, Refusal> {
    let malformed = |error: serde_json::Error| Refusal::Malformed {
        what: "its signature",
        why: clean(&format!("it is no DSSE envelope: {error}")),
    };
    is_said_once(bytes).map_err(malformed)?;
    serde_json::from_slice(bytes).map_err(malformed)
}

/// Writes the envelope whole, or leaves what was there.
pub fn write_envelope(beside: &Path, envelope: &Envelope) -> Result<PathBuf, SaveError> {
    let path = envelope_path(beside);
    let mut text =
        serde_json::to_string(envelope).expect("an envelope holds nothing that JSON does not");
    text.push('\n');
    baseline::write_file(&path, text.as_bytes())?;
    Ok(path)
}

/// Whether `trusted` keys answer for the baseline at `path`, which was read as `bytes`.
pub fn check(
    path: &Path,
    bytes: &[u8],
    baseline: &Baseline,
    trusted: &[PublicKey],
    now: Timestamp,
) -> Result<Verified, Refusal> {
    let envelope = read_envelope(path)?;
    said_once(bytes)?;
    verify(&envelope, baseline, trusted, now)
}

/// What can be said of a signature where nobody is trusted.
pub fn unchecked(baseline: &Path) -> BaselineSignature {
    if envelope_path(baseline).exists() {
        BaselineSignature::Untrusted
    } else {
        BaselineSignature::Unsigned
    }
}

/// The signature is over what we read of a baseline; a person may read the other of two equal keys.
pub fn said_once(baseline: &[u8]) -> Result<(), Refusal> {
    is_said_once(baseline)
        .map_err(|error| Refusal::Malformed { what: "the baseline", why: error.to_string() })
}

#[cfg(test)]
mod tests;
