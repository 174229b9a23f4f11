//! `cargo xtask`: what a developer of Driftline runs. Each task is one module.

mod attacks;
mod baselines;
mod bench;
mod cargo;
mod demo;
mod fuzz;
mod image;
mod maturity;
mod pinned;
mod setup;
mod test;
mod toolchain;
mod vm;
mod workloads;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use xtask::{libraries, oci, sh};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Set-up, tests and demo of Driftline")]
enum Task {
    /// Do every attack of the tests on a node, and write docs/attacks.md from what came of it
    Attacks,
    /// Find or install what building, testing and the demo need
    Setup,
    /// Record the services of `baselines/`, or prove their baselines: false drifts, seccomp, deviations
    Baselines(baselines::Options),
    /// Measure what Driftline costs, beside an empty program and other tools
    Bench(bench::Options),
    /// What `bench` runs in its virtual machine
    #[command(hide = true)]
    BenchInside(bench::Inside),
    /// Build Driftline and show it at work in under a minute
    Demo,
    /// Feed what reads files of others with files made by a fuzzer, a minute for each sort
    Fuzz(fuzz::Options),
    /// Build the node agent's container image, without a container engine
    Image(image::Options),
    /// Measure how well forecasts of new behaviour hold, for docs/maturity.md
    Maturity,
    /// Run every check and test, those in a virtual machine included
    Test,
    /// Run the tests that need a kernel on another kernel, in a virtual machine
    VmTest(vm::Options),
    /// Record and watch real work in full size: a kernel build, an installation, a web server under load
    Workloads,
}

fn main() -> ExitCode {
    match run(Task::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            sh::say(format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Attacks => attacks::attacks(),
        Task::Baselines(options) => baselines::baselines(&options),
        Task::Bench(options) => bench::bench(&options),
        Task::BenchInside(options) => bench::inside(&options),
        Task::Maturity => maturity::maturity(),
        Task::Setup => setup::setup(),
        Task::Demo => demo::demo(),
        Task::Fuzz(options) => fuzz::fuzz(&options),
        Task::Image(options) => image::image(&options),
        Task::Test => test::test(),
        Task::VmTest(options) => setup::setup().and_then(|()| vm::vm_test(&options)),
        Task::Workloads => workloads::workloads(),
    }
}
