//! `driftline-node hold` holds the namespaces of one test node until its standard input ends; `hold-apart` gives it
//! cgroups of its own as well.
//! `driftline-node run RUNTIME ARGUMENTS…` stands before runc or crun.

use std::process::ExitCode;

use support::pods::{hold, run_runtime};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let task = arguments.next().unwrap_or_default();
    let result = match task.to_str() {
        Some("hold") => hold(false),
        Some("hold-apart") => hold(true),
        Some("run") => run_runtime(&arguments.collect::<Vec<_>>()),
        _ => {
            Err(anyhow::anyhow!("usage: driftline-node hold | hold-apart | run RUNTIME ARGUMENTS…"))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("driftline-node: {error:#}");
            ExitCode::FAILURE
        }
    }
}
