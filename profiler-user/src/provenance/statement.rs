//! One envelope, believed or not: nothing of it is read before it is known who signed it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::Unknown;
use super::scan::{self, Counts};
use crate::attest::dsse::{Envelope, OpenError};
use crate::attest::statement::PAYLOAD_TYPE;
use crate::attest::{PublicKey, is_said_once};
use crate::drift::clean;

const STATEMENTS: [&str; 2] =
    ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"];
const VULN: &str = "https://cosign.sigstore.dev/attestation/vuln/v1";
const VULNS: &str = "https://in-toto.io/attestation/vulns/v0.2";
const CYCLONEDX: &str = "https://cyclonedx.org/bom";
const SPDX: &str = "https://spdx.dev/Document";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";

/// Images that one statement may be about.
const SUBJECTS_MAX: usize = 1024;

/// What an envelope comes to, of the images with these digests.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Claim {
    /// SHA-256 as hexadecimal digits.
    pub(super) subjects: Vec<String>,
    pub(super) keys: Vec<String>,
    pub(super) says: Says,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Says {
    Scan { finished: Timestamp, counts: Counts },
    Sbom(&'static str),
    Nothing(Unknown),
}

/// A claim, or none where the statement is of a sort that nothing is made of; and, as a sentence's end, what is wrong.
pub(super) struct Read {
    pub(super) claim: Option<Claim>,
    pub(super) why: Option<String>,
}

impl Read {
    fn refused(why: &str) -> Self {
        Self { claim: None, why: Some(clean(why)) }
    }
}

/// What any statement has: its types decide what the rest means.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    #[serde(rename = "predicate", default)]
    _predicate: IgnoredAny,
}

#[derive(Deserialize)]
struct Subject {
    #[serde(default)]
    digest: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct ScanStatement {
    predicate: ScanPredicate,
}

#[derive(Deserialize)]
struct ScanPredicate {
    scanner: Scanner,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Scanner {
    result: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    scan_finished_on: Timestamp,
}

/// Either form in which envelopes are kept: as they are, or in a Sigstore bundle, of which the envelope alone is read: who is
/// believed is said by keys, not by certificates.
#[derive(Deserialize)]
#[serde(untagged)]
enum Kept {
    Bundle {
        #[serde(rename = "mediaType")]
        media_type: String,
        #[serde(rename = "dsseEnvelope")]
        envelope: Envelope,
    },
    Envelope(Envelope),
}

/// One envelope's text.
pub(super) fn read(text: &[u8], trusted: &[PublicKey]) -> Read {
    let kept = is_said_once(text).and_then(|()| serde_json::from_slice(text));
    let envelope = match kept {
        Ok(Kept::Envelope(envelope)) => envelope,
        Ok(Kept::Bundle { media_type, envelope }) if media_type.starts_with(BUNDLE) => envelope,
        Ok(Kept::Bundle { media_type, .. }) => {
            return Read::refused(&format!("it is of {media_type:?}, which is no Sigstore bundle"));
        }
        Err(error) => return Read::refused(&format!("it is no DSSE envelope: {error}")),
    };
    let opened = match envelope.open(trusted) {
        Ok(opened) => opened,
        Err(error @ OpenError::Untrusted(_)) => return untrusted(&envelope, &error),
        Err(error) => return Read::refused(&error.to_string()),
    };
    if opened.payload_type != PAYLOAD_TYPE {
        return Read::refused(&format!("it is of {:?}, not {PAYLOAD_TYPE:?}", opened.payload_type));
    }
    // The bytes that were signed, not a second decoding of them.
    let head = match head(&opened.payload) {
        Ok(head) => head,
        Err(why) => return Read::refused(&why),
    };
    let keys = opened.keys.iter().map(ToString::to_string).collect();
    let subjects = match subjects(head.subject) {
        Ok(subjects) => subjects,
        Err(why) => return Read::refused(&why),
    };
    let says = match head.predicate_type.as_str() {
        CYCLONEDX => Ok(Says::Sbom("cyclonedx")),
        SPDX => Ok(Says::Sbom("spdx")),
        VULN => scanned(&opened.payload, scan::of_report),
        VULNS => scanned(&opened.payload, scan::of_list),
        // A predicate about something else: provenance of a build, a baseline.
        _ => return Read { claim: None, why: None },
    };
    match says {
        Ok(says) => Read { claim: Some(Claim { subjects, keys, says }), why: None },
        Err(why) => {
            let says = Says::Nothing(Unknown::Unreadable);
            Read { claim: Some(Claim { subjects, keys: Vec::new(), says }), why: Some(clean(&why)) }
        }
    }
}

/// What nobody who is trusted has signed says nothing, not even of whom; that there is such a thing is told of the images
/// that it names.
fn untrusted(envelope: &Envelope, error: &OpenError) -> Read {
    let why = Some(clean(&error.to_string()));
    let named = envelope.unverified().ok().and_then(|payload| head(&payload).ok());
    let subjects = named.and_then(|head| subjects(head.subject).ok());
    let says = Says::Nothing(Unknown::Untrusted);
    let claim = subjects.map(|subjects| Claim { subjects, keys: Vec::new(), says });
    Read { claim, why }
}

fn head(payload: &[u8]) -> Result<Head, String> {
    let failed = |error: serde_json::Error| format!("it holds no in-toto statement: {error}");
    is_said_once(payload).map_err(failed)?;
    let head: Head = serde_json::from_slice(payload).map_err(failed)?;
    if STATEMENTS.contains(&head.kind.as_str()) {
        Ok(head)
    } else {
        Err(format!("it is of type {:?}, not an in-toto statement", head.kind))
    }
}

fn subjects(all: Vec<Subject>) -> Result<Vec<String>, String> {
    if all.len() > SUBJECTS_MAX {
        return Err(format!("it is about {} images, more than {SUBJECTS_MAX}", all.len()));
    }
    let is_digest =
        |hex: &String| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digests = all.into_iter().filter_map(|mut subject| subject.digest.remove("sha256"));
    let digests: Vec<_> = digests.filter(is_digest).map(|hex| hex.to_ascii_lowercase()).collect();
    if digests.is_empty() {
        return Err("it names no image by a SHA-256 digest".to_owned());
    }
    Ok(digests)
}

fn scanned(payload: &[u8], count: impl Fn(&Value) -> Option<Counts>) -> Result<Says, String> {
    let statement: ScanStatement = serde_json::from_slice(payload)
        .map_err(|error| format!("it holds no scan that says when it finished: {error}"))?;
    let ScanPredicate { scanner, metadata } = statement.predicate;
    let counts = count(&scanner.result);
    let counts = counts.ok_or("its result is none of Trivy, of Grype or of in-toto's form")?;
    Ok(Says::Scan { finished: metadata.scan_finished_on, counts })
}
