//! `driftline-services` records services into `baselines/` and proves their baselines: what `cargo xtask baselines` runs.

use std::{
    io::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Mutex,
    thread,
    time::Instant,
};

use anyhow::Context as _;
use clap::Parser;
use serde_json::{Value, json};
use support::services::{
    self, Service,
    capture::Capture,
    network,
    prove::{Prover, keep},
    record::{self, Enough},
    turned,
};

#[derive(Parser)]
struct Options {
    /// The directory of the baselines, one for each service
    #[arg(long)]
    baselines: PathBuf,
    /// The directory for what the kernel told, container by container
    #[arg(long)]
    captures: PathBuf,
    /// Watch so many containers of each service, instead of recording
    #[arg(long, value_name = "RUNS")]
    prove: Option<usize>,
    /// Record until this coverage
    #[arg(long, default_value_t = 0.99)]
    until: f64,
    /// Record so many containers, however much has been seen
    #[arg(long)]
    containers: Option<usize>,
    /// Watch where clients and servers have other addresses than where it was recorded
    #[arg(long)]
    elsewhere: bool,
    /// Watch containers whose clock is wrong
    #[arg(long)]
    clock: bool,
    /// The seed of the first watched life
    #[arg(long, default_value_t = 1000)]
    seed: u64,
    /// Services side by side
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Services; all without a name
    names: Vec<String>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("driftline-services: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Each service's result is one line of JSON on standard output, as soon as it is there.
fn run(options: &Options) -> anyhow::Result<()> {
    let capture = Capture::start().context("capturing beside the agent")?;
    let waiting = Mutex::new(chosen(&options.names)?);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                // The lock must not be held while a service lives.
                let next = || waiting.lock().expect("nobody panics with it").pop();
                while let Some(service) = next() {
                    let start = Instant::now();
                    // What fails in a life must not keep the others from theirs.
                    let result = catch_unwind(AssertUnwindSafe(|| one(options, service, &capture)))
                        .unwrap_or_else(|_told| Err(anyhow::anyhow!("it panicked, see above")));
                    let result = result.and_then(|mut result| {
                        result["seconds"] = start.elapsed().as_secs().into();
                        Ok(writeln!(std::io::stdout(), "{result}")?)
                    });
                    if let Err(error) = result {
                        let error = format!("{}: {error:#}", service.name());
                        failed.lock().expect("nobody panics with it").push(error);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no thread panicked");
    anyhow::ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

fn one(options: &Options, service: &dyn Service, capture: &Capture) -> anyhow::Result<Value> {
    let baseline = options.baselines.join(format!("{}.json", service.name()));
    let captures = options.captures.join(service.name());
    if let Some(runs) = options.prove.filter(|_| options.clock) {
        let proof = turned::prove(service, &baseline, options.seed, runs)?;
        return Ok(serde_json::to_value(proof)?);
    }
    if let Some(runs) = options.prove {
        let surroundings = if options.elsewhere { &network::ELSEWHERE } else { &network::HERE };
        let (baseline, captures, seed) = (&*baseline, &*captures, options.seed);
        let prover = Prover { service, baseline, captures, capture, surroundings, seed };
        return Ok(serde_json::to_value(prover.prove(runs)?)?);
    }
    let until = Enough::Coverage(options.until);
    let enough = options.containers.map_or(until, Enough::Containers);
    recorded(enough, service, &baseline, &captures, capture)
}

fn recorded(
    enough: Enough,
    service: &dyn Service,
    to: &Path,
    captures: &Path,
    capture: &Capture,
) -> anyhow::Result<Value> {
    if captures.exists() {
        std::fs::remove_dir_all(captures)?;
    }
    let mut life = 0;
    let recorded = record::record(service, enough, to, |lived| {
        life += 1;
        keep(capture, &lived, captures, &format!("recorded/{life:02}")).map(drop)
    })?;
    let image = service.image();
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    // The rest is whoever built it.
    let kernel = release.trim().splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    let completeness = recorded.completeness;
    Ok(json!({
        "service": service.name(),
        "image": image.reference(),
        "runs": recorded.runs,
        "coverage": completeness.coverage,
        "limit": completeness.limit,
        "seen": completeness.overall.runs.seen,
        "bytes": recorded.bytes,
        "tier": recorded.tier,
        "kernel": kernel,
        "said": recorded.said.lines().last(),
    }))
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static dyn Service>> {
    let all = services::all();
    // The last is taken first.
    if names.is_empty() {
        return Ok(all.into_iter().rev().collect());
    }
    let find = |name: &String| {
        let found = all.into_iter().find(|service| service.name() == name);
        found.with_context(|| {
            let known = all.map(Service::name).join(", ");
            format!("there is no service {name}; there are {known}")
        })
    };
    names.iter().rev().map(find).collect()
}
