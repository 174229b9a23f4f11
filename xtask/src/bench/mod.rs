//! `cargo xtask bench`: what Driftline costs, side by side with nothing, an empty program and other tools.

mod agent_time;
mod auditd;
mod budget;
mod cost;
mod guest;
mod host;
mod latency;
mod loss;
mod machine;
mod memory;
mod peer;
mod profile;
mod questions;
mod replay;
mod row;
mod start;
mod subject;
mod userspace;
mod workload;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use row::Row;
use subject::Bench;

use crate::cargo;
use crate::sh::say;

pub(crate) use guest::{Inside, inside};

#[derive(Args)]
pub(crate) struct Options {
    /// Only this suite; repeat it for more
    #[arg(long)]
    suite: Vec<Suite>,
    /// Write all rows to this file, as a JSON array
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How often each is measured
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// The kernel of the virtual machine
    #[arg(long, default_value = guest::KERNEL)]
    kernel: String,
    /// Measure the binary of the development profile, which is there sooner; the kernel's side is the same
    #[arg(long)]
    dev: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Suite {
    /// Time per operation on this machine, with other tools beside
    Host,
    /// Instructions per operation, in a virtual machine that counts them; fails over budget
    Guest,
    /// Records per second that one core decodes and judges, and drift per second that the store takes
    Userspace,
    /// What gets through of 1,000, 10,000 and 100,000 new behaviours a second; fails where any is missing uncounted
    Loss,
    /// Time from a deed in a container to the events file and to Alertmanager; needs containerd
    Latency,
    /// Time from the start to the first event, and the memory that driftline has then
    Start,
    /// Time until each question of the runbook is answered over a million events, in a file and in PostgreSQL
    Questions,
    /// Entries of a behaviour log that a core judges anew in a second; fails where two runs give different bytes
    Replay,
    /// What the agent of a full node holds in memory, here and in a virtual machine; fails over budget
    Memory,
}

/// What cargo built.
struct Programs {
    driftline: PathBuf,
    workload: PathBuf,
    hooks: PathBuf,
    replay: PathBuf,
    crowd: PathBuf,
    history: PathBuf,
}

impl Programs {
    fn build(dev: bool) -> Result<Self> {
        let mut arguments = vec!["build", "--package", "profiler-user", "--package"];
        arguments.extend(["driftline-tests", "--bins"]);
        if !dev {
            arguments.push("--release");
        }
        let built = cargo::executables(&arguments)?;
        let find = |name: &str| {
            let found = built.iter().find(|executable| executable.name == name);
            let found = found.with_context(|| format!("cargo built no {name}"))?;
            anyhow::Ok(found.path.clone())
        };
        Ok(Self {
            driftline: find("driftline")?,
            workload: find("driftline-workload")?,
            hooks: find("driftline-hooks")?,
            replay: find("driftline-replay")?,
            crowd: find("driftline-crowd")?,
            history: find("driftline-history")?,
        })
    }

    /// What a guest needs for operations: these, and this program, which runs there too.
    fn for_operations(&self) -> Vec<PathBuf> {
        let this = std::env::current_exe().into_iter();
        this.chain([&self.driftline, &self.workload, &self.hooks].map(Clone::clone)).collect()
    }
}

pub(crate) fn bench(options: &Options) -> Result<()> {
    let programs = Programs::build(options.dev)?;
    let suites: &[Suite] =
        if options.suite.is_empty() { Suite::value_variants() } else { &options.suite };
    let mut rows = Vec::new();
    for suite in suites {
        rows.extend(run(*suite, &programs, options).with_context(|| format!("{suite:?}"))?);
    }
    if let Some(file) = &options.json {
        row::write_json(&rows, file)?;
    }
    // Budgets are for the kernel's side as that kernel runs it.
    if suites.contains(&Suite::Guest) && options.kernel == guest::KERNEL {
        rows.retain(|row| row.suite == guest::SUITE);
        budget::check(&rows)?;
    }
    Ok(())
}

/// The regression check of `cargo xtask test`: what the kernel's side costs, against its budgets.
pub(crate) fn check() -> Result<()> {
    let programs = Programs::build(true)?;
    budget::check(&guest::measure(&programs, guest::KERNEL, 7, guest::What::Budgets)?)
}

fn run(suite: Suite, programs: &Programs, options: &Options) -> Result<Vec<Row>> {
    say(format!("\n== {suite:?}"));
    let here = Here::new(programs)?;
    let rows = match suite {
        Suite::Host => host::measure(&here.bench, options.rounds)?,
        Suite::Guest => {
            let what = if options.dev { guest::What::Kernel } else { guest::What::All };
            guest::measure(programs, &options.kernel, options.rounds, what)?
        }
        Suite::Userspace => userspace::measure(&programs.replay, options.rounds)?,
        Suite::Loss => loss::measure(&here.bench)?,
        Suite::Latency => latency::measure(options.dev)?,
        Suite::Start => start::measure(&here.bench, options.rounds)?,
        Suite::Questions => questions::measure(&programs.history, options.rounds)?,
        Suite::Replay => replay::measure(&programs.replay, options.rounds)?,
        Suite::Memory => {
            let node = memory::Node {
                driftline: &programs.driftline,
                crowd: &programs.crowd,
                scratch: &here.bench.scratch,
            };
            [node.measure()?, guest::memory(programs, &options.kernel)?].concat()
        }
    };
    let part =
        |name: &str| -> Vec<_> { rows.iter().filter(|row| row.suite == name).cloned().collect() };
    match suite {
        Suite::Host => {
            say(format!("{}, medians of {} rounds\n", machine::line(), options.rounds));
            say(row::costs(&rows, "nothing"));
            say(row::against_empty(&rows));
        }
        Suite::Guest => {
            for name in [guest::SUITE, guest::AGENT] {
                if part(name).is_empty() {
                    continue;
                }
                say(format!(
                    "{name}, Linux {}\n{}",
                    options.kernel,
                    row::costs(&part(name), "nothing")
                ));
            }
            say(row::details(&rows));
            say(row::list(&part("verifier")));
            say(row::list(&part(profile::SUITE)));
        }
        Suite::Memory => {
            say(row::list(&rows));
            memory::check(&rows)?;
        }
        _ => say(row::list(&rows)),
    }
    Ok(rows)
}

/// Directories on this machine, removed in the end.
struct Here {
    bench: Bench,
}

impl Here {
    fn new(programs: &Programs) -> Result<Self> {
        // A disk's journal would be measured with the files.
        let [place, scratch] = ["/dev/shm/bench-place", "/tmp/bench-scratch"]
            .map(|name| PathBuf::from(format!("{name}-{}", std::process::id())));
        std::fs::create_dir_all(&scratch)?;
        Ok(Self {
            bench: Bench {
                driftline: programs.driftline.clone(),
                workload: programs.workload.clone(),
                hooks: programs.hooks.clone(),
                place,
                scratch,
            },
        })
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        for directory in [&self.bench.place, &self.bench.scratch] {
            // The workload may not have made it yet.
            let _removed = std::fs::remove_dir_all(directory);
        }
    }
}
