use std::collections::{BTreeMap, BTreeSet};

use super::processes::{Deed, Process, Shape};
use super::random::Random;
use super::*;

fn sample(units: &[BTreeSet<Deed>]) -> Sample {
    let mut behaviours: BTreeMap<Deed, Vec<usize>> = BTreeMap::new();
    for (place, unit) in units.iter().enumerate() {
        for deed in unit {
            behaviours.entry(*deed).or_default().push(place);
        }
    }
    Sample::new(units.len(), behaviours.values().map(Vec::as_slice))
}

/// Behaviours of the later units that none of the earlier has.
fn new(before: &[BTreeSet<Deed>], after: &[BTreeSet<Deed>]) -> usize {
    let known: BTreeSet<_> = before.iter().flatten().collect();
    after.iter().flatten().collect::<BTreeSet<_>>().difference(&known).count()
}

/// Of many splits of one sort.
#[derive(Default)]
struct Tally {
    splits: u32,
    covered: u32,
    below: u32,
    above: u32,
    width: usize,
    expected: f64,
    came: usize,
}

impl Tally {
    fn add(&mut self, forecast: Forecast, came: usize) {
        self.splits += 1;
        self.below += u32::from(came < forecast.low);
        self.above += u32::from(came > forecast.high);
        self.covered += u32::from((forecast.low..=forecast.high).contains(&came));
        self.width += forecast.high - forecast.low;
        self.expected += forecast.expected;
        self.came += came;
    }

    fn share(&self) -> f64 {
        f64::from(self.covered) / f64::from(self.splits)
    }

    /// For `docs/maturity.md`: `| what | splits | covered | below | above | width | expected | came |`.
    fn row(&self, what: &str) -> String {
        let splits = f64::from(self.splits);
        let mean = |sum: usize| f64::from(u32::try_from(sum).unwrap()) / splits;
        format!(
            "| {what} | {} | {:.1} % | {} | {} | {:.1} | {:.1} | {:.1} |",
            self.splits,
            self.share() * 100.0,
            self.below,
            self.above,
            mean(self.width),
            self.expected / splits,
            mean(self.came)
        )
    }
}

/// Units seen, and units ahead.
const SPLITS: [(usize, usize); 6] = [(5, 1), (5, 5), (10, 1), (10, 10), (20, 5), (20, 20)];

#[test]
fn the_interval_holds_what_then_comes_in_nine_of_ten_cases_and_is_not_boundless() {
    const EACH: usize = 50;
    let mut random = Random::new(1);
    let mut all = Tally::default();
    for shape in Shape::ALL {
        let mut of_shape = Tally::default();
        for (before, ahead) in SPLITS {
            let mut of_split = Tally::default();
            for _ in 0..EACH {
                let mut process = Process::new(shape, &mut random);
                let units: Vec<_> =
                    (0..before + ahead).map(|_| process.unit(&mut random)).collect();
                let (seen, held_out) = units.split_at(before);
                let forecast = sample(seen).forecast(ahead).unwrap();
                let came = new(seen, held_out);
                for tally in [&mut of_split, &mut of_shape, &mut all] {
                    tally.add(forecast, came);
                }
            }
            eprintln!("{}", of_split.row(&format!("{} | {before} | {ahead}", shape.name())));
        }
        eprintln!("{}", of_shape.row(&format!("**{}** | |", shape.name())));
        assert!(of_shape.share() >= 0.90, "{shape:?}: {}", of_shape.share());
    }
    eprintln!("{}", all.row("**all** | |"));
    assert!(all.splits >= 200 && (0.90..=0.99).contains(&all.share()), "{}", all.share());
}

/// Of a recording, the behaviours of each run.
fn runs_of(path: &std::path::Path) -> Vec<BTreeSet<Deed>> {
    let held = crate::baseline::load_file(path).unwrap();
    let mut runs: BTreeMap<_, BTreeSet<Deed>> =
        held.runs.keys().map(|run| (run, BTreeSet::new())).collect();
    for (deed, entry) in held.list().iter().enumerate() {
        for run in entry.seen.runs.keys() {
            runs.get_mut(run).unwrap().insert(deed);
        }
    }
    runs.into_values().collect()
}

/// In `DRIFTLINE_RECORDINGS`, a directory of baselines of many runs each, besides those in the tree.
#[test]
fn the_interval_holds_for_runs_held_out_of_real_recordings() {
    const EACH: usize = 40;
    let mut random = Random::new(3);
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/src/maturity/recordings").into();
    let others = std::env::var_os("DRIFTLINE_RECORDINGS").map(std::path::PathBuf::from);
    let mut all = Tally::default();
    for directory in [Some(own), others].into_iter().flatten() {
        for listed in crate::baseline::list(&directory).unwrap() {
            let mut runs = runs_of(&listed.path);
            let mut of_recording = Tally::default();
            let held = runs.len();
            for (before, ahead) in SPLITS.into_iter().filter(|(a, b)| a + b <= held) {
                for _ in 0..EACH {
                    shuffle(&mut runs, &mut random);
                    let (seen, held_out) = runs.split_at(before);
                    let forecast = sample(seen).forecast(ahead).unwrap();
                    let came = new(seen, &held_out[..ahead]);
                    of_recording.add(forecast, came);
                    all.add(forecast, came);
                }
            }
            eprintln!("{}", of_recording.row(&format!("**{}** | |", listed.image)));
        }
    }
    eprintln!("{}", all.row("**all recordings** | |"));
    assert!(all.splits >= 200 && (0.90..=0.99).contains(&all.share()), "{}", all.share());
}

fn shuffle<T>(all: &mut [T], random: &mut Random) {
    for place in (1..all.len()).rev() {
        all.swap(place, random.below(place + 1));
    }
}

#[test]
fn chao2_and_coverage_are_as_worked_out_by_hand() {
    // Three units; six behaviours: three seen once, two twice, one always.
    let at: [&[usize]; 6] = [&[0], &[1], &[1], &[0, 1], &[1, 2], &[0, 1, 2]];
    let estimate = Sample::new(3, at).estimate().unwrap();
    // 2/3 * 3*2 / (2*3)
    assert!((estimate.unseen - 2.0 / 3.0).abs() < 1e-9, "{estimate:?}");
    // 1 - 3/10 * 2*3 / (2*3 + 2*2)
    assert!((estimate.coverage - 0.82).abs() < 1e-9, "{estimate:?}");
    let Interval { low, high } = estimate.unseen_interval;
    assert!(low > 0.0 && low < estimate.unseen && high > estimate.unseen, "{estimate:?}");
}

#[test]
fn what_always_comes_is_covered_and_one_unit_says_nothing() {
    let at: [&[usize]; 2] = [&[0, 1, 2, 3, 4], &[0, 1, 2, 3, 4]];
    let sample = Sample::new(5, at);
    let estimate = sample.estimate().unwrap();
    assert!(estimate.coverage > 0.999 && estimate.unseen < 0.001, "{estimate:?}");
    let forecast = sample.forecast(5).unwrap();
    assert!(forecast.expected < 0.001 && forecast.low == 0, "{forecast:?}");
    assert!(forecast.high <= 20, "{forecast:?}");
    assert_eq!(Sample::new(1, [&[0][..]]).estimate(), None);
    assert_eq!(Sample::new(5, []).estimate(), None);
    assert_eq!(sample.forecast(6), None);
}

#[test]
fn the_whole_universe_is_within_the_estimate_where_its_assumptions_hold() {
    const SPLITS: i32 = 200;
    let mut random = Random::new(2);
    let mut held = 0;
    for _ in 0..SPLITS {
        let units: Vec<BTreeSet<Deed>> =
            (0..12).map(|_| (0..200).filter(|_| random.uniform() < 0.15).collect()).collect();
        let estimate = sample(&units).estimate().unwrap();
        let unseen = f64::from(200 - u32::try_from(sample(&units).seen()).unwrap());
        let Interval { low, high } = estimate.unseen_interval;
        held += i32::from((low..=high).contains(&unseen));
    }
    assert!(held >= SPLITS * 88 / 100, "{held} of {SPLITS}");
}
