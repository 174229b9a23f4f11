//! The `driftline` binary: parse, run, exit with the documented code.

use std::process::ExitCode;

use clap::Parser;
use profiler_user::cli::{self, Cli};

fn main() -> ExitCode {
    if let Some(code) = profiler_user::self_test_child() {
        return code;
    }
    if profiler_user::is_canary() {
        return ExitCode::SUCCESS;
    }
    let cli = Cli::try_parse().unwrap_or_else(|error| cli::discreet(error).exit());
    match profiler_user::run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("driftline: {error}");
            error.exit_code()
        }
    }
}
