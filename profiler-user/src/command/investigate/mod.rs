//! `driftline investigate …`: questions to the history. One file each.

mod before;
mod container;
mod flight;
mod lateral;
mod members;
mod print;
mod report;
mod scope;
mod seen;
mod table;
mod timeline;
mod upgrade;
mod verify_log;
mod which;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use crate::error::Error;
use crate::investigate::HistoryError;

#[derive(Debug, Args)]
pub struct Investigate {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// What happened: drift, starts and ends of containers, times in which nobody watched
    Timeline(timeline::Timeline),
    /// Has this happened before: when, where, how often, and what was decided
    Seen(seen::Seen),
    /// Where did it spread: containers, pods, nodes, images
    Scope(scope::Scope),
    /// What changed in the behaviour before an alert
    Before(before::Before),
    /// Each of the many drifts that one event tells of
    Members(members::Members),
    /// The full life of a container, also when it is long gone
    Container(container::Container),
    /// Did it go from one pod to another
    Lateral(lateral::Lateral),
    /// All of it as one page to keep and to hand on
    Report(report::Report),
    /// Prove that no event of the history was changed, removed or put in, or name the first that was
    VerifyLog(verify_log::VerifyLog),
    /// Make a history that an older driftline wrote readable for this one; an agent's start does the same
    Upgrade(upgrade::Upgrade),
}

pub(crate) async fn run(args: Investigate) -> Result<ExitCode, Error> {
    let now = Timestamp::now();
    match args.action {
        Action::Timeline(args) => timeline::run(&args, now).await,
        Action::Seen(args) => seen::run(&args, now).await,
        Action::Scope(args) => scope::run(&args, now).await,
        Action::Before(args) => before::run(&args).await,
        Action::Members(args) => members::run(&args).await,
        Action::Container(args) => container::run(&args).await,
        Action::Lateral(args) => lateral::run(&args, now).await,
        Action::Report(args) => report::run(&args, now).await,
        Action::VerifyLog(args) => verify_log::run(&args).await,
        Action::Upgrade(args) => upgrade::run(&args).await,
    }
}

impl From<HistoryError> for Error {
    fn from(error: HistoryError) -> Self {
        Self::History(error.to_string())
    }
}
