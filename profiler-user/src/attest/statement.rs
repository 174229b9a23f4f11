//! What is claimed: an in-toto statement in the shape of its predicate for runtime traces.
//!
//! The subject is the image. The baseline itself stays the file that people read: the statement binds it by its id, and
//! tells of it only which programs ran and whom they talked to.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::baseline::{Baseline, Executable};

pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
pub const PREDICATE_TYPE: &str = "https://in-toto.io/attestation/runtime-trace/v0.1";
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// What cosign still writes.
const STATEMENT_BEFORE: &str = "https://in-toto.io/Statement/v0.1";
const MONITOR: &str = "urn:driftline:monitor";
const PROCESS: &str = "urn:driftline:container";

/// What whoever signs says.
#[derive(Clone, Debug, Default)]
pub struct Claim {
    /// Who has reviewed the baseline.
    pub by: Option<String>,
    pub signed: Timestamp,
    pub expires: Option<Timestamp>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Statement {
    #[serde(rename = "_type")]
    pub kind: String,
    pub subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    pub predicate: Predicate,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Subject {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub digest: BTreeMap<String, String>,
}

/// Unknown fields are ignored, as in-toto's rules want it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Predicate {
    pub monitor: Monitor,
    pub monitored_process: MonitoredProcess,
    pub monitor_log: MonitorLog,
    /// Ours: the predicate has no place for it, and lets everybody add fields.
    pub driftline_baseline: Bound,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Monitor {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub trace_policy: BTreeMap<String, serde_json::Value>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct MonitoredProcess {
    #[serde(rename = "hostID")]
    pub host_id: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// The runs that were recorded.
    pub event: String,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct MonitorLog {
    #[serde(default)]
    pub process: Vec<Process>,
    #[serde(default)]
    pub network: Vec<Network>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Process {
    pub executable: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Network {
    pub executable: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connect: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listen: Vec<String>,
}

/// The baseline that is meant, and what is said of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bound {
    /// [`Baseline::id`].
    pub id: String,
    pub schema: String,
    pub signed: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewed_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

impl Statement {
    pub fn new(baseline: &Baseline, claim: Claim) -> Self {
        let keys = |map: &BTreeMap<String, _>| map.keys().cloned().collect::<Vec<_>>();
        let network = |(executable, does): (&String, &Executable)| Network {
            executable: executable.clone(),
            connect: keys(&does.connect),
            listen: keys(&does.listen),
        };
        let process = |executable: &String| Process { executable: executable.clone() };
        let mut policy = BTreeMap::new();
        policy.insert("generaliser".to_owned(), baseline.generaliser.into());
        let runs: Vec<_> = baseline.runs.keys().map(ToString::to_string).collect();
        let hosts: BTreeSet<_> = baseline.runs.values().map(|run| run.host.as_str()).collect();
        let hosts: Vec<_> = hosts.into_iter().collect();
        Self {
            kind: STATEMENT.to_owned(),
            subject: subjects(baseline),
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate: Predicate {
                monitor: Monitor {
                    kind: format!("{MONITOR}:{}", env!("CARGO_PKG_VERSION")),
                    trace_policy: policy,
                },
                monitored_process: MonitoredProcess {
                    host_id: format!("urn:driftline:hosts:{}", hosts.join(",")),
                    kind: PROCESS.to_owned(),
                    event: runs.join(","),
                },
                monitor_log: MonitorLog {
                    process: baseline.executables.keys().map(process).collect(),
                    network: baseline
                        .executables
                        .iter()
                        .map(network)
                        .filter(|network| !network.connect.is_empty() || !network.listen.is_empty())
                        .collect(),
                },
                driftline_baseline: Bound {
                    id: baseline.id(),
                    schema: baseline.schema.clone(),
                    signed: claim.signed,
                    reviewed_by: claim.by,
                    expires: claim.expires,
                },
            },
        }
    }

    pub fn is_statement(&self) -> bool {
        self.kind == STATEMENT || self.kind == STATEMENT_BEFORE
    }

    /// Whether it is about everything that the baseline says to be of. Names say nothing, digests do.
    pub fn is_about(&self, baseline: &Baseline) -> bool {
        let own: BTreeSet<_> =
            self.subject.iter().filter_map(|subject| subject.digest.get("sha256")).collect();
        subjects(baseline)
            .iter()
            .filter_map(|subject| subject.digest.get("sha256"))
            .all(|digest| own.contains(digest))
    }
}

/// The image by its config digest and every repository's digest. A command has no image: its baseline is the subject.
fn subjects(baseline: &Baseline) -> Vec<Subject> {
    let image = &baseline.image;
    let subject = |name: &str, digest: &str| {
        let (algorithm, hex) = digest.split_once(':').unwrap_or(("sha256", digest));
        let digest = BTreeMap::from([(algorithm.to_owned(), hex.to_owned())]);
        Subject { name: Some(name.to_owned()), digest }
    };
    let mut subjects: Vec<_> = image.id.iter().map(|id| subject(&image.name, id)).collect();
    subjects.extend(
        image
            .repo_digests
            .iter()
            .filter_map(|reference| reference.split_once('@'))
            .map(|(name, digest)| subject(name, digest)),
    );
    if subjects.is_empty() {
        subjects.push(subject(&image.name, &baseline.id()));
    }
    subjects
}
