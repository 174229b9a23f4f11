//! `cargo xtask baselines`: records the services of `baselines/`, or proves what their baselines are worth.
//!
//! Both happen in the pod laboratory and need root. What is found goes into the tables of `baselines/README.md` too.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::Value;

use crate::sh::{self, say};
use crate::{cargo, setup, vm};

#[derive(Args)]
pub(crate) struct Options {
    /// Services; all of them without a name
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Instead of recording, watch fresh containers of each service by the baseline that is there, let it run under its own
    /// seccomp profile, and carry out its deviations
    #[arg(long)]
    prove: bool,
    /// With --prove: so many containers of each service
    #[arg(long, default_value_t = 50)]
    runs: usize,
    /// Record until this coverage, in at most ten runs
    #[arg(long, default_value_t = 0.99)]
    until: f64,
    /// Record so many containers, however much has been seen, and not into `baselines/` but into `target/services`: what
    /// docs/maturity.md is about
    #[arg(long, conflicts_with_all = ["prove", "until"])]
    containers: Option<usize>,
    /// With --prove: the seed of the first life; another one is another load
    #[arg(long, default_value_t = 1000)]
    seed: u64,
    /// With --prove: where clients and servers have other addresses than where it was recorded, which `--bind` says
    #[arg(long)]
    elsewhere: bool,
    /// With --prove: in containers whose clock is wrong, and is turned while they work
    #[arg(long, requires = "prove", conflicts_with = "elsewhere")]
    clock: bool,
    /// Services side by side
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Where the results go as JSON, an array [default: target/services/recorded.json, proof.json, proof-elsewhere.json,
    /// proof-clock.json]
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn baselines(options: &Options) -> Result<()> {
    setup::for_services()?;
    let driftline = cargo::driftline_for_tests()?;
    let built = cargo::executables(&["build", "--package", "driftline-tests", "--bins"])?;
    let services = built.into_iter().find(|built| built.name == "driftline-services");
    let services = services.context("cargo built no executable named `driftline-services`")?.path;
    let work = vm::directory()?.with_file_name("services");
    fs::create_dir_all(&work)?;

    let mut run = sh::command(services);
    run.env("DRIFTLINE_BIN", driftline);
    let shipped = sh::workspace().join("baselines");
    if let Some(containers) = options.containers {
        run.args(["--containers", &containers.to_string()]);
        run.arg("--baselines").arg(&work).arg("--captures").arg(work.join("captures-of-many"));
    } else {
        run.arg("--baselines").arg(shipped).arg("--captures").arg(work.join("captures"));
    }
    run.args(["--until", &options.until.to_string()]);
    run.args(["--seed", &options.seed.to_string()]);
    run.args(["--jobs", &options.jobs.to_string()]);
    if options.prove {
        run.args(["--prove", &options.runs.to_string()]);
        run.args(options.elsewhere.then_some("--elsewhere"));
        run.args(options.clock.then_some("--clock"));
    }
    run.args(&options.names).stdout(std::process::Stdio::piped());
    let output = run.spawn().context("the services do not start")?.wait_with_output()?;
    // What is there is not thrown away because another service failed.
    let lines = String::from_utf8(output.stdout)?;
    let results: Vec<Value> =
        lines.lines().map(serde_json::from_str).collect::<Result<_, _>>().context("no JSON")?;
    let (name, table, row): (_, _, fn(&Value) -> String) = if options.clock {
        ("proof-clock.json", PROVEN_BY_CLOCK, turned)
    } else if options.prove && options.elsewhere {
        ("proof-elsewhere.json", PROVEN_ELSEWHERE, watched)
    } else if options.prove {
        ("proof.json", PROVEN, proven)
    } else {
        ("recorded.json", RECORDED, recorded)
    };
    let json = options.json.clone().unwrap_or_else(|| work.join(name));
    fs::write(&json, serde_json::to_vec_pretty(&results)?)?;
    if options.containers.is_some() {
        say(format!("wrote {} and the baselines beside it", json.display()));
    } else {
        update(table, &results, row)?;
        say(format!("wrote {}; the tables are in baselines/README.md", json.display()));
    }
    ensure!(output.status.success(), "not every service came through, see above");
    Ok(())
}

/// A table of the page, by the comment that it follows, up to the next comment.
const RECORDED: &str = "<!-- table: cargo xtask baselines -->\n";
const PROVEN: &str = "<!-- table: cargo xtask baselines --prove -->\n";
const PROVEN_ELSEWHERE: &str = "<!-- table: cargo xtask baselines --prove --elsewhere -->\n";
const PROVEN_BY_CLOCK: &str = "<!-- table: cargo xtask baselines --prove --clock -->\n";
const END: &str = "\n<!-- end of table -->";

fn recorded(result: &Value) -> String {
    format!(
        "{} | {} | {} % | {} | {} KB | {} | {}",
        text(&result["image"]),
        result["runs"],
        share(&result["coverage"]),
        result["seen"],
        result["bytes"].as_u64().unwrap_or_default().div_ceil(1000),
        text(&result["kernel"]),
        text(&result["tier"]),
    )
}

fn proven(result: &Value) -> String {
    let refused =
        |runtime: &str| result["seccomp"][runtime].as_array().map_or(0, Vec::len).to_string();
    let deviations = result["deviations"].as_array().map_or(&[][..], Vec::as_slice);
    let found = |by: &str| deviations.iter().filter(|one| one["told"][by] == true).count();
    let rivals = &result["rivals"];
    format!(
        "{} | {} | {} | {} | {} | {}, {} | {} | {} | {} | {}",
        result["runs"],
        false_drifts(&result["driftline"]),
        approved(result),
        false_drifts(&rivals["path set"]),
        false_drifts(&rivals["fan-out trie"]),
        refused("runc"),
        refused("crun"),
        deviations.len(),
        found("driftline"),
        found("path set"),
        found("fan-out trie"),
    )
}

fn turned(result: &Value) -> String {
    format!("{} | {} | {}", result["runs"], false_drifts(&result["driftline"]), approved(result))
}

fn approved(result: &Value) -> String {
    match &result["approved"] {
        Value::Null => "–".to_owned(),
        tally => false_drifts(tally),
    }
}

fn watched(result: &Value) -> String {
    format!("{} | {}", result["runs"], false_drifts(&result["driftline"]))
}

fn false_drifts(tally: &Value) -> String {
    let distinct = tally["distinct"].as_object().into_iter().flatten();
    let distinct: u64 = distinct.filter_map(|(_, count)| count.as_u64()).sum();
    format!("{distinct} ({} times)", tally["events"])
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// In percent, to a tenth, rounded down: 98.97 % is not 99 %.
fn share(value: &Value) -> f64 {
    (value.as_f64().unwrap_or_default() * 1000.0).floor() / 10.0
}

/// Replaces the rows of these services in a table of the page.
fn update(table: &str, results: &[Value], row: fn(&Value) -> String) -> Result<()> {
    let path = sh::workspace().join("baselines/README.md");
    let page = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let (before, rest) = page.split_once(table).context("the page has no place for the table")?;
    let (old, after) = rest.split_once(END).context("the page's table has no end")?;
    let mut lines = old.lines();
    let head: Vec<_> = lines.by_ref().take(2).collect();
    let mut rows: BTreeMap<String, String> = lines
        .filter_map(|line| {
            let (name, cells) = line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | ")?;
            Some((name.to_owned(), cells.to_owned()))
        })
        .collect();
    rows.extend(results.iter().map(|one| (text(&one["service"]).to_owned(), row(one))));
    let rows: Vec<_> = rows.iter().map(|(name, cells)| format!("| {name} | {cells} |")).collect();
    let table_now = [head, rows.iter().map(String::as_str).collect()].concat().join("\n");
    Ok(fs::write(&path, format!("{before}{table}{table_now}{END}{after}"))?)
}
