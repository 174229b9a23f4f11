//! Recording a service in the laboratory, as `driftline record --until` does it on a node.

use std::{fs, path::Path};

use anyhow::Context as _;
use jiff::Timestamp;
use profiler_user::baseline::{self, Completeness};

use super::{Lived, Service, life::Setting, live, node};
use crate::agent::Agent;

/// Containers that are recorded at most: half as many lives.
pub const RUNS: usize = 10;

/// The seed of the first life; the others count up.
pub const SEED: u64 = 1;

/// Where agents of the laboratory keep baselines, on the node.
pub(super) const BASELINES: &str = "/var/lib/driftline/baselines";

/// A recording that ended.
pub struct Recorded {
    pub runs: usize,
    pub completeness: Completeness,
    /// The tier of the capture: `full` or `restricted`.
    pub tier: String,
    pub bytes: u64,
    /// Why it ended, and whatever else the agent had to say.
    pub said: String,
}

/// When a recording is enough.
#[derive(Clone, Copy, Debug)]
pub enum Enough {
    /// At this coverage, or after [`RUNS`] containers.
    Coverage(f64),
    /// After so many containers.
    Containers(usize),
}

/// Records a service, and writes its baseline to a file. `after` is told of each life.
pub fn record(
    service: &dyn Service,
    enough: Enough,
    to: &Path,
    mut after: impl FnMut(Lived) -> anyhow::Result<()>,
) -> anyhow::Result<Recorded> {
    let node = node();
    node.import(std::slice::from_ref(service.image()));
    let (goal, containers) = match enough {
        Enough::Coverage(until) => (Some(until.to_string()), RUNS),
        Enough::Containers(count) => (None, count),
    };
    let mut flags = vec!["--namespace", service.name()];
    flags.extend(goal.iter().flat_map(|goal| ["--until", goal]));
    let mut agent = Agent::start(&node, "record", &flags);
    for seed in (SEED..).take(containers / 2) {
        after(live(&node, service, seed, &Setting::default()))?;
        if agent.has_ended() {
            break;
        }
    }
    let said = agent.stop();

    let directory = node.outside(BASELINES);
    let files = fs::read_dir(&directory)?.map(|file| Ok(file?.path()));
    let files: Vec<_> = files.collect::<std::io::Result<_>>()?;
    let is_baseline = |path: &&std::path::PathBuf| path.extension().is_some_and(|it| it == "json");
    let found = files.iter().find(is_baseline);
    let found = found.with_context(|| format!("nothing was recorded:\n{said}"))?;
    crate::recorded::valid(&fs::read_to_string(found)?);
    let bytes = fs::copy(found, to).with_context(|| format!("{} not written", to.display()))?;
    let recorded = baseline::load_file(to)?;
    let tiers: Vec<_> = recorded.runs.values().map(|run| run.tier.clone()).collect();
    Ok(Recorded {
        runs: recorded.runs.len(),
        completeness: recorded.completeness(Timestamp::now()),
        tier: tiers.into_iter().max().unwrap_or_default(),
        bytes,
        said,
    })
}
