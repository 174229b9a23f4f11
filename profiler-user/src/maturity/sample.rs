//! What was seen in how many sampling units.

use std::collections::HashMap;

/// Counts of an incidence matrix: behaviours by units.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    pub(super) units: usize,
    /// Different behaviours.
    pub(super) seen: usize,
    /// Each counted once for each unit that it was seen in.
    pub(super) incidences: usize,
    /// Behaviours seen in one unit only, in two only.
    pub(super) once: usize,
    pub(super) twice: usize,
    /// For each unit, how many behaviours no other unit has.
    pub(super) only_there: Vec<usize>,
    /// How many behaviours came together each time, where they came more than once but not usually: what comes, comes in
    /// such clusters.
    pub(super) clusters: Vec<usize>,
}

impl Sample {
    /// `behaviours`: for each the units, from 0, that it was seen in, rising and without repeats.
    pub fn new<'a>(units: usize, behaviours: impl IntoIterator<Item = &'a [usize]>) -> Self {
        let mut sample = Self { units, only_there: vec![0; units], ..Self::default() };
        let mut together: HashMap<&[usize], usize> = HashMap::new();
        for at in behaviours.into_iter().filter(|at| !at.is_empty()) {
            sample.seen += 1;
            sample.incidences += at.len();
            match at {
                [unit] => {
                    sample.once += 1;
                    sample.only_there[*unit] += 1;
                }
                [_, _] => sample.twice += 1,
                _ => {}
            }
            if (2..=(units / 2).max(2)).contains(&at.len()) {
                *together.entry(at).or_default() += 1;
            }
        }
        sample.clusters = together.into_values().collect();
        sample.clusters.sort_unstable();
        sample
    }

    pub fn units(&self) -> usize {
        self.units
    }

    pub fn seen(&self) -> usize {
        self.seen
    }
}
