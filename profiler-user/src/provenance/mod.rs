//! Where a container's image comes from, at the time of its events: how it was named, which registry it is of, and what
//! trusted keys attest of it.
//!
//! [`image`] reads the name, [`registry`] knows whom to approve, [`statement`] believes an envelope or says why not,
//! [`scan`] counts what a scanner found, [`directory`] is where envelopes lie, [`sources`] what an agent asks.
//! **Invariant:** what is not known is absent. No attestation means that nothing is known, never that nothing was found.

mod directory;
mod image;
mod registry;
mod scan;
mod sources;
mod statement;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use registry::{Approved, InvalidRegistry};
pub use scan::Counts;
pub use sources::{Sources, SourcesError};

/// What is to be said of how an image was chosen.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flag {
    /// Its reference has no digest: what it names may be another image tomorrow.
    Unpinned,
    /// Its tag is `latest`, or it has none, which is the same.
    TagLatest,
    /// Its registry is none of those that are approved.
    RegistryUnapproved,
}

/// Why nothing, or not all, is known although there are attestations about the image.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// No trusted key has signed it.
    Untrusted,
    /// It is signed, and cannot be understood: its type, or what it holds.
    Unreadable,
    /// It is a scan that finished after the container's start, and there is none from before.
    ScannedLater,
}

/// What is known of one container's image; the keys as events have them.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct Provenance {
    #[serde(rename = "policy.provenance", skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
    /// A trusted key attests something of this image that is understood. Never false: that would be unknown.
    #[serde(rename = "attestation.verified", skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// Of the keys that signed what is said here; each once.
    #[serde(rename = "attestation.keyid", skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// When the scan finished that the counts are of: the last before the container's start.
    #[serde(rename = "attestation.scanned", skip_serializing_if = "Option::is_none")]
    pub scanned: Option<Timestamp>,
    #[serde(flatten)]
    pub counts: Option<Counts>,
    /// Formats of the bills of materials: `cyclonedx`, `spdx`.
    #[serde(rename = "attestation.sbom", skip_serializing_if = "Vec::is_empty")]
    pub sbom: Vec<String>,
    #[serde(rename = "attestation.unknown", skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Unknown>,
}

impl Provenance {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// In a line for people. What no scan tells of is unknown, never clean.
    pub fn line(&self) -> String {
        let mut parts: Vec<String> = self.flags.iter().map(|flag| flag.text().to_owned()).collect();
        parts.push(match (&self.counts, self.scanned) {
            (Some(counts), Some(scanned)) => format!("{counts} (scan of {scanned:.0})"),
            _ => "vulnerabilities unknown".to_owned(),
        });
        if !self.sbom.is_empty() {
            parts.push(format!("bill of materials: {}", self.sbom.join(", ")));
        }
        if !self.keys.is_empty() {
            parts.push(format!("attested by {}", self.keys.join(", ")));
        }
        parts.extend(self.unknown.iter().map(|why| why.text().to_owned()));
        parts.join("; ")
    }
}

impl Flag {
    fn text(self) -> &'static str {
        match self {
            Self::Unpinned => "not pinned by a digest",
            Self::TagLatest => "tag latest",
            Self::RegistryUnapproved => "registry not approved",
        }
    }
}

impl Unknown {
    fn text(self) -> &'static str {
        match self {
            Self::Untrusted => "an attestation that no trusted key signed says nothing",
            Self::Unreadable => "a signed attestation cannot be understood",
            Self::ScannedLater => "a scan did not finish before the start",
        }
    }
}

#[cfg(test)]
mod tests;
