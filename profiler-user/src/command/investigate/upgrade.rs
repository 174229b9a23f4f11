//! `driftline investigate upgrade`: a history of an older version, made readable.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::cli::{DEFAULT_STORE, home};
use crate::error::Error;
use crate::store;

#[derive(Debug, Args)]
pub(super) struct Upgrade {
    /// Directory of the history, or of a copy of it; no agent may be running on it
    #[arg(long, value_name = "DIR", env = "DRIFTLINE_STORE", default_value = DEFAULT_STORE, hide_env_values = true, value_parser = home())]
    store: PathBuf,
}

pub(super) async fn run(args: &Upgrade) -> Result<ExitCode, Error> {
    let done = store::upgrade(&args.store).await;
    let done = done.map_err(|error| Error::History(error.to_string()))?;
    let place = args.store.display().to_string();
    let place = place.escape_debug();
    if done.from == done.to {
        eprintln!(
            "driftline: the history in {place} is of this version already (schema {})",
            done.to
        );
    } else {
        eprintln!(
            "driftline: the history in {place} was brought from schema {} to {}; prove it with \
             driftline investigate verify-log",
            done.from, done.to
        );
    }
    Ok(ExitCode::SUCCESS)
}
