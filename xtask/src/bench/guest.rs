//! The virtual machine whose clock counts instructions: the same work gives the same number, on any host.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;

use super::cost::{self, Rounds};
use super::row::Row;
use super::subject::{Bench, Op};
use super::{Programs, row};
use crate::sh::say;
use crate::vm;

pub(super) const SUITE: &str = "guest";
/// What the agent itself runs for one operation.
pub(super) const AGENT: &str = "guest-agent";
const UNIT: &str = "instructions";

/// How the guest's rows begin on its console.
const MARK: &str = "driftline-guest: row ";

/// The kernel that budgets are stated for.
pub(super) const KERNEL: &str = "6.12";

/// Few of each: the emulated machine is slow, and repeats itself.
const OPS: &[Op] = &[
    Op { name: "getppid", count: 2_000 },
    Op { name: "open", count: 600 },
    Op { name: "open-2", count: 600 },
    Op { name: "tempfile", count: 200 },
    Op { name: "exec", count: 100 },
    Op { name: "connect", count: 150 },
];

/// What runs inside: the same program, told where the others are.
#[derive(Args)]
pub(crate) struct Inside {
    /// The programs `driftline`, `driftline-workload` and `driftline-hooks`
    #[arg(long, num_args = 3)]
    programs: Vec<std::path::PathBuf>,
    #[arg(long)]
    rounds: usize,
    /// Also what the agent itself runs
    #[arg(long)]
    agent: bool,
}

/// Boots the guest, measures there, and returns its rows.
///
/// `agent`: also what the agent itself runs for an operation, which says something of an optimised one only.
pub(super) fn measure(
    programs: &Programs,
    kernel: &str,
    rounds: usize,
    agent: bool,
) -> Result<Vec<Row>> {
    let this = std::env::current_exe()?;
    let ours = [&this, &programs.driftline, &programs.workload, &programs.hooks];
    let words: Vec<_> = ours.iter().map(|path| vm::quoted(path)).collect();
    let [this, ours @ ..] = words.as_slice() else { unreachable!("four programs") };
    let script = format!(
        "{this} bench-inside {} --rounds {rounds} --programs {}\necho \"driftline-guest: exit bench $?\"\n",
        if agent { "--agent" } else { "" },
        ours.join(" ")
    );
    let said = vm::run_counting(kernel, &programs.all(), &script, Duration::from_secs(900))?;
    let rows = said.iter().filter_map(|line| line.split_once(MARK));
    let rows = rows.map(|(_, row)| serde_json::from_str(row).context("the guest's row"));
    rows.collect()
}

/// In the guest: measures, and prints the rows for whoever reads the console.
pub(crate) fn inside(options: &Inside) -> Result<()> {
    let [driftline, workload, hooks] = options.programs.as_slice() else {
        unreachable!("clap counts them")
    };
    let bench = Bench {
        driftline: driftline.clone(),
        workload: workload.clone(),
        hooks: hooks.clone(),
        place: Path::new("/srv/bench").to_owned(),
        scratch: Path::new("/run/bench").to_owned(),
    };
    std::fs::create_dir_all(&bench.scratch)?;
    bench.record(OPS)?;
    let mut rounds = Rounds::default();
    let mut agent = options.agent.then(Rounds::default);
    cost::counted(&bench, OPS, options.rounds, &mut rounds, agent.as_mut())?;
    let agent = agent.unwrap_or_default();
    for row in rounds.rows(SUITE, UNIT).into_iter().chain(agent.rows(AGENT, UNIT)) {
        say(format!("{MARK}{}", serde_json::to_string(&row)?));
    }
    for hook in bench.hooks()?.lines() {
        say(format!("{MARK}{}", serde_json::to_string(&row::of_hook(hook)?)?));
    }
    Ok(())
}
