//! How many records a core decodes and judges in a second, and how much drift the store takes: `driftline-replay ROUNDS`. With
//! `log` behind it: how much of a behaviour log `driftline replay` judges.
//!
//! Records of real services are taken from the ring buffer into memory, a baseline is learned from one part of them, and
//! then all of them go through what stands between the ring buffer and a finding, over and over, on one thread.

mod capture;
#[path = "replay/logged.rs"]
mod logged;
#[path = "replay/stored.rs"]
mod stored;

use std::hint::black_box;
use std::io::Write as _;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};
use profiler_user::baseline::{Baseline, Image, Judge, Run, RunId};
use profiler_user::behaviour::Observation;
use profiler_user::drift::Finding;
use profiler_user::observe::{Clock, Observer};
use profiler_user::redact::Redactor;
use profiler_user::sensor;

/// What the baseline knows: services at work.
const RECORDED: &[&str] = &[
    "nginx_serves /usr/share/doc 600",
    "python_serves /usr/share/doc 400",
    "redis_keeps dump.rdb 100",
    "works /usr/share/mime grep -q no-such-text || true",
];

/// What comes on top of that in what is judged: other files, other keys, other programs, started by a service that never
/// started any.
const NEW: &[&str] = &[
    "nginx_serves /usr/share/perl 500",
    "python_serves /usr/share/zoneinfo 400",
    "redis_keeps other.rdb 50",
    "works /usr/lib/python3 wc -l",
    "works /usr/share/i18n grep -q no-such-text || true",
    "/usr/bin/python3 -c 'import sqlite3, subprocess; subprocess.run([\"sh\", \"-c\", \"id; uname -a\"])'",
];

/// At least so much of what is judged is to be new.
const NOVEL: f64 = 0.2;

fn main() -> anyhow::Result<()> {
    let rounds =
        std::env::args().nth(1).context("usage: driftline-replay ROUNDS [log]")?.parse()?;
    let recorded = capture::run(RECORDED)?;
    let watched = capture::run(&[RECORDED, NEW].concat())?;

    let redactor = redactor();
    let baseline = learn(&recorded, &redactor)?;
    if std::env::args().nth(2).as_deref() == Some("log") {
        return replayed([&recorded, &watched], &baseline, &redactor, rounds);
    }
    let judge = Judge::new(&baseline, &redactor.key_id());
    let (events, novel) = judge_all(&watched, &judge, &redactor)?;
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    let (events, share) = (events as f64, novel as f64 / events as f64);
    ensure!(share >= NOVEL, "only {share:.3} of the records are new");

    let mut answers = std::io::stdout().lock();
    writeln!(answers, "novel {share}")?;
    for _ in 0..rounds {
        let mut passes = 0.0;
        let start = used()?;
        while used()? - start < 0.5 {
            black_box(judge_all(black_box(&watched), &judge, &redactor)?);
            passes += 1.0;
        }
        writeln!(answers, "rate {}", passes * events / (used()? - start))?;
    }
    let drift = drift_of(&watched, &judge, &redactor)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    for _ in 0..rounds {
        writeln!(answers, "firsts {}", runtime.block_on(stored::firsts(&drift))?)?;
        writeln!(answers, "repeats {}", runtime.block_on(stored::occurrences(&drift, 100))?)?;
        writeln!(answers, "grouped {}", runtime.block_on(stored::flood(&drift))?)?;
    }
    let sustained = runtime.block_on(stored::sustained(&drift))?;
    writeln!(answers, "sustained {}", sustained.rate)?;
    writeln!(answers, "sustained-median {}", sustained.median)?;
    writeln!(answers, "sustained-worst {}", sustained.worst)?;
    Ok(())
}

fn redactor() -> Redactor {
    Redactor::new([7; 32])
}

/// Entries of each log that is judged.
const LOGGED: usize = 4_000_000;
const DISTINCT: usize = 400_000;

fn replayed(
    [recorded, watched]: [&[Bytes]; 2],
    baseline: &Baseline,
    redactor: &Redactor,
    rounds: usize,
) -> anyhow::Result<()> {
    let observed = |records: &[Bytes]| -> anyhow::Result<Vec<Observation>> {
        let mut observer = Observer::new(Clock::now()?);
        let mut seen = Vec::new();
        for record in records {
            seen.extend(observer.observe(sensor::decode(record, redactor)?));
        }
        Ok(seen)
    };
    let (known, seen) = (observed(recorded)?, observed(watched)?);
    let directory = tempfile::tempdir()?;
    let place = |name: &str| directory.path().join(name);
    logged::save(&place("baselines"), baseline)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(logged::repeated(&place("known"), &known, &seen, LOGGED))?;
    runtime.block_on(logged::drifted(&place("drifted"), &seen, LOGGED))?;
    runtime.block_on(logged::distinct(&place("distinct"), &seen, DISTINCT))?;
    let mut answers = std::io::stdout().lock();
    for name in ["known", "drifted", "distinct"] {
        for judged in logged::rounds(&place(name), &place("baselines"), rounds)? {
            writeln!(answers, "{name} {}", judged.rate)?;
            writeln!(answers, "{name}-entries {}", judged.entries)?;
        }
    }
    Ok(())
}

/// What is new, as often as it was seen.
fn drift_of(
    records: &[Bytes],
    judge: &Judge,
    redactor: &Redactor,
) -> anyhow::Result<Vec<(Observation, Finding)>> {
    let mut observer = Observer::new(Clock::now()?);
    let mut drift = Vec::new();
    for record in records {
        if let Some(observation) = observer.observe(sensor::decode(record, redactor)?) {
            let findings = judge.judge(&observation);
            drift.extend(findings.into_iter().map(|finding| (observation.clone(), finding)));
        }
    }
    Ok(drift)
}

/// Seconds of a processor that this thread has had: others take their share of a machine, not of these.
fn used() -> anyhow::Result<f64> {
    let used = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
    Ok(std::time::Duration::from(used).as_secs_f64())
}

fn learn(records: &[Bytes], redactor: &Redactor) -> anyhow::Result<Baseline> {
    let mut baseline = Baseline::new(Image::here("replay"));
    let run = RunId::new("01K0000000000000000000000");
    let about = Run::new(Timestamp::now(), "here", "full");
    baseline.begin_run(run.clone(), about, &redactor.key_id());
    let mut observer = Observer::new(Clock::now()?);
    for record in records {
        if let Some(observation) = observer.observe(sensor::decode(record, redactor)?) {
            baseline.learn(&run, &observation);
        }
    }
    Ok(baseline)
}

/// How many records there were, and how many of them the baseline does not hold.
fn judge_all(
    records: &[Bytes],
    judge: &Judge,
    redactor: &Redactor,
) -> anyhow::Result<(usize, usize)> {
    let mut observer = Observer::new(Clock::now()?);
    let mut novel = 0;
    for record in records {
        if let Some(observation) = observer.observe(sensor::decode(record, redactor)?) {
            novel += usize::from(!judge.judge(&observation).is_empty());
        }
    }
    Ok((records.len(), novel))
}
