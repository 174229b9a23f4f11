//! Errors that end a run, and the exit codes they end it with.

use std::process::ExitCode;

use thiserror::Error;

use crate::registry::RegistryError;

/// Exit codes of `driftline` itself. Any other is CMD's own; 128 + N where signal N ended CMD.
///
pub mod code {
    /// A wrong command line; clap's own as well.
    pub const USAGE: u8 = 2;
    /// `watch --fail-on-drift` saw drift.
    pub const DRIFT: u8 = 3;
    /// `investigate verify-log`: the log is not what it was. `evidence`: a bundle is not to be believed.
    pub const BROKEN: u8 = 4;
    /// `canary`: it did not come out of every sink.
    pub const CANARY: u8 = 5;
    /// This machine does not allow what was asked for: not root, no BTF, no cgroup2, no probe, no agent to ask.
    pub const MACHINE: u8 = 120;
    /// A baseline or a bind file is missing or cannot be used.
    pub const BASELINE: u8 = 121;
    /// A file could not be written.
    pub const OUTPUT: u8 = 122;
    /// A registry cannot be reached, refuses, or cannot be believed.
    pub const REGISTRY: u8 = 123;
    /// A history, or a file of events, cannot be read.
    pub const HISTORY: u8 = 124;
    /// Driftline failed in another way.
    pub const INTERNAL: u8 = 125;
    /// CMD was found but cannot be run.
    pub const NOT_EXECUTABLE: u8 = 126;
    /// CMD was not found.
    pub const NOT_FOUND: u8 = 127;
    /// Added to the number of the signal that ended CMD.
    pub const SIGNAL: u8 = 128;
}

/// What ends a run, sorted by what its user can do about it. Every message is one sentence that says what failed, on
/// what, why, and what to do.
#[derive(Debug, Error)]
pub enum Error {
    /// A flag that cannot be understood.
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Machine(String),
    #[error("{0}")]
    Baseline(String),
    #[error("{0}")]
    Output(String),
    /// What is to be looked into cannot be read.
    #[error("{0}")]
    History(String),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error("interrupted by signal {0} before the command was started; nothing was run")]
    Interrupted(i32),
    #[error("cannot run {command}: {source}; {advice}")]
    Command { command: String, source: std::io::Error, advice: &'static str },
    #[error("{0:#}")]
    Internal(#[from] anyhow::Error),
}

impl Error {
    /// See [`code`].
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) | Self::Registry(RegistryError::Reference { .. }) => code::USAGE,
            Self::Machine(_) => code::MACHINE,
            Self::Baseline(_) => code::BASELINE,
            Self::Output(_) => code::OUTPUT,
            Self::Registry(_) => code::REGISTRY,
            Self::History(_) => code::HISTORY,
            Self::Interrupted(signal) => code::SIGNAL + u8::try_from(*signal).unwrap_or(0),
            Self::Command { source, command, .. }
                if source.kind() == std::io::ErrorKind::NotFound
                    && !std::path::Path::new(command).exists() =>
            {
                code::NOT_FOUND
            }
            Self::Command { .. } => code::NOT_EXECUTABLE,
            Self::Internal(_) => code::INTERNAL,
        })
    }
}

/// An error all the way down: of those that a request can fail with, the topmost says only that something was sent.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
