//! `driftline investigate verify-log`: is the log whole?

use std::{fmt::Write as _, io::Write as _, path::PathBuf, process::ExitCode};

use clap::Args;
use serde::Serialize;

use crate::{
    cli::{DEFAULT_STORE, home},
    error::{Error, code},
    store::{self, Head, Verdict},
};

#[derive(Debug, Args)]
pub(super) struct VerifyLog {
    /// Directory of the history; an agent may be writing to it
    #[arg(long, value_name = "DIR", env = "DRIFTLINE_STORE", default_value = DEFAULT_STORE, hide_env_values = true, value_parser = home())]
    store: PathBuf,
    /// Prove this file of events instead of a store
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// A head that a sink was told earlier, as `chain.seq` and `chain.hash` of a `driftline.chain/v1` record: that event
    /// must still be there, unchanged; repeat it for more
    #[arg(long, value_name = "SEQ:HASH")]
    head: Vec<Head>,
    /// Prove the store only from this event on (its `event.seq`), which takes as long as what came after it; the evidence of
    /// groups and the file itself are looked at only with all of it
    #[arg(long, value_name = "SEQ", default_value_t = 1, conflicts_with = "events", value_parser = clap::value_parser!(i64).range(1..))]
    from: i64,
    /// Print the verdict as JSON on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    schema_version: &'static str,
    log: &'a str,
    #[serde(flatten)]
    verdict: &'a Verdict,
}

pub(super) async fn run(args: &VerifyLog) -> Result<ExitCode, Error> {
    let (log, verdict) = if let Some(file) = &args.events {
        let verdict = store::verify_events(file, &args.head);
        (file, verdict.map_err(|error| Error::History(error.to_string()))?)
    } else {
        let verdict = store::verify_store_from(&args.store, &args.head, args.from).await;
        (&args.store, verdict.map_err(|error| Error::History(error.to_string()))?)
    };
    let log = log.display().to_string();
    if args.json {
        let report =
            Report { schema_version: "driftline.verify-log/v1", log: &log, verdict: &verdict };
        let json = serde_json::to_string_pretty(&report).map_err(anyhow::Error::from)?;
        writeln!(std::io::stdout(), "{json}").map_err(|error| {
            Error::Output(format!("cannot write the verdict to stdout: {error}"))
        })?;
    } else {
        eprint!("{}", text(&log, &verdict));
    }
    Ok(if verdict.whole { ExitCode::SUCCESS } else { ExitCode::from(code::BROKEN) })
}

fn text(log: &str, verdict: &Verdict) -> String {
    let mut text = String::new();
    let log = log.escape_debug();
    if let Some(broken) = &verdict.broken {
        let place = broken.line.map_or_else(String::new, |line| format!(" (line {line})"));
        let _ = writeln!(
            text,
            "driftline: the log {log} is broken at event {}{place}: {}",
            broken.seq, broken.what
        );
        let _ = writeln!(text, "  expected      {}", broken.expected.escape_debug());
        let _ = writeln!(text, "  found         {}", broken.found.escape_debug());
        for (name, time) in [("whole until", broken.after), ("next", broken.before)] {
            if let Some(time) = time {
                let _ = writeln!(text, "  {name:<13} {time}");
            }
        }
        let _ = writeln!(text, "  read before   {} events", verdict.events);
    } else {
        let range = match (verdict.first, verdict.last) {
            (Some(first), Some(last)) => format!(", numbers {first} to {last}"),
            _ => String::new(),
        };
        let _ =
            writeln!(text, "driftline: the log {log} is whole: {} events{range}", verdict.events);
        if verdict.removed > 0 {
            let _ = writeln!(
                text,
                "  removed       {} by retention, as the log tells",
                verdict.removed
            );
        }
        if verdict.beginnings > 0 {
            let _ = writeln!(
                text,
                "  begins anew   {} times, with event 1 of another store",
                verdict.beginnings
            );
        }
        if let (Some(last), Some(hash)) = (verdict.last, &verdict.hash) {
            let _ = writeln!(text, "  head          {last}:{hash}");
        }
    }
    for head in &verdict.heads {
        let holds = match head.holds {
            Some(true) => "holds",
            Some(false) => "does not hold",
            None if verdict.whole => {
                "cannot be told: that event is not there any more, or not in this file"
            }
            None => "was not reached",
        };
        let _ = writeln!(text, "  {}:{} {holds}", head.seq, head.hash);
    }
    text
}
