//! Drift that went from pod to pod, as one event.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::{Action, Context, Event, Notice, Subject};
use crate::drift::fingerprint::Fingerprint;
use crate::drift::kind::DriftKind;

/// How sure it is that whoever was in A had a hand in what B did.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// B took a connection from A that it never took before, and did nothing else anew.
    Low,
    /// B takes such connections anyhow, and did something anew after this one.
    Medium,
    /// Both.
    High,
}

/// The keys of `incident.lateral`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Incident {
    #[serde(rename = "incident.confidence")]
    pub confidence: Confidence,
    /// In the order of their times.
    #[serde(rename = "incident.hops")]
    pub hops: Vec<IncidentHop>,
}

/// From one pod into another.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct IncidentHop {
    pub from: Party,
    pub to: Party,
    pub address: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// When A first connected so, and when last as far as was known.
    pub time: Timestamp,
    #[serde(rename = "time.last")]
    pub last: Timestamp,
    pub confidence: Confidence,
    /// What B did then, as the sentence has it: `ran /bin/sh there 0.8 s later`.
    pub then: String,
    /// `event.id`s: A's connection, B's taking it, what B did anew.
    pub events: Vec<String>,
}

/// One end of a hop.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Party {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    #[serde(rename = "pod.uid")]
    pub uid: String,
    #[serde(rename = "container.id", default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

impl Party {
    /// `namespace/pod`, or what there is of it.
    pub fn name(&self) -> String {
        let names: Vec<&str> =
            [&self.namespace, &self.pod].into_iter().flatten().map(String::as_str).collect();
        if names.is_empty() { self.uid.clone() } else { names.join("/") }
    }
}

/// What there is to say of a chain.
#[derive(Clone, Debug)]
pub struct Sighting {
    pub id: Ulid,
    pub action: Action,
    pub fingerprint: String,
    pub incident: Incident,
    /// ATT&CK techniques of what was done on the way.
    pub techniques: Vec<String>,
}

/// Techniques that one event names, at most.
const TECHNIQUES: usize = 16;

impl Sighting {
    /// The context is that of the container that was reached first.
    pub fn event(self, context: &Context) -> Event {
        let Self { id, action, fingerprint, incident, techniques } = self;
        let table = &context.rules;
        let verdict = match incident.confidence {
            Confidence::High => table.of_sure_chain(),
            _ => table.default_of(DriftKind::IncidentLateral),
        };
        let (first, last) = (incident.hops.first(), incident.hops.iter().map(|hop| hop.last).max());
        let time = first.map_or(Timestamp::UNIX_EPOCH, |hop| hop.time);
        let notice = Notice {
            kind: DriftKind::IncidentLateral,
            object: object(&incident.hops),
            sentence: sentence(&incident, verdict.why.as_deref()),
            refused: false,
            time,
            last: last.unwrap_or(time).max(time),
        };
        let mut named = verdict.techniques.clone();
        for technique in techniques {
            if !named.contains(&technique) && named.len() < TECHNIQUES {
                named.push(technique);
            }
        }
        let silence = format!(
            "driftline silence add --fingerprint {fingerprint} --for 7d --reason TEXT --store DIR"
        );
        let subject = first.map_or_else(Subject::default, |hop| Subject {
            destination_address: Some(hop.address.clone()),
            destination_port: hop.port,
            ..Subject::default()
        });
        let framework = (!named.is_empty()).then(|| table.framework_version().to_owned());
        Event {
            id,
            action,
            count: incident.hops.len() as u64,
            severity: verdict.severity,
            rule: verdict.rule.to_string(),
            accept: Some(silence),
            fingerprint,
            techniques: named,
            framework_version: framework,
            subject,
            incident: Some(Box::new(incident)),
            origin: Arc::clone(&context.origin),
            ..notice.event(context)
        }
    }
}

impl Incident {
    /// The same for the same first hop, whoever tells of it and whenever: its time, and a hash over A's connection and B.
    pub fn id(first: &IncidentHop) -> Ulid {
        let connection = first.events.first().map_or("", String::as_str);
        let hash = Fingerprint::of_chain(connection, &first.to.uid, 0).to_string();
        // The 64 bits that a fingerprint shows; a ULID has room for 80.
        let random = u64::from_str_radix(&hash, 16).unwrap_or_default();
        let milliseconds = u64::try_from(first.time.as_millisecond()).unwrap_or_default();
        Ulid::from_parts(milliseconds, u128::from(random))
    }

    /// Between workloads, so that it is the same for the next pods of theirs.
    pub fn fingerprint(from: &str, to: &str, port: Option<u16>) -> String {
        Fingerprint::of_chain(from, to, port.unwrap_or_default()).to_string()
    }
}

/// Pods in the order in which they were reached: `shop/web-1 -> shop/api-1`.
fn object(hops: &[IncidentHop]) -> String {
    let mut pods: Vec<String> = Vec::new();
    for party in hops.iter().flat_map(|hop| [&hop.from, &hop.to]) {
        let name = party.name();
        if !pods.contains(&name) {
            pods.push(name);
        }
    }
    pods.join(" -> ")
}

/// Hops that a sentence tells.
const TOLD: usize = 8;

fn sentence(incident: &Incident, why: Option<&str>) -> String {
    let hop = |hop: &IncidentHop| {
        let at = match hop.port {
            Some(port) if hop.address.contains(':') => format!("[{}]:{port}", hop.address),
            Some(port) => format!("{}:{port}", hop.address),
            None => hop.address.clone(),
        };
        format!("{} reached {} by {at} and {}", hop.from.name(), hop.to.name(), hop.then)
    };
    let told: Vec<String> = incident.hops.iter().take(TOLD).map(hop).collect();
    let mut text = told.join("; then ");
    if incident.hops.len() > TOLD {
        text.push_str("; and on from there");
    }
    match why {
        Some(why) => format!("{text}: {why}"),
        None => text,
    }
}
