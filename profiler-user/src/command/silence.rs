//! `driftline silence`: known drift calls nobody, for a time and with a reason.

mod add;

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use nix::unistd::{User, getuid};
use ulid::Ulid;

use crate::{
    cli::{DEFAULT_STORE, home},
    drift::clean,
    error::Error,
    silence::{FILE, Silences, SilencesError, State},
};

#[derive(Debug, Args)]
pub struct Silence {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Begin one: say what it is about, for how long, and why
    Add(Box<add::Add>),
    /// Print those that hold, or all that the file still knows
    List(List),
    /// End one before its time
    End(End),
}

/// Which node's.
#[derive(Clone, Debug, Args)]
struct Place {
    /// Directory of the node's history, in which the silences are
    #[arg(long, value_name = "DIR", env = "DRIFTLINE_STORE", default_value = DEFAULT_STORE, hide_env_values = true, value_parser = home())]
    store: PathBuf,
    /// The file itself, where `watch --silences` names one
    #[arg(long = "silences", value_name = "FILE", env = "DRIFTLINE_SILENCES")]
    file: Option<PathBuf>,
    /// Who says so [default: the user who runs this]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    place: Place,
    /// Also those that are over
    #[arg(long)]
    all: bool,
    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct End {
    /// Its id, as `silence list` prints it
    #[arg(value_name = "ID")]
    id: Ulid,
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(args: Silence) -> Result<ExitCode, Error> {
    let now = Timestamp::now();
    match args.action {
        Action::Add(args) => add::run(*args, now),
        Action::List(args) => list(&args, now),
        Action::End(args) => end(&args, now),
    }
}

impl Place {
    fn file(&self) -> PathBuf {
        self.file.clone().unwrap_or_else(|| self.store.join(FILE))
    }

    /// By the account, and behind sudo by whoever called it.
    fn by(&self) -> String {
        let account = || {
            let uid = getuid();
            let user = User::from_uid(uid).ok().flatten();
            user.map_or_else(|| format!("uid {uid}"), |user| user.name)
        };
        let called = || std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty());
        clean(&self.by.clone().or_else(called).unwrap_or_else(account))
    }
}

fn list(args: &List, now: Timestamp) -> Result<ExitCode, Error> {
    let all = Silences::load(&args.place.file(), now)?.silences;
    let shown: Vec<_> =
        all.into_iter().filter(|one| args.all || one.state(now) == State::Active).collect();
    let text = if args.json {
        let with_state = |one| {
            let mut value = serde_json::to_value(one).unwrap_or_default();
            value["state"] =
                serde_json::to_value(crate::silence::Silence::state(one, now)).unwrap_or_default();
            value
        };
        let list: Vec<_> = shown.iter().map(with_state).collect();
        format!("{}\n", serde_json::Value::Array(list))
    } else {
        shown.iter().map(|one| line(one, now)).collect()
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Error::Output(format!("cannot print the silences: {error}")))?;
    if shown.is_empty() && !args.json {
        eprintln!("driftline: nothing is silenced");
    }
    Ok(ExitCode::SUCCESS)
}

/// `01K…  until 2026-11-22T12:00:00Z  up to high  ann: why` and what it is about below.
fn line(one: &crate::silence::Silence, now: Timestamp) -> String {
    let state = match (&one.ended, one.state(now)) {
        (Some(ended), _) => format!("ended {:.0} by {}", ended.at, clean(&ended.by)),
        (None, State::Expired) => format!("over since {:.0}", one.until),
        (None, _) => format!("until {:.0}", one.until),
    };
    format!(
        "{}  {state}  up to {}  {}: {}\n    {}\n",
        one.id,
        one.severity,
        clean(&one.by),
        clean(&one.reason),
        one.selector
    )
}

fn end(args: &End, now: Timestamp) -> Result<ExitCode, Error> {
    let silence = Silences::end(&args.place.file(), args.id, args.place.by(), now)?;
    eprintln!("driftline: the silence {} is over: {}", silence.id, silence.selector);
    Ok(ExitCode::SUCCESS)
}

impl From<SilencesError> for Error {
    fn from(error: SilencesError) -> Self {
        let text = error.to_string();
        match error {
            SilencesError::Unusable { .. } => Self::Baseline(text),
            SilencesError::Unwritable { .. } => Self::Output(text),
            SilencesError::TooMany(_) | SilencesError::Unknown { .. } => Self::Usage(text),
        }
    }
}
