//! `driftline-services record DIRECTORY [NAME...]` records services into a directory.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use support::services::{self, Service, record};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("driftline-services: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> anyhow::Result<()> {
    let (task, rest) = arguments.split_first().context("a task is missing")?;
    let (directory, names) = rest.split_first().context("a directory is missing")?;
    let services = chosen(names)?;
    match task.as_str() {
        "record" => {
            for service in services {
                let to = Path::new(directory).join(format!("{}.json", service.name()));
                let start = std::time::Instant::now();
                let recorded = record::record(service, 0.99, 1, &to, |_| {})?;
                eprintln!("{}", recorded.said);
                eprintln!(
                    "{}: {} runs, coverage {:.3}, {} bytes, {:.0} s",
                    service.name(),
                    recorded.runs,
                    recorded.completeness.coverage,
                    recorded.bytes,
                    start.elapsed().as_secs_f32(),
                );
            }
            Ok(())
        }
        _ => anyhow::bail!("{task}: no such task"),
    }
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static dyn Service>> {
    let all = services::all();
    if names.is_empty() {
        return Ok(all.into());
    }
    let find = |name: &String| {
        let found = all.into_iter().find(|service| service.name() == name);
        found.with_context(|| format!("{name}: no such service"))
    };
    names.iter().map(find).collect()
}
