//! `driftline investigate seen`: has this happened before?

use std::{fmt::Write as _, path::PathBuf, process::ExitCode};

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::{print::Form, scope::occurrences, table, which::Where};
use crate::baseline::{self, Approval, Baseline, Drifted, Grant, Scope};
use crate::drift::clean;
use crate::error::Error;
use crate::investigate;

#[derive(Debug, Args)]
pub(super) struct Seen {
    /// A drift.fingerprint, or the beginning of one, or the event.id of a drift
    #[arg(value_name = "FINGERPRINT|EVENT_ID")]
    what: String,
    #[command(flatten)]
    at: Where,
    /// Look in these baselines for what was decided
    #[arg(long, value_name = "DIR", env = "DRIFTLINE_BASELINES")]
    baselines: Option<PathBuf>,
    #[command(flatten)]
    form: Form,
}

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    seen: investigate::Seen,
    /// Approvals that hold what the drift is; none where no baselines were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided: Option<Vec<Decision>>,
}

/// Somebody allowed it.
#[derive(Serialize)]
struct Decision {
    baseline: PathBuf,
    /// Which was approved: this one, or another of the same.
    #[serde(rename = "event.id")]
    event: String,
    approved: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
    over: bool,
    scope: String,
}

pub(super) async fn run(args: &Seen, now: Timestamp) -> Result<ExitCode, Error> {
    let mut history = args.at.open().await?;
    let seen = investigate::seen(&mut history, &args.what).await?;
    let line = history.line(&seen.example.id).await?;
    history.close().await;
    let decided = match &args.baselines {
        Some(directory) => Some(decided(directory, &line, now)?),
        None => None,
    };
    args.form.answer("driftline.seen/v1", &Answer { seen, decided }, text)?;
    Ok(ExitCode::SUCCESS)
}

/// The approvals of any baseline that allow what this event tells.
fn decided(
    directory: &std::path::Path,
    line: &str,
    now: Timestamp,
) -> Result<Vec<Decision>, Error> {
    let drifted: Drifted = serde_json::from_str(line)
        .map_err(|error| Error::History(format!("an event cannot be read: {error}")))?;
    let grant = Grant {
        approved: now,
        by: None,
        reason: String::new(),
        expires: None,
        scope: Scope::default(),
    };
    // What nobody can allow, nobody has allowed.
    let Ok(asked) = Approval::of(&drifted, grant) else { return Ok(Vec::new()) };
    let listed = baseline::list(directory).map_err(|error| {
        Error::Baseline(format!(
            "cannot read the baselines directory {}: {error}; give another one",
            directory.display()
        ))
    })?;
    let mut decided = Vec::new();
    for listed in listed {
        let held = baseline::load_file(&listed.path)?;
        decided.extend(allowing(&held, &asked).map(|(event, approval)| Decision {
            baseline: listed.path.clone(),
            event: event.clone(),
            approved: approval.approved,
            by: approval.by.clone(),
            reason: approval.reason.clone(),
            expires: approval.expires,
            over: approval.is_over(now),
            scope: approval.scope.to_string(),
        }));
    }
    decided.sort_by_key(|decision| decision.approved);
    Ok(decided)
}

/// By the id of the event that was approved.
fn allowing<'a>(
    held: &'a Baseline,
    asked: &'a Approval,
) -> impl Iterator<Item = (&'a String, &'a Approval)> {
    held.approvals.iter().filter(|(_, approval)| {
        approval.executable == asked.executable
            && asked.entries().all(|wanted| approval.entries().any(|entry| entry == wanted))
    })
}

fn text(answer: &Answer) -> String {
    let seen = &answer.seen;
    let mut text = String::new();
    let _ = writeln!(text, "{}", clean(&seen.example.sentence));
    let times = if seen.count == 1 { "once".to_owned() } else { format!("{} times", seen.count) };
    let containers = seen.occurrences.len();
    let _ = writeln!(
        text,
        "  {:<12} {times}, in {containers} container{}, first {}, last {}",
        "seen",
        if containers == 1 { "" } else { "s" },
        table::time(seen.first),
        table::time(seen.last)
    );
    let _ = writeln!(text, "  {:<12} {}", "kind", seen.example.kind);
    let _ = writeln!(text, "  {:<12} {}", "fingerprint", seen.fingerprint);
    match &answer.decided {
        None => {}
        Some(decided) if decided.is_empty() => {
            let _ = writeln!(text, "  {:<12} nothing: no baseline of these allows it", "decided");
        }
        Some(decided) => {
            for one in decided {
                let until = match (one.expires, one.over) {
                    (Some(at), true) => format!(", over since {}", table::time(at)),
                    (Some(at), false) => format!(", until {}", table::time(at)),
                    (None, _) => String::new(),
                };
                let by =
                    one.by.as_ref().map_or_else(String::new, |by| format!(" by {}", clean(by)));
                let _ = writeln!(
                    text,
                    "  {:<12} approved {}{by} for {}{until}: {} ({})",
                    "decided",
                    table::time(one.approved),
                    clean(&one.scope),
                    clean(&one.reason),
                    one.baseline.display()
                );
            }
        }
    }
    text.push('\n');
    text + &occurrences(&seen.occurrences)
}
