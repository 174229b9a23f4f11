//! What a shipped baseline is worth: false drifts over fresh lives, deviations, and the same judged by rivals.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::Context as _;
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use super::{
    Lived, Service,
    capture::{self, Capture},
    deviation::{self, Deviation},
    life::Setting,
    live,
    network::Surroundings,
    node, record,
    rivals::{self, Deed, Rival},
    watch::{self, Watch},
};
use crate::pods::Node;

/// Examples that a result names.
const EXAMPLES: usize = 40;

#[derive(Debug, Serialize)]
pub struct Proof {
    pub service: String,
    /// Containers that lived as they should.
    pub runs: usize,
    pub driftline: Tally,
    /// What was still told once all of that was approved; none where nothing was to approve.
    pub approved: Option<Tally>,
    pub rivals: BTreeMap<String, Tally>,
    /// By runtime: what failed or was refused under the exported seccomp profile; empty where nothing was.
    pub seccomp: BTreeMap<String, Vec<String>>,
    pub deviations: Vec<Verdict>,
}

/// What was told although nothing was wrong.
#[derive(Debug, Default, Serialize)]
pub struct Tally {
    pub events: usize,
    /// Of pods with two containers each.
    pub pods_with_events: usize,
    /// Different ones, by kind.
    pub distinct: BTreeMap<String, usize>,
    /// Some of them.
    pub examples: BTreeSet<String>,
    #[serde(skip)]
    seen: BTreeSet<String>,
}

#[derive(Debug, Serialize)]
pub struct Verdict {
    pub name: String,
    pub what: String,
    pub imitates: bool,
    /// Who told of it: `driftline`, and rivals by their names.
    pub told: BTreeMap<String, bool>,
}

/// Proves one service's baseline.
pub struct Prover<'a> {
    pub service: &'a dyn Service,
    pub baseline: &'a Path,
    /// Where what was recorded is captured, and what is watched will be.
    pub captures: &'a Path,
    pub capture: &'a Capture,
    /// Where the service is watched.
    pub surroundings: &'static Surroundings,
    /// Of the first life; the others count up.
    pub seed: u64,
}

impl Prover<'_> {
    /// Watches so many containers, two in each pod.
    pub fn prove(&self, runs: usize) -> anyhow::Result<Proof> {
        let rivals = self.taught_rivals()?;
        let node = watch::laboratory(self.service, self.baseline)?;
        let setting = Setting { surroundings: self.surroundings, ..Setting::default() };
        let watch = Watch::start(self.service, &node, setting.clone())?;
        let mut tallies: Vec<Tally> = rivals.iter().map(|_| Tally::default()).collect();
        let mut pods = Vec::new();
        for seed in (self.seed..).take(runs.div_ceil(2)) {
            let lived = watch.live(seed);
            let deeds = self.deeds(&lived, &format!("watched/{seed}"))?;
            for (rival, tally) in rivals.iter().zip(&mut tallies) {
                tally.add(new_to(rival.as_ref(), &deeds).map(|deed| (deed.kind, &*deed.object)));
            }
            pods.push(lived);
        }
        let mut confined = BTreeMap::new();
        for (seed, runtime) in (self.seed + 1_000_000..).zip(["runc", "crun"]) {
            confined.insert(runtime.to_owned(), watch.live_confined(seed, runtime));
        }
        let mut deviations = Vec::new();
        for (seed, (name, deviation)) in (self.seed + 2_000_000..).zip(deviation::of(self.service)?)
        {
            deviations.push(self.verdict(&watch, seed, name, &deviation, &rivals)?);
        }
        let is_denial = watch.denials();
        let events = watch.finish();

        let lived = (self.seed..).zip(pods).collect::<Vec<_>>();
        let (driftline, approved) = judged(self.service, &node, &setting, &events, &lived)?;
        let seccomp = confined.into_iter().map(|(runtime, lived)| {
            let refused = match lived {
                Err(error) => vec![format!("{error:#}")],
                Ok(lived) => {
                    let told = watch::of_pod(events.clone(), &lived.uid);
                    let denied = told.iter().filter(|event| is_denial(event));
                    denied.map(described).collect()
                }
            };
            (runtime, refused)
        });
        let names = rivals.iter().map(|rival| rival.name().to_owned());
        Ok(Proof {
            service: self.service.name().to_owned(),
            runs: lived.iter().map(|(_, lived)| lived.containers.len()).sum(),
            driftline,
            approved,
            rivals: names.zip(tallies).collect(),
            seccomp: seccomp.collect(),
            deviations,
        })
    }

    fn verdict(
        &self,
        watch: &Watch<'_>,
        seed: u64,
        name: String,
        deviation: &Deviation,
        rivals: &[Box<dyn Rival>],
    ) -> anyhow::Result<Verdict> {
        let (lived, told) = watch.deviate(seed, deviation);
        let deeds = self.deeds(&lived, &format!("deviated/{name}"))?;
        let mut by = BTreeMap::from([("driftline".to_owned(), told)]);
        for rival in rivals {
            let told = new_to(rival.as_ref(), &deeds).any(|deed| deviation.reported.is_deed(deed));
            by.insert(rival.name().to_owned(), told);
        }
        let Deviation { what, imitates, .. } = deviation;
        Ok(Verdict { name, what: what.clone(), imitates: *imitates, told: by })
    }

    /// Rivals that learned from the very containers that the baseline was recorded from, or, where their captures are not
    /// there, from as many that live the same lives again.
    fn taught_rivals(&self) -> anyhow::Result<Vec<Box<dyn Rival>>> {
        let recorded = self.captures.join("recorded");
        let runs = profiler_user::baseline::load_file(self.baseline)?.runs.len();
        if capture::read_all(&recorded)?.is_empty() {
            let node = node();
            node.import(std::slice::from_ref(self.service.image()));
            for seed in (record::SEED..).take(runs.div_ceil(2)) {
                let lived = live(&node, self.service, seed, &Setting::default());
                keep(self.capture, &lived, self.captures, &format!("recorded/{seed}"))?;
            }
        }
        let mut rivals = Vec::from(rivals::all(self.service.image().paths()));
        // The last life may have gone on after the recording had seen enough.
        for records in capture::read_all(&recorded)?.iter().take(runs) {
            for observation in capture::observations(records)? {
                for deed in rivals::deeds(&observation) {
                    for rival in &mut rivals {
                        rival.learn(&deed);
                    }
                }
            }
        }
        for rival in &mut rivals {
            rival.finish();
        }
        Ok(rivals)
    }

    fn deeds(&self, lived: &Lived, name: &str) -> anyhow::Result<BTreeSet<Deed>> {
        let containers = keep(self.capture, lived, self.captures, name)?;
        let mut deeds = BTreeSet::new();
        for records in containers {
            let observations = capture::observations(&records)?;
            deeds.extend(observations.iter().flat_map(rivals::deeds));
        }
        Ok(deeds)
    }
}

/// What was told of lives as they should be, which are named by their seeds; then the same once that was approved and those
/// lives were lived again, if anything was told.
pub(super) fn judged(
    service: &dyn Service,
    node: &Node,
    setting: &Setting,
    events: &[Value],
    lived: &[(u64, Lived)],
) -> anyhow::Result<(Tally, Option<Tally>)> {
    let mut tally = Tally::default();
    let mut again = Vec::new();
    let mut to_approve = Vec::new();
    for (seed, lived) in lived {
        let told = watch::of_pod(events.to_vec(), &lived.uid);
        tally.add_told(&told);
        if !told.is_empty() {
            again.push(*seed);
            to_approve.extend(told);
        }
    }
    if again.is_empty() {
        return Ok((tally, None));
    }
    watch::approve(node, &to_approve)?;
    let watch = Watch::start(service, node, setting.clone())?;
    let lived: Vec<_> = again.iter().map(|seed| watch.live(*seed)).collect();
    let events = watch.finish();
    let mut approved = Tally::default();
    for lived in lived {
        approved.add_told(&watch::of_pod(events.clone(), &lived.uid));
    }
    Ok((tally, Some(approved)))
}

/// Takes what was captured of a life's containers, and keeps it in files as well.
pub fn keep(
    capture: &Capture,
    lived: &Lived,
    captures: &Path,
    name: &str,
) -> anyhow::Result<Vec<Vec<Bytes>>> {
    let mut all = Vec::new();
    for (number, id) in lived.containers.iter().enumerate() {
        let records = capture.take(id).context("capturing beside the agent")?;
        capture::write(&captures.join(format!("{name}-{number}.records")), &records)?;
        all.push(records);
    }
    Ok(all)
}

fn new_to<'d>(rival: &dyn Rival, deeds: &'d BTreeSet<Deed>) -> impl Iterator<Item = &'d Deed> {
    deeds.iter().filter(move |deed| !rival.knows(deed))
}

impl Tally {
    /// What was told of one pod.
    pub fn add<K: AsRef<str>, O: AsRef<str>>(&mut self, told: impl Iterator<Item = (K, O)>) {
        let before = self.events;
        for (kind, object) in told {
            self.events += 1;
            let (kind, object) = (kind.as_ref(), object.as_ref());
            let example = format!("{kind} {object}");
            if !self.seen.insert(example.clone()) {
                continue;
            }
            *self.distinct.entry(kind.to_owned()).or_default() += 1;
            if self.examples.len() < EXAMPLES {
                self.examples.insert(example);
            }
        }
        self.pods_with_events += usize::from(self.events > before);
    }

    fn add_told(&mut self, events: &[Value]) {
        self.add(events.iter().map(|event| (text(event, "drift.kind"), described(event))));
    }

    pub fn total_distinct(&self) -> usize {
        self.distinct.values().sum()
    }
}

fn text<'e>(event: &'e Value, key: &str) -> &'e str {
    event[key].as_str().unwrap_or_default()
}

fn described(event: &Value) -> String {
    format!("{} by {}", text(event, "drift.object"), text(event, "process.executable.path"))
}
