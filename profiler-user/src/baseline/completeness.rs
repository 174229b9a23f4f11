//! How complete a baseline is, by kind of behaviour and overall.
//!
//! A run that lost events of a kind, began late or had no probe for it is no sampling unit of that kind: what it saw is
//! known, but what it did not see says nothing. So losses lower the completeness until whole runs make up for them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::aspect::Aspect;
use super::model::Baseline;
use super::run::{Run, RunId};
use super::seen::{Seen, Windows};
use crate::maturity::{Estimate, Forecast, LEAST_UNITS, Sample};

/// Of a whole baseline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Completeness {
    /// The least of what is told below, 0 to 1; 0 where there is not enough to tell.
    pub coverage: f64,
    /// What limits it.
    pub limit: Limit,
    /// All behaviours together.
    pub overall: Measure,
    pub aspects: BTreeMap<Aspect, Measure>,
    /// Why runs do not count, and how many.
    pub left_out: BTreeMap<String, usize>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// Fewer than two whole runs: nobody knows what another start would bring.
    Starts,
    /// What runs differ in.
    Runs,
    /// What is done while it runs differs from one window to another.
    Windows,
}

/// By the two sorts of sampling units.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measure {
    pub runs: Units,
    /// Whole windows of runs, beside the one that a run starts in. System calls are told once in a run and are not among
    /// what is counted here.
    pub windows: Units,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Units {
    pub units: usize,
    /// Different behaviours seen in them.
    pub seen: usize,
    #[serde(flatten)]
    pub estimate: Option<Estimate>,
    /// Of the next unit.
    pub next: Option<Forecast>,
}

impl Completeness {
    /// Whether there were enough units of either sort for a coverage to be relied on: what two runs share by chance looks
    /// complete.
    pub fn is_told_by_enough(&self) -> bool {
        let Measure { runs, windows } = &self.overall;
        runs.units.max(windows.units) >= LEAST_UNITS
    }
}

impl Measure {
    /// The least that units of either sort tell; none where there were too few of both.
    pub fn coverage(&self) -> Option<f64> {
        let each = [&self.runs, &self.windows];
        let told = each.into_iter().filter_map(|units| units.estimate.map(|it| it.coverage));
        told.reduce(f64::min)
    }
}

impl Baseline {
    /// Its coverage alone, without looking ahead: cheap enough to be asked often.
    pub fn coverage(&self, now: Timestamp) -> (f64, Limit) {
        let [runs, windows] = self.samples(None, now);
        let of = |sample: &Sample| sample.estimate().map(|estimate| estimate.coverage);
        least(of(&runs), of(&windows))
    }

    /// See [`Completeness::is_told_by_enough`]; of runs that still go on only their windows count.
    pub fn is_told_by_enough(&self, now: Timestamp) -> bool {
        let ended = self.runs.values().filter(|run| run.ended.is_some() && !run.partial).count();
        let [_, windows] = self.samples(None, now);
        ended >= LEAST_UNITS || windows.units() >= LEAST_UNITS
    }

    /// As events say it: in tenths of a percent, rounded down; none where there is not enough to tell.
    pub fn told_coverage(&self, now: Timestamp) -> Option<f64> {
        let (coverage, limit) = self.coverage(now);
        (limit != Limit::Starts).then(|| (coverage * 1000.0).floor() / 1000.0)
    }

    /// `now`: for runs that still go on.
    pub fn completeness(&self, now: Timestamp) -> Completeness {
        let overall = self.measure(None, now);
        let aspects: BTreeMap<_, _> = Aspect::ALL
            .into_iter()
            .map(|aspect| (aspect, self.measure(Some(aspect), now)))
            .collect();
        let of = |units: &Units| units.estimate.map(|estimate| estimate.coverage);
        let (coverage, limit) = least(of(&overall.runs), of(&overall.windows));
        Completeness { coverage, limit, overall, aspects, left_out: self.left_out() }
    }

    fn measure(&self, aspect: Option<Aspect>, now: Timestamp) -> Measure {
        let [runs, windows] = self.samples(aspect, now).map(|sample| Units::of(&sample));
        Measure { runs, windows }
    }

    /// By runs, and by windows.
    fn samples(&self, aspect: Option<Aspect>, now: Timestamp) -> [Sample; 2] {
        let counts = |run: &Run| match aspect {
            Some(aspect) => aspect.is_whole_in(run),
            None => Aspect::ALL.into_iter().all(|aspect| aspect.is_whole_in(run)),
        };
        let whole: Vec<(&RunId, &Run)> = self.runs.iter().filter(|(_, run)| counts(run)).collect();
        let runs = whole.iter().enumerate().map(|(place, (id, _))| (*id, place)).collect();
        let mut windows = BTreeMap::new();
        let mut all = 0;
        for (id, run) in &whole {
            let count = usize::from(run.whole_windows(run.ended.unwrap_or(now)));
            windows.insert(*id, all..all + count);
            all += count;
        }
        let (mut in_runs, mut in_windows) = (Vec::new(), Vec::new());
        for entry in self.list() {
            let of = entry.aspect();
            if aspect.is_none_or(|aspect| aspect == of) {
                in_runs.push(units_of(entry.seen, &runs));
                if of != Aspect::Syscalls {
                    in_windows.push(windows_of(entry.seen, &windows));
                }
            }
        }
        let sample = |units, of: &[Vec<usize>]| Sample::new(units, of.iter().map(Vec::as_slice));
        [sample(whole.len(), &in_runs), sample(all, &in_windows)]
    }

    fn left_out(&self) -> BTreeMap<String, usize> {
        let mut why = BTreeMap::new();
        let mut count = |reason: String| *why.entry(reason).or_default() += 1;
        for run in self.runs.values() {
            if run.partial {
                count("not seen from the start or not all of the time".to_owned());
            }
            for (kind, lost) in &run.lost {
                if *lost > 0 && Aspect::ALL.into_iter().any(|aspect| aspect.misses(kind)) {
                    count(format!("lost events of kind {kind}"));
                }
            }
            for probe in &run.blind {
                if Aspect::ALL.into_iter().any(|aspect| aspect.needs(probe)) {
                    count(format!("no probe for {probe}"));
                }
            }
        }
        why
    }
}

impl Aspect {
    fn is_whole_in(self, run: &Run) -> bool {
        let lost = run.lost.iter().any(|(kind, lost)| *lost > 0 && self.misses(kind));
        !run.partial && !lost && !run.blind.iter().any(|probe| self.needs(probe))
    }
}

impl Units {
    fn of(sample: &Sample) -> Self {
        let (units, seen, next) = (sample.units(), sample.seen(), sample.forecast(1));
        Self { units, seen, estimate: sample.estimate(), next }
    }
}

fn least(runs: Option<f64>, windows: Option<f64>) -> (f64, Limit) {
    match (runs, windows) {
        (None, _) => (0.0, Limit::Starts),
        (Some(runs), Some(windows)) if windows < runs => (windows, Limit::Windows),
        (Some(runs), _) => (runs, Limit::Runs),
    }
}

fn units_of(seen: &Seen, places: &BTreeMap<&RunId, usize>) -> Vec<usize> {
    seen.runs.keys().filter_map(|id| places.get(id).copied()).collect()
}

fn windows_of(seen: &Seen, places: &BTreeMap<&RunId, std::ops::Range<usize>>) -> Vec<usize> {
    let of_run = |(id, sighting): (&RunId, &super::Sighting)| {
        let windows = sighting.windows;
        let places = places.get(id).cloned().unwrap_or_default();
        let numbered = places.zip(1..=Windows::LAST);
        numbered.filter(move |(_, window)| windows.has(*window)).map(|(place, _)| place)
    };
    seen.runs.iter().flat_map(of_run).collect()
}

#[cfg(test)]
mod tests;
