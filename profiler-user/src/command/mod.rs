//! The commands, one file each.

pub(crate) mod baseline;
pub(crate) mod canary;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod evidence;
pub(crate) mod investigate;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod rules;
pub(crate) mod silence;
pub(crate) mod watch;

use std::io::Write as _;

use crate::{
    baseline::{LoadError, SaveError},
    bind::BindError,
    drift::severity::RulesError,
    error::Error,
    sensor::{Status, Tier},
    session::{End, Session},
    store::StoreError,
};

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Self {
        Self::Baseline(error.to_string())
    }
}

impl From<BindError> for Error {
    fn from(error: BindError) -> Self {
        Self::Baseline(error.to_string())
    }
}

impl From<RulesError> for Error {
    fn from(error: RulesError) -> Self {
        Self::Baseline(error.to_string())
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Output(error.to_string())
    }
}

impl From<SaveError> for Error {
    fn from(error: SaveError) -> Self {
        Self::Output(error.to_string())
    }
}

/// Data or a page, on stdout.
fn print(bytes: &[u8]) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        // A reader that has seen enough: `head`, `less`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => {
            written.map_err(|error| Error::Output(format!("cannot write to stdout: {error}")))
        }
    }
}

/// As baselines and events name it.
pub(crate) fn tier_name(tier: Tier) -> &'static str {
    match tier {
        Tier::Full => "full",
        Tier::Restricted => "restricted",
        Tier::Blind => "blind",
    }
}

/// Behaviours that no probe sees, as baselines name them.
pub(crate) fn blind(statuses: &[Status]) -> std::collections::BTreeSet<String> {
    let blind = statuses.iter().filter(|status| status.tier == Tier::Blind);
    blind.map(|status| format!("{:?}", status.behaviour).to_lowercase()).collect()
}

/// Says that the probes could not be fired, and why.
pub(crate) fn warn_of_untested(why: Option<&str>) {
    if let Some(why) = why {
        eprintln!("driftline: the probes were not fired to see whether they work: {why}");
    }
}

fn warn_of_blindness(session: &Session) {
    warn_of_untested(session.untested());
    for status in session.blind() {
        eprintln!(
            "driftline: {:?} is not seen on this kernel ({})",
            status.behaviour,
            status.refused.join("; ")
        );
    }
}

fn warn_of_loss(end: &End) {
    if end.lost.is_empty() {
        return;
    }
    let lost: Vec<_> = end.lost.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    eprintln!(
        "driftline: events were lost between kernel and driftline ({}); a larger --buffer helps",
        lost.join(", ")
    );
}
