//! How many records a core decodes and judges in a second: `driftline-replay ROUNDS`.
//!
//! Records of real programs are taken from the ring buffer into memory, a baseline is learned from one part of them, and
//! then all of them go through what stands between the ring buffer and a finding, over and over, on one thread.

mod capture;

use std::hint::black_box;
use std::io::Write as _;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use jiff::Timestamp;
use profiler_user::baseline::{Baseline, Image, Judge, Run, RunId};
use profiler_user::observe::{Clock, Observer};
use profiler_user::redact::Redactor;
use profiler_user::sensor;

/// What the baseline knows: a service that imports, serves files and starts programs.
const RECORDED: &[&str] = &[
    "python3 -c 'import json, email, http.server, asyncio, sqlite3, xml.dom.minidom, unittest'",
    "for n in 1 2 3 4 5 6 7 8 9 10; do /bin/true $n; done",
    "grep -rq no-such-text /usr/lib/python3.11/email /usr/lib/python3.11/json /etc/ssl/certs",
];

/// What comes on top of that in what is judged.
const NEW: &[&str] = &[
    "python3 -c 'import ctypes, multiprocessing, tkinter' 2>/dev/null",
    "grep -rq no-such-text /usr/share/perl5 /usr/lib/python3.11/asyncio /usr/include/linux",
    "find /usr/share/misc /var/lib/dpkg/triggers -newer /etc/passwd",
];

/// How often the recorded part is repeated before the new one.
const REPEATS: usize = 2;

/// At least so much of what is judged is to be new.
const NOVEL: f64 = 0.2;

fn main() -> anyhow::Result<()> {
    let rounds = std::env::args().nth(1).context("usage: driftline-replay ROUNDS")?.parse()?;
    let recorded = capture::run(RECORDED)?;
    let repeated = RECORDED.repeat(REPEATS);
    let watched = capture::run(&[repeated.as_slice(), NEW].concat())?;

    let redactor = Redactor::new([7; 32]);
    let baseline = learn(&recorded, &redactor)?;
    let judge = Judge::new(&baseline, &redactor.key_id());
    let (events, novel) = judge_all(&watched, &judge, &redactor)?;
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    let (events, share) = (events as f64, novel as f64 / events as f64);
    ensure!(share >= NOVEL, "only {share:.3} of the records are new");

    let mut answers = std::io::stdout().lock();
    writeln!(answers, "novel {share}")?;
    for _ in 0..rounds {
        let mut passes = 0.0;
        let start = Instant::now();
        while start.elapsed().as_secs_f64() < 0.5 {
            black_box(judge_all(black_box(&watched), &judge, &redactor)?);
            passes += 1.0;
        }
        writeln!(answers, "rate {}", passes * events / start.elapsed().as_secs_f64())?;
    }
    Ok(())
}

fn learn(records: &[Bytes], redactor: &Redactor) -> anyhow::Result<Baseline> {
    let mut baseline = Baseline::new(Image::here("replay"));
    let run = RunId::new("01K0000000000000000000000");
    let about = Run {
        started: Timestamp::now(),
        ended: None,
        host: "here".to_owned(),
        tier: "full".to_owned(),
        partial: false,
        lost: std::collections::BTreeMap::new(),
        command: None,
    };
    baseline.begin_run(run.clone(), about, &redactor.key_id());
    let mut observer = Observer::new(Clock::now()?);
    for record in records {
        if let Some(observation) = observer.observe(sensor::decode(record.clone(), redactor)?) {
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
        if let Some(observation) = observer.observe(sensor::decode(record.clone(), redactor)?) {
            novel += usize::from(!judge.judge(&observation).is_empty());
        }
    }
    Ok((records.len(), novel))
}
