//! One alert: the events that have the same labels.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::QUIET;
use crate::drift::{Action, Severity};
use crate::store::StoredEvent;

/// Ids of events that an alert names.
const IDS: usize = 5;

/// An alert that could only be sent late is open at least so long: Alertmanager tells nobody of one whose end is past.
const LATE: SignedDuration = SignedDuration::from_mins(5);

/// What an alert is: two of the same labels are one.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize)]
pub(super) struct Labels {
    alertname: &'static str,
    drift_kind: String,
    severity: Severity,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_repo: Option<String>,
    /// Of a canary: a route sends it to nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    canary: Option<&'static str>,
    /// Of a canary: each node's is to be found.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
}

/// What a canary's alert is called.
pub(super) const CANARY: &str = "DriftlineCanary";

/// What drift that went from pod to pod is called.
const INCIDENT: &str = "DriftlineIncident";

/// The keys of an event that an alert needs.
#[derive(Debug, Deserialize)]
pub(super) struct Keys {
    #[serde(rename = "event.id")]
    pub(super) id: String,
    #[serde(rename = "drift.count")]
    pub(super) count: u64,
    #[serde(rename = "drift.object")]
    object: String,
    /// It tells of so many.
    #[serde(rename = "drift.group.objects")]
    objects: Option<u64>,
    #[serde(rename = "drift.sentence")]
    sentence: String,
    #[serde(rename = "k8s.cluster.name")]
    cluster: Option<String>,
    #[serde(rename = "k8s.namespace.name")]
    namespace: Option<String>,
    #[serde(rename = "driftline.workload")]
    workload: Option<String>,
    #[serde(rename = "container.image.name")]
    image: Option<String>,
    #[serde(rename = "k8s.pod.name")]
    pod: Option<String>,
    #[serde(rename = "k8s.container.name")]
    container: Option<String>,
    #[serde(rename = "container.id")]
    container_id: Option<String>,
    #[serde(rename = "k8s.node.name")]
    node: Option<String>,
    #[serde(rename = "host.name")]
    host: Option<String>,
    #[serde(rename = "drift.canary", default)]
    canary: bool,
}

#[derive(Debug)]
pub(super) struct Alert {
    starts: Timestamp,
    /// Of the newest occurrence.
    last: Timestamp,
    /// What Alertmanager was last told; absent before.
    ends: Option<Timestamp>,
    count: u64,
    ids: VecDeque<String>,
    newest: Keys,
    /// There is something that Alertmanager was not told yet.
    pub(super) changed: bool,
    pub(super) sent: Option<Instant>,
}

/// The body of a request holds these.
#[derive(Debug, Serialize)]
pub(super) struct Body<'a> {
    labels: &'a Labels,
    annotations: Annotations<'a>,
    #[serde(rename = "startsAt")]
    starts: Timestamp,
    #[serde(rename = "endsAt")]
    ends: Timestamp,
}

#[derive(Debug, Serialize)]
struct Annotations<'a> {
    summary: &'a str,
    description: String,
    count: String,
    last_object: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    objects: Option<String>,
    event_ids: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runbook_url: Option<&'a str>,
    timeline_query: String,
}

impl Labels {
    pub(super) fn of(event: &StoredEvent, keys: &Keys) -> Self {
        // To Alertmanager an empty value is the same as none.
        let known = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        Self {
            alertname: match event.kind.as_str() {
                _ if keys.canary => CANARY,
                "incident.lateral" => INCIDENT,
                _ => "DriftlineDrift",
            },
            drift_kind: event.kind.clone(),
            severity: event.severity,
            cluster: known(&keys.cluster),
            namespace: known(&keys.namespace),
            workload: known(&keys.workload),
            image_repo: known(&keys.image),
            canary: keys.canary.then_some("true"),
            node: keys.canary.then(|| keys.node.clone().or_else(|| keys.host.clone())).flatten(),
        }
    }

    /// What a responder types to see more than an alert can hold.
    fn query(&self, since: Timestamp) -> String {
        let mut words =
            vec!["driftline".to_owned(), "investigate".to_owned(), "timeline".to_owned()];
        let mut option = |name: &str, value: &str| {
            words.extend([format!("--{name}"), value.to_owned()]);
        };
        for (name, value) in [("namespace", &self.namespace), ("workload", &self.workload)] {
            if let Some(value) = value {
                option(name, value);
            }
        }
        option("kind", &self.drift_kind);
        option("since", &format!("{since:.0}"));
        shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default()
    }
}

impl Alert {
    pub(super) fn new(event: &StoredEvent, keys: Keys) -> Self {
        // A repeat of what drifted long ago opens an alert about now.
        let starts = if event.action == Action::Created { event.time } else { event.last };
        Self {
            starts,
            last: event.last,
            ends: None,
            count: keys.count,
            ids: VecDeque::from([keys.id.clone()]),
            newest: keys,
            changed: false,
            sent: None,
        }
    }

    pub(super) fn last(&self) -> Timestamp {
        self.last
    }

    /// `more`: occurrences that no event before told of.
    pub(super) fn add(&mut self, event: &StoredEvent, keys: Keys, more: u64) {
        if event.action == Action::Created {
            self.starts = self.starts.min(event.time);
        }
        self.count += more;
        self.ids.retain(|id| *id != keys.id);
        self.ids.push_back(keys.id.clone());
        if self.ids.len() > IDS {
            self.ids.pop_front();
        }
        if event.last >= self.last {
            self.last = event.last;
            self.newest = keys;
        }
    }

    /// Has Alertmanager been told everything, and is the end that it was told past?
    pub(super) fn has_lapsed(&self, now: Timestamp) -> bool {
        !self.changed && self.ends.unwrap_or(self.last + QUIET) <= now
    }

    /// The end to tell.
    fn ends(&self, now: Timestamp) -> Timestamp {
        let quiet = self.last + QUIET;
        if self.changed { quiet.max(now + LATE) } else { self.ends.unwrap_or(quiet) }
    }

    pub(super) fn told(&mut self, now: Timestamp, at: Instant) {
        self.ends = Some(self.ends(now));
        self.changed = false;
        self.sent = Some(at);
    }

    pub(super) fn body<'a>(
        &'a self,
        labels: &'a Labels,
        runbook: Option<&'a str>,
        now: Timestamp,
    ) -> Body<'a> {
        let Self { newest, count, starts, last, .. } = self;
        let times = if *count == 1 { "once".to_owned() } else { format!("{count} times") };
        let description = format!(
            "Behaviour of kind {} that no baseline holds was seen {times} since {starts:.0}, last at {last:.0}. The newest: {}.",
            labels.drift_kind, newest.sentence
        );
        Body {
            labels,
            annotations: Annotations {
                summary: &newest.sentence,
                description,
                count: count.to_string(),
                last_object: &newest.object,
                objects: newest.objects.map(|objects| objects.to_string()),
                event_ids: self.ids.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
                pod: newest.pod.as_deref(),
                node: newest.node.as_deref().or(newest.host.as_deref()),
                container: newest.container.as_deref().or(newest.container_id.as_deref()),
                runbook_url: runbook,
                timeline_query: labels.query(*starts),
            },
            starts: *starts,
            ends: self.ends(now),
        }
    }
}
