//! `driftline check`: what this kernel and node allow, and what will be blind.

mod losses;

use std::process::ExitCode;

use serde::Serialize;

use crate::{
    cgroup::Hierarchy,
    cli,
    error::{Error, code},
    requirements::{self, Requirement},
    sensor::{Sensor, Status, Tier},
    session,
};

#[derive(Serialize)]
struct Report {
    schema_version: &'static str,
    version: &'static str,
    kernel: String,
    lockdown: Option<String>,
    requirements: Vec<Requirement>,
    /// Absent where a requirement is not met: nothing was loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<Tier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    behaviours: Option<Vec<Status>>,
    /// Why the probes could not be fired to see whether they work.
    #[serde(skip_serializing_if = "Option::is_none")]
    untested: Option<String>,
    /// Absent where there is no history.
    #[serde(skip_serializing_if = "Option::is_none")]
    losses: Option<losses::Report>,
    usable: bool,
}

pub(crate) async fn run(args: &cli::Check) -> Result<ExitCode, Error> {
    let requirements = requirements::all();
    let met = requirements.iter().all(|requirement| requirement.finding.is_ok());
    let sensor = if met { Some(load(args)?) } else { None };
    // As `record` and `watch` see it: they run without what no verdict rests on, and say so.
    let usable = |sensor: &Sensor| session::require_vital(sensor).is_ok();
    let report = Report {
        schema_version: "driftline.check/v1",
        version: env!("CARGO_PKG_VERSION"),
        kernel: kernel(),
        lockdown: lockdown(),
        requirements,
        tier: sensor.as_ref().map(Sensor::tier),
        behaviours: sensor.as_ref().map(|sensor| sensor.status().to_vec()),
        untested: sensor.as_ref().and_then(Sensor::untested).map(str::to_owned),
        losses: losses::read(&args.store).await,
        usable: sensor.as_ref().is_some_and(usable),
    };
    if args.json {
        print_json(&report)?;
    } else {
        print_text(&report);
    }
    Ok(if report.usable { ExitCode::SUCCESS } else { ExitCode::from(code::MACHINE) })
}

/// Loads and attaches every probe as `record` and `watch` would.
fn load(args: &cli::Check) -> Result<Sensor, Error> {
    let hierarchy = Hierarchy::find()?;
    Sensor::load(&hierarchy, args.sensor.into())
        .map_err(|error| Error::Machine(format!("cannot load the eBPF probes: {error:#}")))
}

fn print_json(report: &Report) -> Result<(), Error> {
    use std::io::Write;
    let json = serde_json::to_string_pretty(report).map_err(anyhow::Error::from)?;
    writeln!(std::io::stdout(), "{json}")
        .map_err(|error| Error::Output(format!("cannot write the report to stdout: {error}")))
}

fn print_text(report: &Report) {
    eprintln!("driftline {} on Linux {}", report.version, report.kernel);
    if let Some(lockdown) = &report.lockdown {
        eprintln!("  lockdown      {lockdown}");
    }
    for requirement in &report.requirements {
        match &requirement.finding {
            Ok(found) => eprintln!("  {:<13} ok: {found}", requirement.name),
            Err(why) => eprintln!("  {:<13} MISSING: {why}", requirement.name),
        }
    }
    for status in report.behaviours.iter().flatten() {
        let behaviour = format!("{:?}", status.behaviour).to_lowercase();
        let tier = format!("{:?}", status.tier).to_lowercase();
        eprintln!("  {behaviour:<13} {tier}: {}", status.probe.unwrap_or("no probe"));
        for refused in &status.refused {
            eprintln!("  {:<13} refused {refused}", "");
        }
    }
    if let Some(why) = &report.untested {
        eprintln!("the probes were not fired to see whether they work: {why}");
    }
    if let Some(losses) = &report.losses {
        losses.print();
    }
    match report.tier {
        Some(Tier::Full) => eprintln!("every behaviour is seen by its first choice of probe"),
        Some(Tier::Restricted) => eprintln!("every behaviour is seen, some by a fallback"),
        Some(Tier::Blind) => eprintln!("some behaviours are not seen here"),
        None => eprintln!("record and watch cannot run here"),
    }
}

fn kernel() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

/// `none [integrity] confidentiality` → `integrity`; none where securityfs is not mounted.
fn lockdown() -> Option<String> {
    let modes = std::fs::read_to_string("/sys/kernel/security/lockdown").ok()?;
    let (_, rest) = modes.split_once('[')?;
    Some(rest.split_once(']')?.0.to_owned())
}
