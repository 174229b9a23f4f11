//! `driftline investigate members`: what one event tells of many drifts.

use std::process::ExitCode;

use clap::Args;

use super::{print::Form, table, which::Where};
use crate::drift::clean;
use crate::error::Error;
use crate::investigate;

#[derive(Debug, Args)]
pub(super) struct Members {
    /// The event.id of an event with drift.group.objects
    #[arg(value_name = "EVENT_ID")]
    event: String,
    /// At most so many, the first
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(args: &Members) -> Result<ExitCode, Error> {
    let mut history = args.at.open().await?;
    let members = investigate::members(&mut history, &args.event, args.limit).await?;
    history.close().await;
    args.form.answer("driftline.members/v1", &members, text)?;
    if members.cut {
        eprintln!("driftline: there are more; ask for them with --limit");
    }
    Ok(ExitCode::SUCCESS)
}

fn text(members: &investigate::Members) -> String {
    let head = format!("{}\n\n", clean(&members.event.sentence));
    if members.members.is_empty() {
        return head + "it tells of itself alone\n";
    }
    head + &table::drifts(&members.members)
}
