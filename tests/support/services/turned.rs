//! What a shipped baseline is worth where clocks are wrong.

use std::path::Path;

use anyhow::ensure;
use serde::Serialize;

use super::{
    Service,
    clock::{self, Hands},
    life::{Life, Setting},
    live, network,
    prove::Tally,
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
}

/// Watches so many containers whose clock is wrong, and is turned while they work. What the library does that turns it is first
/// recorded on top of the baseline, with the clock right.
pub fn prove(
    service: &dyn Service,
    baseline: &Path,
    seed: u64,
    runs: usize,
) -> anyhow::Result<Turned> {
    let node = watch::laboratory(service, baseline)?;
    goes_by_it(&node, service)?;
    let agent = Agent::start(&node, "record", &["--namespace", service.name()]);
    let setting = Setting { clock: Some(Hands::Right), ..Setting::default() };
    for seed in (record::SEED..).take(RIGHT) {
        live(&node, service, seed, &setting);
    }
    agent.stop();

    let setting = Setting { clock: Some(Hands::Turned), ..Setting::default() };
    let watch = Watch::start(service, &node, &network::HERE)?.in_setting(setting);
    let lived: Vec<_> = (seed..).take(runs.div_ceil(2)).map(|seed| watch.live(seed)).collect();
    let events = watch.finish();
    let mut driftline = Tally::default();
    for lived in &lived {
        driftline.add_told(&watch::of_pod(events.clone(), &lived.uid));
    }
    let runs = lived.iter().map(|lived| lived.containers.len()).sum();
    Ok(Turned { service: service.name().to_owned(), runs, driftline })
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
