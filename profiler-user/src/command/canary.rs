//! `driftline canary`: has the agent of this node run a harmless drift, and says whether it came out of every sink.

use std::{fmt::Write as _, io::Write as _, path::PathBuf, process::ExitCode};

use clap::Args;

use crate::{
    agent::canary::{self, Report},
    cli::{DEFAULT_STORE, home},
    drift::clean,
    error::{Error, code},
};

#[derive(Debug, Args)]
pub struct Canary {
    /// Directory of the agent's history
    #[arg(long, value_name = "DIR", env = "DRIFTLINE_STORE", default_value = DEFAULT_STORE, hide_env_values = true, value_parser = home())]
    store: PathBuf,
    /// Print what became of it as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: &Canary) -> Result<ExitCode, Error> {
    let report = canary::ask(&args.store).await?;
    let text = if args.json {
        let json = serde_json::to_string(&report).map_err(anyhow::Error::from)?;
        format!("{json}\n")
    } else {
        page(&report)
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Error::Output(format!("cannot print the report: {error}")))?;
    if report.ok {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("driftline: the canary did not arrive everywhere: {}", clean(&report.sentence()));
    Ok(code::CANARY.into())
}

fn page(report: &Report) -> String {
    let mut text = String::new();
    if let Some(event) = &report.event {
        let _ = writeln!(text, "event {event}");
    }
    for sink in &report.sinks {
        let name = clean(&sink.sink);
        let _ = match (sink.ok, sink.after_ms, &sink.why) {
            (true, Some(after), _) => writeln!(text, "ok      {name} after {after} ms"),
            (true, None, _) => writeln!(text, "ok      {name}"),
            (false, _, why) => {
                let why = clean(why.as_deref().unwrap_or("it does not say why"));
                writeln!(text, "missing {name}: {why}")
            }
        };
    }
    text
}
