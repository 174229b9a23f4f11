//! What a shipped baseline is worth where clocks are wrong.

use std::{fs, path::Path};

use anyhow::ensure;
use profiler_user::baseline;
use serde::Serialize;

use super::{
    Service,
    clock::{self, Hands},
    life::{Life, Setting},
    live,
    prove::{Tally, judged},
    record,
    watch::{self, Watch},
};
use crate::{agent::Agent, pods::Node};

/// Lives in which the clock is right, for what the library that turns it does by itself.
const RIGHT: usize = 4;

#[derive(Debug, Serialize)]
pub struct Turned {
    pub service: String,
    /// Containers whose clock was wrong.
    pub runs: usize,
    pub driftline: Tally,
    /// The same once all of that was approved; none where nothing was to approve.
    pub approved: Option<Tally>,
}

/// Watches so many containers whose clock is wrong, and is turned while they work. What the library does that turns it is first
/// recorded on top of the baseline, with the clock right.
pub fn prove(
    service: &dyn Service,
    shipped: &Path,
    seed: u64,
    runs: usize,
) -> anyhow::Result<Turned> {
    let node = watch::laboratory(service, shipped)?;
    // The recorder goes on with a baseline that has its own name for it.
    let directory = node.outside(record::BASELINES);
    let file = baseline::load_file(shipped)?;
    let own = baseline::path_in(&directory, &file.image, &file.scope);
    fs::rename(directory.join(format!("{}.json", service.name())), own)?;
    goes_by_it(&node, service)?;
    let agent = Agent::start(&node, "record", &["--namespace", service.name()]);
    let setting = Setting { clock: Some(Hands::Right), ..Setting::default() };
    for seed in (record::SEED..).take(RIGHT) {
        live(&node, service, seed, &setting);
    }
    agent.stop();
    let baselines = fs::read_dir(directory)?;
    ensure!(
        baselines
            .flatten()
            .filter(|file| file.path().extension().is_some_and(|it| it == "json"))
            .count()
            == 1,
        "{} is of another image: record it anew, or have the packages that it was recorded with",
        shipped.display()
    );

    let setting = Setting { clock: Some(Hands::Turned), ..Setting::default() };
    let watch = Watch::start(service, &node, setting.clone())?;
    let lived = (seed..).take(runs.div_ceil(2)).map(|seed| (seed, watch.live(seed)));
    let lived: Vec<_> = lived.collect();
    let events = watch.finish();
    let (driftline, approved) = judged(service, &node, &setting, &events, &lived)?;
    let runs = lived.iter().map(|(_, lived)| lived.containers.len()).sum();
    Ok(Turned { service: service.name().to_owned(), runs, driftline, approved })
}

/// That a clock can be turned there at all.
fn goes_by_it(node: &Node, service: &dyn Service) -> anyhow::Result<()> {
    let setting = Setting { clock: Some(Hands::Right), ..Setting::default() };
    let life = Life::begin(node, service, 0, &setting);
    for asked in [0, -9_000_000, 70_000_000] {
        life.clock.as_ref().expect("it was asked for").show(asked);
        let shown = clock::offset(&life.exec(&["/usr/bin/date", "+%s"]).stdout);
        ensure!((shown - asked).abs() < 30, "{}: {asked} s off, {shown}", service.name());
    }
    life.end();
    Ok(())
}
