//! The virtual machine whose clock counts instructions: the same work gives the same number, on any host.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};

use super::cost::{self, Rounds};
use super::row::Row;
use super::subject::{Bench, Op, Subject};
use super::{Programs, memory, peer, profile, row};
use crate::sh::say;
use crate::vm;

pub(super) const SUITE: &str = "guest";
/// What the agent itself runs for one operation.
pub(super) const AGENT: &str = "guest-agent";
pub(super) const UNIT: &str = "instructions";

/// How the guest's rows begin on its console.
const MARK: &str = "driftline-guest: row ";

/// The kernel that budgets are stated for.
pub(super) const KERNEL: &str = "6.12";

/// So few of each that most rounds are over before the next tick of the timer, which costs some 70,000 instructions.
const OPS: &[Op] = &[
    Op { name: "getppid", count: 1_000 },
    Op { name: "open", count: 100 },
    Op { name: "open-2", count: 100 },
    Op { name: "tempfile", count: 50 },
    Op { name: "exec", count: 8 },
    Op { name: "connect", count: 20 },
];

/// Beside other tools, which are slower: enough for what they do meanwhile to be told apart.
const BESIDE: &[Op] = &[
    Op { name: "getppid", count: 1_000 },
    Op { name: "open", count: 500 },
    Op { name: "open-2", count: 500 },
    Op { name: "tempfile", count: 200 },
    Op { name: "exec", count: 40 },
    Op { name: "connect", count: 100 },
];

/// What runs inside: the same program, told where the others are.
#[derive(Args)]
pub(crate) struct Inside {
    /// The programs `driftline`, `driftline-workload` and `driftline-hooks`
    #[arg(long, num_args = 3)]
    programs: Vec<std::path::PathBuf>,
    /// For memory: the program `driftline-crowd`
    #[arg(long)]
    crowd: Option<std::path::PathBuf>,
    #[arg(long)]
    rounds: usize,
    #[arg(long)]
    what: What,
}

/// How much is measured.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(super) enum What {
    /// What budgets are for
    Budgets,
    /// Also behaviour that is new each time
    Kernel,
    /// Nothing of it: what the agent holds in memory
    Memory,
    /// Also what the agent itself runs for an operation, which says something of an optimised one only
    All,
}

/// Boots the guest, measures there, and returns its rows.
pub(super) fn measure(
    programs: &Programs,
    kernel: &str,
    rounds: usize,
    what: What,
) -> Result<Vec<Row>> {
    let this = std::env::current_exe()?;
    let ours = [&this, &programs.driftline, &programs.workload, &programs.hooks];
    let words: Vec<_> = ours.iter().map(|path| vm::quoted(path)).collect();
    let [this, ours @ ..] = words.as_slice() else { unreachable!("four programs") };
    let script = format!(
        "{this} bench-inside --what {} --rounds {rounds} --programs {}\necho \"driftline-guest: exit bench $?\"\n",
        what.to_possible_value().context("no value of it is hidden")?.get_name(),
        ours.join(" ")
    );
    let packages = if what == What::Budgets { Vec::new() } else { peer::unpacked() };
    let files = programs.for_operations();
    let said = vm::run_counting(kernel, &files, &packages, &script, Duration::from_mins(30))?;
    self::rows(&said)
}

/// Boots the guest, fills it with containers, and returns what the agent holds there.
pub(super) fn memory(programs: &Programs, kernel: &str) -> Result<Vec<Row>> {
    let this = std::env::current_exe()?;
    let ours = [&this, &programs.driftline, &programs.workload, &programs.hooks, &programs.crowd];
    let words: Vec<_> = ours.iter().map(|path| vm::quoted(path)).collect();
    let [this, driftline, workload, hooks, crowd] = words.as_slice() else {
        unreachable!("five programs")
    };
    let script = format!(
        "{this} bench-inside --what memory --rounds 1 --crowd {crowd} --programs {driftline} {workload} {hooks}\n\
         echo \"driftline-guest: exit bench $?\"\n"
    );
    let files = ours.map(Clone::clone);
    let said = vm::run_counting(kernel, &files, &[], &script, Duration::from_hours(1))?;
    self::rows(&said)
}

/// The rows among what a guest said.
pub(super) fn rows(said: &[String]) -> Result<Vec<Row>> {
    let rows = said.iter().filter_map(|line| line.split_once(MARK));
    rows.map(|(_, row)| serde_json::from_str(row).context("the guest's row")).collect()
}

/// Prints a row for whoever reads the console.
pub(super) fn say_row(row: &Row) -> Result<()> {
    say(format!("{MARK}{}", serde_json::to_string(row)?));
    Ok(())
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
    if let (What::Memory, Some(crowd)) = (options.what, &options.crowd) {
        let node = memory::Node { driftline: &bench.driftline, crowd, scratch: &bench.scratch };
        return node
            .measure()?
            .into_iter()
            .try_for_each(|row| say_row(&Row { suite: format!("guest-{}", row.suite), ..row }));
    }
    bench.record(OPS)?;
    let mut rounds = Rounds::default();
    let mut agent = (options.what == What::All).then(Rounds::default);
    let subjects = match options.what {
        What::Budgets => &Subject::ALL[..4],
        What::Kernel | What::All | What::Memory => &Subject::ALL,
    };
    cost::counted(&bench, subjects, OPS, options.rounds, &mut rounds, agent.as_mut())?;
    let agent = agent.unwrap_or_default();
    for row in rounds.rows(SUITE, UNIT).into_iter().chain(agent.rows(AGENT, UNIT)) {
        say_row(&row)?;
    }
    for hook in bench.hooks()?.lines() {
        say_row(&row::of_hook(hook)?)?;
    }
    if options.what != What::Budgets {
        for row in profile::measure(&bench, OPS)? {
            say_row(&row)?;
        }
        // The last of them is one for the whole machine.
        for row in peer::counted(&bench, BESIDE, options.rounds.min(5)) {
            say_row(&row)?;
        }
    }
    Ok(())
}
