//! `driftline investigate …`: questions to the history. One file each.

mod verify_log;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::error::Error;

#[derive(Debug, Args)]
pub struct Investigate {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Prove that no event of the history was changed, removed or put in, or name the first that was
    VerifyLog(verify_log::VerifyLog),
}

pub(crate) async fn run(args: Investigate) -> Result<ExitCode, Error> {
    match args.action {
        Action::VerifyLog(args) => verify_log::run(&args).await,
    }
}
