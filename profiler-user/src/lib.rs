//! Driftline: records what a container does, and says when it does anything else.
//!
//! [`run`] dispatches; the way of the data is [`pipeline`].

mod agent;
pub mod attest;
pub mod baseline;
pub mod behaviour;
pub mod bind;
mod capability;
pub mod cgroup;
pub mod cli;
mod command;
pub mod container;
pub mod drift;
pub mod error;
pub mod evidence;
pub mod flight;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod generalise;
pub mod http;
pub mod incident;
pub mod investigate;
mod launch;
pub mod maturity;
mod memory;
pub mod observe;
mod pipeline;
mod poll;
pub mod provenance;
pub mod redact;
pub mod registry;
pub mod requirements;
pub mod runtime;
pub mod sensor;
mod session;
pub mod silence;
pub mod sink;
#[cfg(test)]
mod small_disk;
pub mod store;

pub use sensor::self_test_child;

/// Whether this process is a canary, which has done all that it is there for by having been run.
pub fn is_canary() -> bool {
    std::env::args_os().next().is_some_and(|name| name == agent::canary::NAME)
}

use std::process::ExitCode;

use anyhow::Context;

use crate::{
    cli::{Cli, Command},
    error::Error,
    launch::Signals,
};

/// Runs one command of the command line.
pub fn run(cli: Cli) -> Result<ExitCode, Error> {
    match cli.command {
        Command::Check(args) => runtime()?.block_on(command::check::run(&args)),
        Command::Record(args) => {
            // Before any thread starts, so that every thread has them blocked.
            let signals = Signals::block()?;
            runtime()?.block_on(command::record::run(*args, signals))
        }
        Command::Watch(args) => {
            let signals = Signals::block()?;
            runtime()?.block_on(command::watch::run(*args, signals))
        }
        Command::Baseline(args) => command::baseline::run(args),
        Command::Rules(args) => command::rules::run(&args),
        Command::Silence(args) => command::silence::run(args),
        Command::Canary(args) => runtime()?.block_on(command::canary::run(&args)),
        Command::Investigate(args) => runtime()?.block_on(command::investigate::run(*args)),
        Command::Replay(args) => runtime()?.block_on(command::replay::run(&args)),
        Command::Evidence(args) => runtime()?.block_on(command::evidence::run(args)),
        Command::Demo => command::demo::run().map(|()| ExitCode::SUCCESS).map_err(Error::from),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    memory::keep_together();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("starting the runtime")
}

/// This machine's name, as `host.name` in events.
fn host_name() -> String {
    nix::unistd::gethostname()
        .map_or_else(|_| "unknown".to_owned(), |name| name.to_string_lossy().into_owned())
}
