//! Hops become chains, and chains grow.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::Deserialize;
use ulid::Ulid;

use super::words::then;
use crate::drift::{Action, Confidence, Incident, IncidentHop, Party, Sighting};
use crate::investigate::{Hop, Lateral, Place, Told};

/// Hops of one chain, at most: an event has to stay one that a sink takes.
const HOPS: usize = 64;

/// Events that one hop names, at most.
const EVENTS: usize = 20;

/// From one pod to the same other one: after so long it is another incident.
const SAME: SignedDuration = SignedDuration::from_hours(1);

/// What is known of an incident.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    pub id: Ulid,
    pub fingerprint: String,
    /// The container that the first hop reached.
    pub container: Option<String>,
    pub incident: Incident,
    pub techniques: Vec<String>,
    /// It was told of.
    is_told: bool,
}

/// Every chain that may grow.
#[derive(Clone, Debug, Default)]
pub struct Chains {
    all: BTreeMap<Ulid, Chain>,
}

/// What an event of an incident holds.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "event.id")]
    id: String,
    #[serde(rename = "drift.fingerprint")]
    fingerprint: String,
    #[serde(rename = "container.id")]
    container: Option<String>,
    #[serde(rename = "threat.technique.id", default)]
    techniques: Vec<String>,
    #[serde(flatten)]
    incident: Incident,
}

impl Chains {
    /// Takes in what an event of an incident says, where it says more than is known. False where it cannot be read.
    pub fn recall(&mut self, line: &str) -> bool {
        let Ok(line) = serde_json::from_str::<Line>(line) else { return false };
        let Ok(id) = Ulid::from_string(&line.id) else { return false };
        let known = self.all.get(&id).map_or(0, |chain| chain.incident.hops.len());
        if line.incident.hops.len() >= known {
            let Line { fingerprint, container, techniques, incident, .. } = line;
            let chain = Chain { id, fingerprint, container, incident, techniques, is_told: true };
            self.all.insert(id, chain);
        }
        true
    }

    /// How many hops the chain of this id has.
    pub fn hops(&self, id: &str) -> Option<usize> {
        let id = Ulid::from_string(id).ok()?;
        self.all.get(&id).map(|chain| chain.incident.hops.len())
    }

    /// Forgets what has been over for so long that nothing joins it any more.
    pub fn forget(&mut self, before: jiff::Timestamp) {
        let is_over = |chain: &Chain| chain.incident.hops.iter().all(|hop| hop.last < before);
        self.all.retain(|_, chain| !is_over(chain));
    }

    /// Takes in what was found. Returned is what is to be told by the node of this name: the chains that are new or have
    /// a new or a surer hop that ends there.
    pub fn grow(&mut self, found: &Lateral, node: &str) -> Vec<(Chain, Sighting)> {
        let mut changed: BTreeMap<Ulid, bool> = BTreeMap::new();
        for hop in found.hops.iter().filter(|hop| counts(hop, found)) {
            let own = hop.to.node.as_deref().is_none_or(|name| name == node);
            let new = told(hop);
            let id = match self.all.values_mut().find_map(|chain| chain.take(&new)) {
                Some((id, true)) => id,
                Some((_, false)) => continue,
                None => self.begin(new, hop),
            };
            if let Some(chain) = self.all.get_mut(&id) {
                chain.learn(hop);
            }
            *changed.entry(id).or_default() |= own;
        }
        let mut out = Vec::new();
        for (id, own) in changed {
            let Some(chain) = self.all.get_mut(&id).filter(|_| own) else { continue };
            let action = if chain.is_told { Action::Updated } else { Action::Created };
            chain.is_told = true;
            let sighting = Sighting {
                id,
                action,
                fingerprint: chain.fingerprint.clone(),
                incident: chain.incident.clone(),
                techniques: chain.techniques.clone(),
            };
            out.push((chain.clone(), sighting));
        }
        out
    }

    fn begin(&mut self, first: IncidentHop, hop: &Hop) -> Ulid {
        let id = Incident::id(&first);
        let from = hop.connect.workload.as_ref().unwrap_or(&hop.from.name);
        let to = arrived(hop).and_then(|told| told.workload.as_ref()).unwrap_or(&hop.to.name);
        let fingerprint = Incident::fingerprint(from, to, first.port);
        let container = first.to.container.clone();
        let incident = Incident { confidence: first.confidence, hops: vec![first] };
        let chain =
            Chain { id, fingerprint, container, incident, techniques: Vec::new(), is_told: false };
        self.all.insert(id, chain);
        id
    }
}

impl Chain {
    /// Where the hop belongs to this chain: its id, and whether it says anything new.
    fn take(&mut self, new: &IncidentHop) -> Option<(Ulid, bool)> {
        let hops = &mut self.incident.hops;
        if let Some(known) = hops.iter_mut().find(|known| is_same(known, new)) {
            let is_surer = new.confidence > known.confidence;
            if is_surer {
                let (time, events) = (known.time, std::mem::take(&mut known.events));
                *known = IncidentHop { time, ..new.clone() };
                // Its first name stays the first: others go by it.
                let first = events.into_iter().next();
                known.events.retain(|event| Some(event) != first.as_ref());
                known.events.splice(0..0, first);
                self.grade();
            }
            return Some((self.id, is_surer));
        }
        let entry = hops.first().map(|hop| hop.from.uid.clone());
        let follows = hops.iter().any(|hop| leads_to(hop, new) || leads_to(new, hop));
        let last = hops.iter().map(|hop| hop.last).max()?;
        let begins_there =
            entry.as_ref() == Some(&new.from.uid) && new.time.duration_since(last) < SAME;
        if !follows && !begins_there {
            return None;
        }
        if hops.len() >= HOPS {
            return Some((self.id, false));
        }
        hops.push(new.clone());
        hops.sort_by(|a, b| (a.time, &a.events).cmp(&(b.time, &b.events)));
        self.grade();
        Some((self.id, true))
    }

    /// As sure as its surest hop; where one hop led on to the next, the second bears the first out.
    fn grade(&mut self) {
        let hops = &self.incident.hops;
        let surest = hops.iter().map(|hop| hop.confidence).max();
        let goes_on = hops.iter().any(|hop| hops.iter().any(|next| leads_to(hop, next)));
        self.incident.confidence =
            if goes_on { Confidence::High } else { surest.unwrap_or(Confidence::Medium) };
    }

    fn learn(&mut self, hop: &Hop) {
        for technique in hop.accept.iter().chain(&hop.after).flat_map(|told| &told.techniques) {
            if !self.techniques.contains(technique) {
                self.techniques.push(technique.clone());
            }
        }
    }
}

/// A pod that took an unusual connection and did nothing else is no incident. Nor does an address say which of two pods
/// it was that share it; then only the one that took the connection counts.
fn counts(hop: &Hop, found: &Lateral) -> bool {
    let is_shared = || {
        found
            .hops
            .iter()
            .any(|other| other.connect.id == hop.connect.id && other.to.pod_uid != hop.to.pod_uid)
    };
    match hop.confidence {
        Confidence::Low => false,
        Confidence::Medium => !is_shared(),
        Confidence::High => true,
    }
}

fn is_same(known: &IncidentHop, new: &IncidentHop) -> bool {
    known.from.uid == new.from.uid
        && known.to.uid == new.to.uid
        && (new.events.first().is_some_and(|connection| known.events.contains(connection))
            || new.time.duration_since(known.last.max(known.time)) < SAME)
}

/// Into a pod, and later out of it.
fn leads_to(before: &IncidentHop, hop: &IncidentHop) -> bool {
    before.to.uid == hop.from.uid && before.time < hop.last
}

/// What was seen of the other pod.
fn arrived(hop: &Hop) -> Option<&Told> {
    hop.accept.as_ref().or(hop.after.first())
}

fn told(hop: &Hop) -> IncidentHop {
    let ids = [&hop.connect].into_iter().chain(&hop.accept).chain(&hop.after);
    IncidentHop {
        from: party(&hop.from, Some(&hop.connect)),
        to: party(&hop.to, arrived(hop)),
        address: hop.to.address.clone().unwrap_or_default(),
        port: hop.connect.object.rsplit_once(':').and_then(|(_, port)| port.parse().ok()),
        time: hop.time,
        last: hop.connect.last,
        confidence: hop.confidence,
        then: then(hop.time, &hop.after),
        events: ids.take(EVENTS).map(|told| told.id.clone()).collect(),
    }
}

fn party(place: &Place, told: Option<&Told>) -> Party {
    let (namespace, pod) = match place.name.split_once('/') {
        Some((namespace, pod)) => (Some(namespace.to_owned()), Some(pod.to_owned())),
        None => (None, Some(place.name.clone()).filter(|name| *name != place.pod_uid)),
    };
    Party {
        namespace,
        pod,
        uid: place.pod_uid.clone(),
        container: told.and_then(|told| told.container.clone()),
        node: place.node.clone(),
    }
}
