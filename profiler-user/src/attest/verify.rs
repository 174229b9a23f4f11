//! The order in which a signed baseline is believed: nothing of it is read before it is known who signed it.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use super::dsse::{Envelope, OpenError};
use super::key::{KeyId, PublicKey};
use super::statement::{PAYLOAD_TYPE, PREDICATE_TYPE, Statement};
use super::strict::is_said_once;
use crate::baseline::Baseline;
use crate::drift::clean;

/// Why a baseline is not believed, as metrics and events name it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    Unsigned,
    /// Signed, but by nobody who is trusted.
    Untrusted,
    /// It is not what was signed.
    Altered,
    /// What was signed is about another image.
    Subject,
    Expired,
    /// It, or its signature, cannot be read.
    Malformed,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    #[error("it is not signed: there is no {}; review it and sign it with driftline baseline sign", envelope.display())]
    Unsigned { envelope: PathBuf },
    #[error("{0}; have it signed by a key that is trusted here, or trust one that signed it")]
    Untrusted(OpenError),
    #[error(
        "it is not what was signed: it is {found}, signed was {}; see what changed, and sign it again",
        clean(signed)
    )]
    Altered { found: String, signed: String },
    #[error(
        "what was signed is about another image than {}; sign this image's baseline",
        clean(image)
    )]
    Subject { image: String },
    #[error("its signature was good until {0}; review it and sign it again")]
    Expired(Timestamp),
    #[error("{what} cannot be used: {why}; restore it or sign it again")]
    Malformed { what: &'static str, why: String },
}

/// A baseline that trusted keys answer for.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    pub keys: Vec<KeyId>,
    pub statement: Statement,
}

impl Reason {
    pub const ALL: [Self; 6] = [
        Self::Unsigned,
        Self::Untrusted,
        Self::Altered,
        Self::Subject,
        Self::Expired,
        Self::Malformed,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Untrusted => "untrusted",
            Self::Altered => "altered",
            Self::Subject => "subject",
            Self::Expired => "expired",
            Self::Malformed => "malformed",
        }
    }
}

impl Refusal {
    pub fn reason(&self) -> Reason {
        match self {
            Self::Unsigned { .. } => Reason::Unsigned,
            Self::Untrusted(_) => Reason::Untrusted,
            Self::Altered { .. } => Reason::Altered,
            Self::Subject { .. } => Reason::Subject,
            Self::Expired(_) => Reason::Expired,
            Self::Malformed { .. } => Reason::Malformed,
        }
    }
}

impl Verified {
    pub fn expires(&self) -> Option<Timestamp> {
        self.statement.predicate.driftline_baseline.expires
    }
}

/// Whether a trusted key answers for this baseline now.
pub fn verify(
    envelope: &Envelope,
    baseline: &Baseline,
    trusted: &[PublicKey],
    now: Timestamp,
) -> Result<Verified, Refusal> {
    let opened = envelope.open(trusted).map_err(|error| match error {
        OpenError::Untrusted(_) => Refusal::Untrusted(error),
        OpenError::Payload | OpenError::TooMany(_) => malformed(error.to_string()),
    })?;
    // The bytes that were signed, not a second decoding of them.
    let statement = holds(&opened.payload_type, &opened.payload, baseline, now)?;
    Ok(Verified { keys: opened.keys, statement })
}

/// The same where nobody is trusted: whether the envelope fits the baseline, by whomever it is.
pub(crate) fn unverified(
    envelope: &Envelope,
    baseline: &Baseline,
    now: Timestamp,
) -> Result<Statement, Refusal> {
    let payload = envelope.unverified().map_err(|error| malformed(error.to_string()))?;
    holds(&envelope.payload_type, &payload, baseline, now)
}

fn malformed(why: String) -> Refusal {
    Refusal::Malformed { what: "its signature", why }
}

/// Whether what was signed is about this baseline, and still good.
fn holds(
    payload_type: &str,
    payload: &[u8],
    baseline: &Baseline,
    now: Timestamp,
) -> Result<Statement, Refusal> {
    if payload_type != PAYLOAD_TYPE {
        return Err(malformed(format!("it is of {payload_type:?}, not {PAYLOAD_TYPE:?}")));
    }
    let statement = parse(payload).map_err(malformed)?;
    let signed = &statement.predicate.driftline_baseline;
    let found = baseline.id();
    let is_what_was_signed = signed.id == found;
    // Of a command, which has no image, the subject is the baseline itself.
    let has_image = baseline.image.id.is_some() || !baseline.image.repo_digests.is_empty();
    if !statement.is_about(baseline) && (has_image || is_what_was_signed) {
        return Err(Refusal::Subject { image: baseline.image.label() });
    }
    if !is_what_was_signed {
        return Err(Refusal::Altered { found, signed: signed.id.clone() });
    }
    if let Some(expires) = signed.expires.filter(|expires| *expires <= now) {
        return Err(Refusal::Expired(expires));
    }
    Ok(statement)
}

/// What any statement has: its type decides what the rest means.
#[derive(serde::Deserialize)]
struct Head {
    #[serde(rename = "predicateType")]
    predicate_type: String,
}

fn parse(payload: &[u8]) -> Result<Statement, String> {
    let no_statement =
        |error: serde_json::Error| clean(&format!("it holds no in-toto statement: {error}"));
    is_said_once(payload).map_err(no_statement)?;
    let head: Head = serde_json::from_slice(payload).map_err(no_statement)?;
    if head.predicate_type != PREDICATE_TYPE {
        return Err(format!("its predicate is {:?}, not {PREDICATE_TYPE:?}", head.predicate_type));
    }
    let statement: Statement = serde_json::from_slice(payload).map_err(no_statement)?;
    if !statement.is_statement() {
        return Err(format!("it is of type {:?}, not an in-toto statement", statement.kind));
    }
    Ok(statement)
}

#[cfg(test)]
mod tests;
