//! How soon the questions of `docs/runbook.md` are answered over a large history: `driftline-history EVENTS ROUNDS`.
//!
//! A month of a busy node is written through the store itself, and sent by the agent's own sink to a PostgreSQL that is
//! started for it. Then the `driftline` beside this program is asked, as a responder would ask it: the whole process is timed.
//! Where `DRIFTLINE_HISTORY` names a directory, the history is made there unless it is there already, and stays.

mod month;
mod node;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use profiler_user::investigate::{Entry, History, Selector, Told, timeline};
use profiler_user::sink::Fleet;
use profiler_user::store::{FILE, Limits, Store};
use support::postgres::Postgres;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().and_then(|number| number.parse::<u64>().ok());
    let (events, rounds) = next().zip(next()).context("usage: driftline-history EVENTS ROUNDS")?;
    let scratch = tempfile::tempdir()?;
    let kept = std::env::var_os("DRIFTLINE_HISTORY").map(PathBuf::from);
    let directory = kept.unwrap_or_else(|| scratch.path().to_owned());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;

    let begun = Instant::now();
    if !directory.join(FILE).exists() {
        runtime.block_on(month::write(&directory, events))?;
        say("written", begun)?;
    }
    let begun = Instant::now();
    let database = Postgres::start();
    runtime.block_on(ship(&directory, &database.url()))?;
    say("shipped", begun)?;
    // Its own housekeeping, which would come a minute later.
    database.ask("VACUUM ANALYZE");

    let told = runtime.block_on(subject(&directory))?;
    let driftline = std::env::current_exe()?.with_file_name("driftline");
    for (name, place) in [("sqlite", directory.display().to_string()), ("postgres", database.url())]
    {
        for question in questions(&told) {
            // What proves the log of one node's file has no other place.
            if name == "postgres" && question[0] == "verify-log" {
                continue;
            }
            for _ in 0..rounds {
                let seconds = ask(&driftline, &place, &question)?;
                let mut answers = std::io::stdout().lock();
                writeln!(answers, "{name}\t{}\t{seconds}", shown(&question))?;
            }
        }
    }
    Ok(())
}

fn say(what: &str, begun: Instant) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{what}\t{}", begun.elapsed().as_secs_f64())?;
    Ok(())
}

async fn ship(directory: &Path, url: &str) -> anyhow::Result<()> {
    let store = Store::open(directory).await?;
    let limits = Limits { size: u64::MAX, ..Limits::default() };
    let mut sink = Fleet::new(url.parse()?, "node-1", store.clone(), limits);
    sink.ship().await?;
    drop(sink);
    store.close().await;
    Ok(())
}

/// What is asked about: a program that was run although the image does not have it, and what every container does.
struct Subject {
    event: String,
    /// The number in the log of the newest such event: where an incident of today begins.
    seq: String,
    container: String,
    everywhere: String,
}

async fn subject(directory: &Path) -> anyhow::Result<Subject> {
    let mut history = History::open(directory).await?;
    let found = drift(&mut history, "exec.not_in_image").await?;
    let (program, newest) = found.first().zip(found.last()).context("no program was dropped")?;
    let found = drift(&mut history, "file.read").await?;
    let everywhere = found.iter().find(|told| told.object == node::EVERYWHERE);
    let everywhere = everywhere.context("nothing was read by all")?.fingerprint.clone();
    history.close().await;
    let container = program.container.as_ref().context("it was in no container")?;
    Ok(Subject {
        event: program.id.clone(),
        seq: newest.seq.to_string(),
        container: container[..12].to_owned(),
        everywhere,
    })
}

async fn drift(history: &mut History, kind: &str) -> anyhow::Result<Vec<Told>> {
    let selector = Selector { kind: Some(kind.to_owned()), ..Selector::default() };
    let found = timeline(history, &selector, 10_000).await?.entries.into_iter();
    let drift = found.filter_map(|entry| match entry {
        Entry::Drift(told) => Some(*told),
        _ => None,
    });
    Ok(drift.collect())
}

fn questions(of: &Subject) -> Vec<Vec<&str>> {
    let (event, container) = (of.event.as_str(), of.container.as_str());
    vec![
        vec!["timeline"],
        vec!["timeline", "--severity", "high"],
        vec!["timeline", "--severity", "low"],
        vec!["timeline", "--kind", "incident.lateral"],
        vec!["timeline", "--kind", "file.write"],
        vec!["timeline", "--kind", "exec.not_in_image"],
        vec!["timeline", "--kind", "container.escape"],
        vec!["timeline", "--kind", "net"],
        vec!["timeline", "--technique", "T1021"],
        vec!["timeline", "--technique", "T1059"],
        vec!["timeline", "--technique", "T1611"],
        vec!["timeline", "--from", "2026-10-10", "--until", "2026-10-11"],
        vec!["timeline", "--namespace", "shop"],
        vec!["timeline", "--pod", "web-77"],
        vec!["timeline", "--digest", month::DIGEST],
        vec!["lateral"],
        vec!["before", event],
        vec!["seen", event],
        vec!["seen", &of.everywhere],
        vec!["container", container],
        vec!["scope", event],
        vec!["scope", "--digest", month::DIGEST],
        vec!["scope", "--kind", "file.write"],
        vec!["report"],
        vec!["report", "--severity", "high"],
        vec!["verify-log", "--from", &of.seq],
        vec!["verify-log"],
    ]
}

/// As it is in the table of results.
fn shown(question: &[&str]) -> String {
    let is_hex = |word: &str| word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let ids = |word: &&str| match word.len() {
        26 => "EVENT".to_owned(),
        12 if is_hex(word) => "CONTAINER".to_owned(),
        16 if is_hex(word) => "FINGERPRINT".to_owned(),
        71 => "DIGEST".to_owned(),
        _ if word.bytes().all(|byte| byte.is_ascii_digit()) => "SEQ".to_owned(),
        _ => (*word).to_owned(),
    };
    question.iter().map(ids).collect::<Vec<_>>().join(" ")
}

/// Seconds until the whole answer was there.
fn ask(driftline: &Path, place: &str, question: &[&str]) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let mut command = Command::new(driftline);
    command.arg("investigate").args(question).arg("--store").arg(place).stdin(Stdio::null());
    let said = command.output().with_context(|| format!("cannot run {}", driftline.display()))?;
    let took = begun.elapsed().as_secs_f64();
    let why = String::from_utf8_lossy(&said.stderr);
    ensure!(said.status.success(), "{question:?}: {}: {why}", said.status);
    ensure!(!said.stdout.is_empty() || !said.stderr.is_empty(), "{question:?} says nothing");
    Ok(took)
}
