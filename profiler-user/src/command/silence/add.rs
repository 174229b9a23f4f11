//! `driftline silence add`.

use std::{io::Write as _, process::ExitCode, time::Duration};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize as _;
use serde::de::{IntoDeserializer as _, value};
use ulid::Ulid;

use super::Place;
use crate::{
    cli,
    command::baseline::when,
    drift::{DriftKind, Severity},
    error::Error,
    silence::{Selector, Silence, Silences},
};

#[derive(Debug, Args)]
pub(super) struct Add {
    /// How long: 90m, 12h, 7d; at most 90d
    #[arg(long = "for", value_name = "DURATION", value_parser = cli::age, conflicts_with = "until", required_unless_present = "until")]
    length: Option<Duration>,
    /// Until when: 2027-01-31 or 2027-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Why; every event that it holds for says so
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Drift of this severity and below [info, low, medium, high, critical]
    #[arg(long, value_name = "SEVERITY", default_value = "high", value_parser = severity)]
    severity: Severity,
    /// Drift of this kind, such as exec or file.read; repeat it for more
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Vec<DriftKind>,
    /// What it is done to (drift.object), where * is any run of characters, or a whole drift.pattern; repeat it for more
    #[arg(long, value_name = "PATTERN")]
    object: Vec<String>,
    /// One drift, wherever it happens (drift.fingerprint); repeat it for more
    #[arg(long, value_name = "FINGERPRINT")]
    fingerprint: Vec<String>,
    /// Only what this program does; * as above, here and below
    #[arg(long, value_name = "PATTERN")]
    executable: Vec<String>,
    /// Only in this namespace
    #[arg(long, value_name = "PATTERN")]
    namespace: Vec<String>,
    /// Only by this workload
    #[arg(long, value_name = "PATTERN")]
    workload: Vec<String>,
    /// Only in this pod
    #[arg(long, value_name = "PATTERN")]
    pod: Vec<String>,
    /// Only in containers of this name, or with this id (twelve digits or more)
    #[arg(long, value_name = "PATTERN")]
    container: Vec<String>,
    /// Only in containers of this image
    #[arg(long, value_name = "PATTERN")]
    image: Vec<String>,
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(args: Add, now: Timestamp) -> Result<ExitCode, Error> {
    let file = args.place.file();
    let until = until(&args, now)?;
    let silence = Silence {
        id: Ulid::from_datetime(now.into()),
        reason: args.reason.trim().to_owned(),
        by: args.place.by(),
        created: now,
        until,
        severity: args.severity,
        selector: Selector {
            fingerprints: args.fingerprint,
            kinds: args.kind,
            objects: args.object,
            executables: args.executable,
            namespaces: args.namespace,
            workloads: args.workload,
            pods: args.pod,
            containers: args.container,
            images: args.image,
        },
        ended: None,
    };
    silence.check(now).map_err(|why| {
        Error::Usage(format!("this silence cannot be: {why}; nothing is silenced"))
    })?;
    for warning in silence.warnings() {
        eprintln!("driftline: warning: {warning}");
    }
    let (id, selector) = (silence.id, silence.selector.to_string());
    Silences::add(&file, silence, now)?;
    eprintln!(
        "driftline: silenced until {until:.0}: {selector}; end it with driftline silence end {id}"
    );
    // For scripts; whoever closed stdout has it on stderr.
    let _may_be_closed = writeln!(std::io::stdout(), "{id}");
    Ok(ExitCode::SUCCESS)
}

fn until(args: &Add, now: Timestamp) -> Result<Timestamp, Error> {
    if let Some(text) = &args.until {
        return when::moment(text, now).map_err(|why| Error::Usage(format!("--until: {why}")));
    }
    let length = SignedDuration::try_from(args.length.unwrap_or_default()).ok();
    length
        .and_then(|length| now.checked_add(length).ok())
        .ok_or_else(|| Error::Usage("--for: that is out of range; at most 90d".to_owned()))
}

fn kind(text: &str) -> Result<DriftKind, String> {
    DriftKind::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
        let all: Vec<_> = DriftKind::ALL.iter().map(|kind| kind.name()).collect();
        format!("{text:?} is no kind of drift; there are {}", all.join(", "))
    })
}

fn severity(text: &str) -> Result<Severity, String> {
    let name: value::StrDeserializer<'_, value::Error> = text.into_deserializer();
    Severity::deserialize(name)
        .map_err(|_| format!("{text:?} is none of info, low, medium, high, critical"))
}
