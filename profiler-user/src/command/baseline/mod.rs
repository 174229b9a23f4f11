//! `driftline baseline …`: what is done with baselines that are files. One file each.

mod accept;
mod approve;
mod diff;
mod export;
mod list;
mod merge;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod pages;
mod pull;
mod push;
mod remote;
mod risk;
mod sarif;
mod show;
mod sign;
mod text;
mod verify;
pub(super) mod when;

use std::{path::Path, process::ExitCode};

use clap::{Args, Subcommand};
use jiff::Timestamp;

use crate::{
    attest::{KeyError, TrustError},
    error::Error,
};

pub(super) use text::{coverage, percent};

#[derive(Debug, Args)]
pub struct Baseline {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print what a baseline holds, for people
    Show(show::Show),
    /// Print which baselines a directory holds, and how complete they are
    List(list::List),
    /// Print what a second baseline holds that a first does not, and how grave that is; status 3 when anything is new
    Diff(diff::Diff),
    /// Allow a drift from now on, by its event, with a reason
    Approve(approve::Approve),
    /// Say that a baseline was reviewed, and sign it; the signature is written beside it
    Sign(sign::Sign),
    /// Say whether a trusted key answers for a baseline
    Verify(verify::Verify),
    /// Print several baselines of one image as one
    Merge(merge::Merge),
    /// Print a bind file with what `watch` told as learned anew
    Accept(accept::Accept),
    /// Print what a baseline allows, in the form of another tool
    Export(export::Export),
    /// Store a baseline and its signature in a registry, beside the image that it is of
    Push(push::Push),
    /// Fetch the baselines of an image from a registry
    Pull(pull::Pull),
}

pub(crate) fn run(args: Baseline) -> Result<ExitCode, Error> {
    let now = Timestamp::now();
    match args.action {
        Action::Show(args) => show::run(&args, now),
        Action::List(args) => list::run(&args, now),
        Action::Diff(args) => diff::run(&args),
        Action::Approve(args) => crate::runtime()?.block_on(approve::run(&args, now)),
        Action::Sign(args) => sign::run(&args, now),
        Action::Verify(args) => verify::run(&args, now),
        Action::Merge(args) => merge::run(&args),
        Action::Accept(args) => accept::run(&args),
        Action::Export(args) => export::run(&args),
        Action::Push(args) => crate::runtime()?.block_on(push::run(&args, now)),
        Action::Pull(args) => crate::runtime()?.block_on(pull::run(&args, now)),
    }
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        Self::Baseline(error.to_string())
    }
}

impl From<TrustError> for Error {
    fn from(error: TrustError) -> Self {
        Self::Baseline(error.to_string())
    }
}

/// That a baseline is not believed, and why.
pub(crate) fn refused(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::Baseline(format!("baseline {} is refused: {why}", path.display()))
}

/// Data for somebody else's tool, or a page for a person.
fn print(text: &str) -> Result<(), Error> {
    super::print(text.as_bytes())
}

fn print_json(value: &impl serde::Serialize) -> Result<(), Error> {
    let json = serde_json::to_string_pretty(value).map_err(anyhow::Error::from)?;
    print(&format!("{json}\n"))
}
