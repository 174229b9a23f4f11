//! Hops that follow one another.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

use serde::Serialize;

use super::{Confidence, Hop};

/// Paths that are told, at most: a web of hops has more than anybody reads.
pub(super) const CHAINS: usize = 100;

/// From the pod where it began to the one where it ended.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Chain {
    /// Places in the list of hops, in the order in which they were taken.
    pub hops: Vec<usize>,
    /// The names of the pods, one more than hops.
    pub pods: Vec<String>,
    /// That of its weakest hop.
    pub confidence: Confidence,
}

/// Every longest chain: no hop leads to its beginning, none leads on from its end, and no pod is in it twice.
pub(super) fn chains(hops: &[Hop]) -> Vec<Chain> {
    let mut told = Told::new();
    let began = (0..hops.len()).filter(|first| {
        let hop = &hops[*first];
        !hops.iter().any(|before| leads_to(before, hop) && before.from != hop.to)
    });
    for first in distinct(hops, began) {
        follow(hops, &[first], &mut told);
    }
    let mut chains: Vec<Chain> = told.into_values().collect();
    // The longest first, then the surest.
    chains.sort_by_key(|chain| {
        (std::cmp::Reverse((chain.hops.len(), chain.confidence)), chain.hops.clone())
    });
    chains
}

/// By the names of its pods: those that say the same are told once, the surest of them.
type Told = BTreeMap<Vec<String>, Chain>;

/// Of several hops between two pods the first, from which most can follow, and the surest: others say nothing else.
fn distinct(hops: &[Hop], some: impl Iterator<Item = usize>) -> BTreeSet<usize> {
    let mut between: BTreeMap<_, (usize, usize)> = BTreeMap::new();
    for one in some {
        let hop = &hops[one];
        let (first, surest) = between.entry((&hop.from, &hop.to)).or_insert((one, one));
        if hop.time < hops[*first].time {
            *first = one;
        }
        if hop.confidence > hops[*surest].confidence {
            *surest = one;
        }
    }
    between.into_values().flat_map(|(first, surest)| [first, surest]).collect()
}

/// Into a pod, and later out of it.
fn leads_to(before: &Hop, hop: &Hop) -> bool {
    before.to == hop.from && before.time < hop.connect.last
}

fn follow(hops: &[Hop], path: &[usize], told: &mut Told) {
    if told.len() >= CHAINS {
        return;
    }
    let Some(last) = path.last().map(|last| &hops[*last]) else { return };
    let was_there =
        |hop: &Hop| path.iter().any(|one| hops[*one].from == hop.to || hops[*one].to == hop.to);
    let on =
        (0..hops.len()).filter(|next| leads_to(last, &hops[*next]) && !was_there(&hops[*next]));
    let on = distinct(hops, on);
    if on.is_empty() {
        let pods = path.first().map(|first| &hops[*first].from).into_iter();
        let pods =
            pods.chain(path.iter().map(|hop| &hops[*hop].to)).map(|place| place.name.clone());
        let pods: Vec<String> = pods.collect();
        let confidence = path.iter().map(|hop| hops[*hop].confidence).min();
        let confidence = confidence.unwrap_or(Confidence::Low);
        let chain = Chain { pods: pods.clone(), confidence, hops: path.to_owned() };
        match told.entry(pods) {
            Entry::Vacant(place) => _ = place.insert(chain),
            Entry::Occupied(mut known) if known.get().confidence < confidence => {
                known.insert(chain);
            }
            Entry::Occupied(_) => {}
        }
        return;
    }
    for next in on {
        follow(hops, &[path, &[next]].concat(), told);
    }
}
