//! Did it go from one pod to another?
//!
//! A **hop** is drift of pod A that connects to the address of pod B, and what B did anew soon after. Chains are hops
//! that follow one another: into B before on from B. Pods that talk as their baselines say have no drift between them,
//! and so no hop.

mod chain;
mod dot;
mod svg;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use super::history::{History, HistoryError};
use super::statement::Statement;
use super::timeline::{begun, drifts};
use super::{Selector, Told};
use crate::store::timestamp;

pub use crate::drift::Confidence;
pub use chain::Chain;
pub use dot::dot;
pub use svg::svg;

/// Connections that are looked at, at most; the newest.
const CONNECTIONS: u32 = 10_000;

/// Drifts of one pod after a connection, at most.
const AFTER: u32 = 200;

/// What is told of one clock may be a little earlier by another's.
const SKEW: SignedDuration = SignedDuration::from_secs(2);

/// Everything that went from pod to pod.
#[derive(Debug, Serialize)]
pub struct Lateral {
    pub hops: Vec<Hop>,
    pub chains: Vec<Chain>,
    /// There were more connections than were looked at, or more chains than are told.
    pub cut: bool,
}

/// From one pod into another.
#[derive(Clone, Debug, Serialize)]
pub struct Hop {
    pub from: Place,
    pub to: Place,
    /// When A first connected.
    pub time: Timestamp,
    pub confidence: Confidence,
    /// A's connection.
    pub connect: Told,
    /// B's drift of taking it, where it was drift.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accept: Option<Told>,
    /// What B did anew after it, the oldest first.
    pub after: Vec<Told>,
}

/// A pod at one address, or a container without one.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Place {
    #[serde(rename = "k8s.pod.uid")]
    pub pod_uid: String,
    /// `namespace/pod`.
    pub name: String,
    #[serde(rename = "k8s.node.name", skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    #[serde(rename = "k8s.pod.ip", skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// A container, as far as its pod says where it is.
struct Home {
    container: String,
    place: Place,
    first_seen: Timestamp,
    ended: Option<Timestamp>,
}

/// Hops from what the selector fits, within `window` from the connection to the last of what the other pod did.
pub async fn lateral(
    history: &mut History,
    selector: &Selector,
    window: SignedDuration,
) -> Result<Lateral, HistoryError> {
    let homes = homes(history).await?;
    let by_container: BTreeMap<&str, &Home> =
        homes.iter().map(|home| (home.container.as_str(), home)).collect();
    let mut by_address: BTreeMap<&str, Vec<&Home>> = BTreeMap::new();
    let mut by_pod: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for home in &homes {
        by_pod.entry(&home.place.pod_uid).or_default().push(&home.container);
        if let Some(address) = &home.place.address {
            by_address.entry(address).or_default().push(home);
        }
    }
    let connecting = Selector { kind: Some("net.connect".to_owned()), ..selector.clone() };
    let (connections, cut) = drifts(history, &connecting, CONNECTIONS).await?;
    let mut hops: Vec<Hop> = Vec::new();
    for connect in connections {
        let Some(home) = connect.container.as_deref().and_then(|id| by_container.get(id)) else {
            continue;
        };
        let Some(peer) = &connect.destination else { continue };
        let Some(others) = by_address.get(peer.as_str()) else { continue };
        let there = |other: &&&Home| {
            let ended = other.ended.is_none_or(|ended| ended + SKEW >= connect.time);
            ended
                && other.first_seen - SKEW <= connect.last
                && other.place.pod_uid != home.place.pod_uid
        };
        let mut pods: Vec<&Place> = others.iter().filter(there).map(|other| &other.place).collect();
        pods.sort();
        pods.dedup();
        for to in pods {
            let into = by_pod.get(to.pod_uid.as_str()).map_or(&[][..], Vec::as_slice);
            let found = arrival(history, &connect, &home.place, into, window).await?;
            if let Some((confidence, accept, after)) = found {
                let (from, to, time) = (home.place.clone(), to.clone(), connect.time);
                hops.push(Hop {
                    from,
                    to,
                    time,
                    confidence,
                    connect: connect.clone(),
                    accept,
                    after,
                });
            }
        }
    }
    hops.sort_by_key(|hop| (hop.time, hop.connect.seq));
    let chains = chain::chains(&hops);
    let cut = cut || chains.len() >= chain::CHAINS;
    Ok(Lateral { hops, chains, cut })
}

type Arrival = (Confidence, Option<Told>, Vec<Told>);

/// What the containers of B did anew, from A's connection on; none where nothing.
async fn arrival(
    history: &mut History,
    connect: &Told,
    from: &Place,
    into: &[&str],
    window: SignedDuration,
) -> Result<Option<Arrival>, HistoryError> {
    let (begin, end) = (connect.time - SKEW, connect.last + window);
    let mut accept: Option<Told> = None;
    let mut after = Vec::new();
    for container in into {
        let selector = Selector {
            container: Some((*container).to_owned()),
            from: Some(begin),
            until: Some(end),
            speaking: true,
            ..Selector::default()
        };
        // What it did before goes on for other reasons.
        let mut found = begun(history, &selector, AFTER, None).await?;
        if found.len() > AFTER as usize {
            let accepts = Selector { kind: Some("net.accept".to_owned()), ..selector };
            found.retain(|told| told.kind != "net.accept");
            found.extend(begun(history, &accepts, AFTER, None).await?);
        }
        for told in found {
            if told.time < begin {
                continue;
            }
            if told.kind == "net.accept" {
                if told.source.is_some() && told.source == from.address && accept.is_none() {
                    accept = Some(told);
                }
            } else if speaks(&told) {
                after.push(told);
            }
        }
    }
    after.sort_by_key(|told| (told.time, told.seq));
    let confidence = match (&accept, after.is_empty()) {
        (Some(_), false) => Confidence::High,
        (None, false) => Confidence::Medium,
        (Some(_), true) => Confidence::Low,
        (None, true) => return Ok(None),
    };
    Ok(Some((confidence, accept, after)))
}

/// Drift that somebody's hand may be in: not that nobody watched, or that nothing is known of the image.
fn speaks(told: &Told) -> bool {
    let kinds = ["exec", "file", "net", "container", "capability", "identity", "syscall"];
    told.severity != "info" && kinds.contains(&told.kind.split('.').next().unwrap_or_default())
}

async fn homes(history: &mut History) -> Result<Vec<Home>, HistoryError> {
    let query = Statement::new(
        history.dialect,
        "SELECT id, pod_uid, namespace, pod_name, pod_ip, node, first_seen, started, created, ended FROM containers \
         WHERE pod_uid IS NOT NULL AND role <> 'sandbox' ORDER BY first_seen, id",
    );
    let homes = query.all::<Home>(&mut history.connection).await;
    let mut homes = history.failed(homes)?;
    // Of two histories that tell of a container the first counts.
    let mut known = BTreeSet::new();
    homes.retain(|home| known.insert(home.container.clone()));
    Ok(homes)
}

impl FromRow<'_, AnyRow> for Home {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let text = |column| row.try_get::<Option<String>, _>(column);
        let time = |column| row.try_get::<Option<i64>, _>(column)?.map(timestamp).transpose();
        let pod_uid: String = row.try_get("pod_uid")?;
        let names: Vec<String> =
            [text("namespace")?, text("pod_name")?].into_iter().flatten().collect();
        let name = if names.is_empty() { pod_uid.clone() } else { names.join("/") };
        let seen = timestamp(row.try_get("first_seen")?)?;
        let first_seen = time("started")?.or(time("created")?).map_or(seen, |at| at.min(seen));
        Ok(Self {
            container: row.try_get("id")?,
            place: Place { pod_uid, name, node: text("node")?, address: text("pod_ip")? },
            first_seen,
            ended: time("ended")?,
        })
    }
}
