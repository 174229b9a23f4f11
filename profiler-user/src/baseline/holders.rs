//! Which executables may hold a name: nearly always none but the one that is asked about, told without asking each.

use super::judge::Known;
use super::keys::Sought;
use super::names::Set;

#[derive(Debug)]
pub(super) struct Holders {
    /// Of every key of every executable, with its set: sorted, and a key that is not among them is nobody's.
    keys: Box<[u32]>,
    /// By set, the executables with patterns in it, by their place.
    patterned: [Box<[u32]>; Set::ALL.len()],
}

impl Holders {
    pub(super) fn new(all: &[Known]) -> Self {
        let of = |known: &Known, set: Set| {
            known.set(set).hashes().map(move |hash| mixed(set, hash)).collect::<Vec<_>>()
        };
        let keys = all.iter().flat_map(|known| Set::ALL.map(|set| of(known, set))).flatten();
        let mut keys: Vec<_> = keys.collect();
        keys.sort_unstable();
        keys.dedup();
        let patterned = Set::ALL.map(|set| {
            let with = |(_, known): &(u32, &Known)| known.set(set).has_patterns();
            (0..).zip(all).filter(with).map(|(place, _)| place).collect()
        });
        Self { keys: keys.into(), patterned }
    }

    /// The places of those that have to be asked, of `count`.
    pub(super) fn candidates(&self, set: Set, name: &Sought<'_>, count: usize) -> Candidates<'_> {
        if name.hashes().any(|hash| self.keys.binary_search(&mixed(set, hash)).is_ok()) {
            Candidates::All(0..count)
        } else {
            Candidates::Patterned(self.patterned[set as usize].iter())
        }
    }
}

/// Half of the hash says it: what is told here is asked again.
fn mixed(set: Set, hash: u64) -> u32 {
    ((hash >> 32) as u32).wrapping_add(set as u32)
}

pub(super) enum Candidates<'a> {
    All(std::ops::Range<usize>),
    Patterned(std::slice::Iter<'a, u32>),
}

impl Iterator for Candidates<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        match self {
            Self::All(places) => places.next(),
            Self::Patterned(places) => places.next().map(|place| *place as usize),
        }
    }
}
