//! `driftline rules`: what grades drift.

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::Args;

use crate::{drift::severity::Table, error::Error};

#[derive(Debug, Args)]
pub struct Rules {
    /// A file for --rules: say whether it can be used, and print nothing
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(crate) fn run(args: &Rules) -> Result<ExitCode, Error> {
    if let Some(path) = &args.file {
        let table = Table::load(path)?;
        let (version, framework) = (table.version(), table.framework_version());
        eprintln!("driftline: {} is good: rules {version}, ATT&CK {framework}", path.display());
        return Ok(ExitCode::SUCCESS);
    }
    let written = std::io::stdout().write_all(Table::TEXT.as_bytes());
    written.map_err(|error| Error::Output(format!("cannot print the rules: {error}")))?;
    Ok(ExitCode::SUCCESS)
}
