//! The native event: one flat JSON object, `driftline.drift/v1`.
//!
//! Keys are OpenTelemetry's where it has one, else ours. What is unknown is absent, never empty.
//! DESIGN.md, "Drift", lists them all; those that need a container runtime or a store come later.
//!
//! For the network, `destination.*` is always the end that was connected to and `source.*` the one
//! that connected. So a listener, and the own end of an accepted connection, is `destination.*`,
//! and one machine's `net.connect` and the other's `net.accept` join on the same keys.

mod group;
mod incident;
mod notice;
mod origin;
mod parts;

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use ulid::Ulid;

pub use self::group::{Group, Repeated};
pub use self::incident::{Confidence, Incident, IncidentHop, Party, Sighting};
pub use self::notice::Notice;
pub use self::origin::{Node, Origin};
use self::parts::{EventProcess, Subject, is_false};
use super::fingerprint::Fingerprint;
use super::kind::{DriftKind, Finding, Novelty};
use super::sentence::sentence;
use super::severity::{Severity, Table};
use crate::behaviour::Observation;
use crate::bind::Accepted;
use crate::flight::Moment;
use crate::silence::Mark;

pub const SCHEMA_VERSION: &str = "driftline.drift/v1";

/// In the place of a rule.
const CANARY: &str = "canary";
const CANARY_SENTENCE: &str = "this is Driftline's canary, a harmless program that it ran itself to see whether its alerts \
                               arrive; nothing is to be done";

/// What is the same for all drift of one container.
#[derive(Clone, Debug)]
pub struct Context {
    pub origin: Arc<Origin>,
    pub baseline_id: Option<String>,
    pub baseline_status: BaselineStatus,
    /// Of the baseline; of a refused one where there is no other. None where there is none at all.
    pub baseline_signature: Option<BaselineSignature>,
    /// The id of the file that it was bound with, where it was.
    pub baseline_bind: Option<String>,
    /// Runs that the baseline was recorded in; 0 where unknown.
    pub recorded_runs: u64,
    /// How much of what the image does the baseline has seen, 0 to 1; none where too few runs tell.
    pub baseline_coverage: Option<f64>,
    pub sensor_tier: String,
    /// Events of this container that the sensor could not deliver, so far.
    pub lost_events: u64,
    /// What grades it.
    pub rules: Arc<Table>,
    /// It is Driftline's own canary: harmless, whatever the rules say.
    pub canary: bool,
}

impl Context {
    /// Where nothing is known of a baseline; by the rules that are built in.
    pub fn unjudged(origin: Arc<Origin>, tier: &str) -> Self {
        Self {
            origin,
            baseline_id: None,
            baseline_status: BaselineStatus::None,
            baseline_signature: None,
            baseline_bind: None,
            recorded_runs: 0,
            baseline_coverage: None,
            sensor_tier: tier.to_owned(),
            lost_events: 0,
            rules: Arc::clone(Table::builtin()),
            canary: false,
        }
    }
}

/// How well the baseline fits the image.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BaselineStatus {
    Exact,
    Provisional,
    None,
}

/// Whether somebody answers for the baseline.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BaselineSignature {
    /// A trusted key does.
    Verified,
    Unsigned,
    /// It is signed, but no trusted key answers for it as it is, or there is no directory of trusted keys.
    Untrusted,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The first occurrence.
    Created,
    /// It happened again: the same `event.id`, a new count.
    Updated,
    /// The last word about it.
    Closed,
}

impl Action {
    /// The value of `event.action`; the same as the serialised name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Closed => "closed",
        }
    }
}

/// A drift with what is counted of it.
#[derive(Clone, Debug)]
pub struct Drift {
    pub id: Ulid,
    pub fingerprint: Fingerprint,
    /// The first occurrence.
    pub observation: Observation,
    pub finding: Finding,
    pub last: Timestamp,
    pub count: u64,
}

/// One line of the record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    pub schema_version: &'static str,
    /// Its time is that of the first occurrence.
    #[serde(rename = "event.id", serialize_with = "as_text")]
    pub id: Ulid,
    /// Counts the events meant for one sink, from 1: a gap is an event that could not be written.
    /// Set by [`Chain`](super::chain::Chain).
    #[serde(rename = "event.seq", skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// `sha256:…` of the line before, without its newline; none for the first.
    #[serde(rename = "event.prev_hash", skip_serializing_if = "Option::is_none")]
    pub prev_hash: Option<String>,
    #[serde(rename = "event.action")]
    pub action: Action,
    /// Of the first occurrence.
    #[serde(serialize_with = "nanoseconds")]
    pub time: Timestamp,
    /// Of the newest occurrence.
    #[serde(rename = "time.last", serialize_with = "nanoseconds")]
    pub last: Timestamp,
    #[serde(rename = "drift.count")]
    pub count: u64,
    #[serde(rename = "observer.version")]
    pub observer_version: &'static str,

    #[serde(rename = "drift.kind")]
    pub kind: DriftKind,
    #[serde(rename = "drift.object")]
    pub object: String,
    /// What repeats of it have in common; none where that is the object.
    #[serde(rename = "drift.pattern", skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    #[serde(rename = "drift.severity")]
    pub severity: Severity,
    #[serde(rename = "drift.novelty")]
    pub novelty: Novelty,
    /// The rule that graded it, and of which version of the rules.
    #[serde(rename = "drift.rule")]
    pub rule: String,
    #[serde(rename = "drift.rules_version")]
    pub rules_version: String,
    /// The command that would accept it; none where nothing does.
    #[serde(rename = "drift.accept", skip_serializing_if = "Option::is_none")]
    pub accept: Option<String>,
    #[serde(rename = "drift.sentence")]
    pub sentence: String,
    #[serde(rename = "drift.nearest", skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
    /// This environment's entries are learned anew, and this is one: what to put into the bind file to accept it.
    #[serde(rename = "drift.relearn", skip_serializing_if = "Option::is_none")]
    pub relearn: Option<Box<Accepted>>,
    #[serde(rename = "drift.fingerprint")]
    pub fingerprint: String,
    /// What the store knew of the fingerprint before; set when it is committed. None where it was never seen.
    #[serde(rename = "drift.seen", skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// A harmless one that Driftline made itself, to see whether it arrives.
    #[serde(rename = "drift.canary", skip_serializing_if = "is_false")]
    pub canary: bool,
    /// The silence that it falls under; set where events are handed to the store.
    #[serde(flatten)]
    pub silence: Option<Box<Mark>>,
    /// Many drifts are told by this one event.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub group: Option<Box<Group>>,
    /// Of `incident.lateral`: who reached whom.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub incident: Option<Box<Incident>>,
    /// Only in the store: the `event.id` of the event that tells of this among others.
    #[serde(
        rename = "drift.group.id",
        serialize_with = "as_text_if",
        skip_serializing_if = "Option::is_none"
    )]
    pub member_of: Option<Ulid>,
    #[serde(rename = "threat.technique.id", skip_serializing_if = "Vec::is_empty")]
    pub techniques: Vec<String>,
    /// The version of ATT&CK; where there is a technique.
    #[serde(rename = "threat.framework_version", skip_serializing_if = "Option::is_none")]
    pub framework_version: Option<String>,

    #[serde(flatten)]
    pub origin: Arc<Origin>,

    /// None for what no process did.
    #[serde(flatten)]
    pub process: Option<EventProcess>,
    #[serde(flatten)]
    pub subject: Subject,

    #[serde(rename = "baseline.id", skip_serializing_if = "Option::is_none")]
    pub baseline_id: Option<String>,
    #[serde(rename = "baseline.status")]
    pub baseline_status: BaselineStatus,
    #[serde(rename = "baseline.signature", skip_serializing_if = "Option::is_none")]
    pub baseline_signature: Option<BaselineSignature>,
    /// The id of the bind file through which the baseline was read.
    #[serde(rename = "baseline.bind", skip_serializing_if = "Option::is_none")]
    pub baseline_bind: Option<String>,
    #[serde(rename = "baseline.coverage", skip_serializing_if = "Option::is_none")]
    pub baseline_coverage: Option<f64>,
    /// What the container did before, the newest last; of a `created` event.
    #[serde(rename = "context.before", skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Moment>,
    #[serde(rename = "sensor.tier")]
    pub sensor_tier: String,
    #[serde(rename = "sensor.lost_events")]
    pub lost_events: u64,
}

/// The same drift in this node's history, in any container, before an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Seen {
    #[serde(serialize_with = "nanoseconds")]
    pub first: Timestamp,
    #[serde(serialize_with = "nanoseconds")]
    pub last: Timestamp,
    pub count: u64,
    pub containers: u64,
}

impl Event {
    pub fn new(context: &Context, drift: &Drift, action: Action) -> Self {
        let Drift { observation, finding, .. } = drift;
        let table = &context.rules;
        let verdict = table.verdict(observation, finding);
        let framework = (!verdict.techniques.is_empty()).then(|| table.framework_version());
        Self {
            schema_version: SCHEMA_VERSION,
            id: drift.id,
            seq: None,
            prev_hash: None,
            action,
            time: observation.time,
            last: drift.last,
            count: drift.count,
            observer_version: env!("CARGO_PKG_VERSION"),
            kind: finding.kind,
            object: finding.object.clone(),
            pattern: Some(&finding.pattern).filter(|one| **one != finding.object).cloned(),
            severity: match finding.relearn {
                None if !context.canary => verdict.severity,
                _ => Severity::Info,
            },
            novelty: finding.novelty,
            rule: if context.canary { CANARY.to_owned() } else { verdict.rule.to_string() },
            rules_version: table.version().to_owned(),
            accept: match finding.relearn {
                Some(_) => accept_relearned(context, drift.id),
                None => accept(context, drift.id, drift.fingerprint),
            },
            sentence: if context.canary {
                CANARY_SENTENCE.to_owned()
            } else {
                sentence(context, observation, finding, verdict.why.as_deref())
            },
            nearest: finding.nearest.clone(),
            relearn: finding.relearn.clone(),
            fingerprint: drift.fingerprint.to_string(),
            seen: None,
            before: Vec::new(),
            canary: context.canary,
            silence: None,
            group: None,
            incident: None,
            member_of: None,
            techniques: if context.canary { Vec::new() } else { verdict.techniques.clone() },
            framework_version: framework.filter(|_| !context.canary).map(str::to_owned),
            origin: Arc::clone(&context.origin),
            process: Some(EventProcess::of(observation)),
            subject: Subject::of(&observation.behaviour),
            baseline_id: context.baseline_id.clone(),
            baseline_status: context.baseline_status,
            baseline_signature: context.baseline_signature,
            baseline_bind: context.baseline_bind.clone(),
            baseline_coverage: context.baseline_coverage,
            sensor_tier: context.sensor_tier.clone(),
            lost_events: context.lost_events,
        }
    }
}

/// What its reader would type to have no event of this drift any more, or, where no baseline could take it in, to be called
/// for it no more; of a group's event, of none of its members.
pub(super) fn accept(context: &Context, id: Ulid, fingerprint: Fingerprint) -> Option<String> {
    if context.canary {
        return None;
    }
    if context.baseline_id.is_none() {
        return Some(format!(
            "driftline silence add --fingerprint {fingerprint} --for 7d --reason TEXT --store DIR"
        ));
    }
    let from = if context.origin.container_id.is_some() { "--store DIR" } else { "--events FILE" };
    Some(format!("driftline baseline approve {id} --reason TEXT {from}"))
}

fn accept_relearned(context: &Context, id: Ulid) -> Option<String> {
    context.baseline_id.as_ref()?;
    Some(format!("driftline baseline accept --bind FILE --events FILE {id}"))
}

fn as_text<S: serde::Serializer>(id: &Ulid, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(id)
}

#[expect(clippy::ref_option, reason = "serde hands it over so")]
fn as_text_if<S: serde::Serializer>(id: &Option<Ulid>, to: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => to.collect_str(id),
        None => to.serialize_none(),
    }
}

/// Always nine digits, so that times sort as text.
fn nanoseconds<S: serde::Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("{time:.9}"))
}

#[cfg(test)]
mod tests;
