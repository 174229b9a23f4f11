//! `cargo xtask bench`: what Driftline costs, side by side with nothing, an empty program and other tools.

mod agent_time;
mod budget;
mod cost;
mod guest;
mod row;
mod subject;
mod workload;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use row::Row;

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
    #[arg(long, default_value_t = 5)]
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
    /// Instructions per operation, in a virtual machine that counts them; fails over budget
    Guest,
}

/// What cargo built.
struct Programs {
    driftline: PathBuf,
    workload: PathBuf,
    hooks: PathBuf,
}

impl Programs {
    fn build(dev: bool) -> Result<Self> {
        let mut arguments = vec!["build", "--package", "profiler-user", "--package"];
        arguments.extend(["driftline-tests", "--bins"]);
        if !dev {
            arguments.extend(["--profile", "measure"]);
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
        })
    }

    /// All of them, and this program, which runs in the guest too.
    fn all(&self) -> Vec<PathBuf> {
        let this = std::env::current_exe().into_iter();
        this.chain([&self.driftline, &self.workload, &self.hooks].map(Clone::clone)).collect()
    }
}

pub(crate) fn bench(options: &Options) -> Result<()> {
    let programs = Programs::build(options.dev)?;
    let wanted = |suite| options.suite.is_empty() || options.suite.contains(&suite);
    let mut rows: Vec<Row> = Vec::new();
    if wanted(Suite::Guest) {
        let measured = guest::measure(&programs, &options.kernel, options.rounds, !options.dev)?;
        for suite in [guest::SUITE, guest::AGENT] {
            let part: Vec<_> = measured.iter().filter(|row| row.suite == suite).cloned().collect();
            if !part.is_empty() {
                say(format!(
                    "\n{suite}, Linux {}\n{}",
                    options.kernel,
                    row::costs(&part, "nothing")
                ));
            }
        }
        let verifier: Vec<_> =
            measured.iter().filter(|row| row.suite == "verifier").cloned().collect();
        say(format!("\n{}", row::list(&verifier)));
        rows.extend(measured);
    }
    if let Some(file) = &options.json {
        row::write_json(&rows, file)?;
    }
    if wanted(Suite::Guest) && options.kernel == guest::KERNEL {
        budget::check(&rows)?;
    }
    Ok(())
}
