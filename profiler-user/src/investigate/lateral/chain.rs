//! Hops that follow one another.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Confidence, Hop};

/// Paths that are told, at most: a web of hops has more than anybody reads.
const CHAINS: usize = 100;

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
    let mut chains = Vec::new();
    for (first, hop) in hops.iter().enumerate() {
        let led_to = hops.iter().any(|before| leads_to(before, hop) && before.from != hop.to);
        if !led_to {
            follow(hops, vec![first], &mut chains);
        }
    }
    // The longest first, then the surest; those of one pair of pods that say the same once.
    chains.sort_by_key(|chain| {
        (std::cmp::Reverse((chain.hops.len(), chain.confidence)), chain.hops.clone())
    });
    let mut told = BTreeSet::new();
    chains.retain(|chain| told.insert(chain.pods.clone()));
    chains
}

/// Into a pod, and later out of it.
fn leads_to(before: &Hop, hop: &Hop) -> bool {
    before.to == hop.from && before.time < hop.connect.last
}

fn follow(hops: &[Hop], path: Vec<usize>, chains: &mut Vec<Chain>) {
    if chains.len() >= CHAINS {
        return;
    }
    let Some(last) = path.last().map(|last| &hops[*last]) else { return };
    let was_there =
        |hop: &Hop| path.iter().any(|one| hops[*one].from == hop.to || hops[*one].to == hop.to);
    let on: Vec<usize> = (0..hops.len())
        .filter(|next| leads_to(last, &hops[*next]) && !was_there(&hops[*next]))
        .collect();
    if on.is_empty() {
        let pods = path.first().map(|first| &hops[*first].from).into_iter();
        let pods =
            pods.chain(path.iter().map(|hop| &hops[*hop].to)).map(|place| place.name.clone());
        let confidence = path.iter().map(|hop| hops[*hop].confidence).min();
        chains.push(Chain {
            pods: pods.collect(),
            confidence: confidence.unwrap_or(Confidence::Low),
            hops: path,
        });
        return;
    }
    for next in on {
        let mut longer = path.clone();
        longer.push(next);
        follow(hops, longer, chains);
    }
}
