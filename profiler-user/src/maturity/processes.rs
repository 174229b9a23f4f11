//! Made-up containers whose whole universe is known.

use std::collections::BTreeSet;

use super::random::Random;

/// A behaviour.
pub(super) type Deed = usize;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shape {
    /// All are as likely.
    Uniform,
    /// The n-th is 1/n as likely.
    Zipf,
    /// A core, and a long tail of rare ones.
    HeavyTail,
    /// A core, and sorts of units that bring many at once: restarts, error paths, nightly jobs.
    Clusters,
    /// A core, and what never comes again.
    OneOff,
    /// The last three at once.
    Mixed,
}

impl Shape {
    pub(super) const ALL: [Self; 6] =
        [Self::Uniform, Self::Zipf, Self::HeavyTail, Self::Clusters, Self::OneOff, Self::Mixed];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Zipf => "Zipf",
            Self::HeavyTail => "heavy tail",
            Self::Clusters => "clusters",
            Self::OneOff => "one-off noise",
            Self::Mixed => "the last three",
        }
    }
}

/// Its parameters are drawn with it.
#[derive(Default)]
pub(super) struct Process {
    /// How likely each deed is.
    alone: Vec<f64>,
    /// How likely each cluster is, and of how many deeds it is.
    clusters: Vec<(f64, usize)>,
    /// Deeds per unit that never come again.
    one_off: f64,
    told: usize,
}

impl Process {
    pub(super) fn new(shape: Shape, random: &mut Random) -> Self {
        let mut process = Self::default();
        let mixed = shape == Shape::Mixed;
        if mixed || shape == Shape::OneOff {
            process.one_off = [0.1, 0.5, 2.0][random.below(3)];
            process.alone = vec![1.0; 100];
        }
        if mixed || shape == Shape::Clusters {
            process.alone = vec![1.0; 100];
            let cluster = |random: &mut Random| {
                ([0.02, 0.05, 0.1, 0.3][random.below(4)], 3 + random.below(38))
            };
            process.clusters = (0..8).map(|_| cluster(random)).collect();
        }
        if mixed || shape == Shape::HeavyTail {
            process.alone = vec![1.0; 100];
            process.alone.extend((0..400).map(|_| (normal(random) * 2.0 - 5.0).exp().min(1.0)));
        }
        if shape == Shape::Zipf {
            let scale = [1.0, 3.0][random.below(2)];
            process.alone = (1..=400).map(|rank| (scale / f64::from(rank)).min(1.0)).collect();
        }
        if shape == Shape::Uniform {
            let chance = [0.05, 0.1, 0.3, 0.6][random.below(4)];
            process.alone = vec![chance; [50, 100, 300][random.below(3)]];
        }
        process
    }

    pub(super) fn unit(&mut self, random: &mut Random) -> BTreeSet<Deed> {
        const CLUSTER: usize = 1000;
        let alone = self.alone.iter().enumerate();
        let mut unit: BTreeSet<Deed> =
            alone.filter(|(_, chance)| random.uniform() < **chance).map(|(deed, _)| deed).collect();
        for (place, (chance, size)) in self.clusters.iter().enumerate() {
            if random.uniform() < *chance {
                let deeds = (0..*size).map(|deed| (place + 1) * CLUSTER + deed);
                unit.extend(deeds.filter(|_| random.uniform() < 0.9));
            }
        }
        let mut waited = random.exponential();
        while waited < self.one_off {
            self.told += 1;
            unit.insert(100 * CLUSTER + self.told);
            waited += random.exponential();
        }
        unit
    }
}

/// Twelve uniforms, by the central limit.
fn normal(random: &mut Random) -> f64 {
    (0..12).map(|_| random.uniform()).sum::<f64>() - 6.0
}
