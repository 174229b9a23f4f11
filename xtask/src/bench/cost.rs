//! What an operation costs under each subject, in interleaved rounds.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use super::row::Row;
use super::subject::{Bench, Op, Running, Subject};

/// Rows of one measurement: what each subject's operations took in each round.
#[derive(Default)]
pub(super) struct Rounds {
    /// Subject and operation in the order they came, with what the rounds gave.
    order: Vec<(String, String)>,
    measured: BTreeMap<(String, String), Vec<f64>>,
}

impl Rounds {
    pub(super) fn add(&mut self, subject: &str, op: &str, value: f64) {
        let key = (subject.to_owned(), op.to_owned());
        if !self.measured.contains_key(&key) {
            self.order.push(key.clone());
        }
        self.measured.entry(key).or_default().push(value);
    }

    pub(super) fn rows(&self, suite: &str, unit: &str) -> Vec<Row> {
        let row =
            |key: &(String, String)| Row::of(suite, &key.0, &key.1, unit, &self.measured[key]);
        self.order.iter().filter_map(row).collect()
    }
}

/// One round on this machine: every subject once, so that whatever else the machine does meets them all alike.
pub(super) fn host_round(bench: &Bench, ops: &[Op], rounds: &mut Rounds) -> Result<()> {
    for subject in Subject::ALL {
        let mut running = bench.start(subject).with_context(|| subject.name())?;
        for op in ops {
            warm(&mut running, *op)?;
            rounds.add(subject.name(), op.name, undisturbed(*op, |op| running.measure(op))?);
        }
        running.end().with_context(|| subject.name())?;
    }
    Ok(())
}

/// The least of many short measurements: what others do on this machine only ever adds.
pub(super) fn undisturbed(op: Op, mut measure: impl FnMut(Op) -> Result<f64>) -> Result<f64> {
    const PARTS: u32 = 20;
    let part = Op { count: (op.count / PARTS).max(1), ..op };
    let mut least = f64::INFINITY;
    for _ in 0..PARTS {
        least = least.min(measure(part)?);
    }
    Ok(least)
}

/// All rounds where each gives the same: attached once per subject. What the agent does for it is told apart.
pub(super) fn counted(
    bench: &Bench,
    subjects: &[Subject],
    ops: &[Op],
    count: usize,
    rounds: &mut Rounds,
    mut agent: Option<&mut Rounds>,
) -> Result<()> {
    for subject in subjects.iter().copied() {
        let mut running = bench.start(subject).with_context(|| subject.name())?;
        for op in ops {
            warm(&mut running, *op)?;
        }
        // What the kernel's side costs: the records stay in the ring buffer while the agent stands still.
        running.stop_agent()?;
        for _ in 0..count {
            for op in ops {
                rounds.add(subject.name(), op.name, running.measure(*op)?);
            }
        }
        running.continue_agent()?;
        for _ in 0..agent.as_ref().map_or(0, |_| count.min(3)) {
            for op in ops {
                if let Some((agent, took)) = agent.as_mut().zip(running.measure_agent(*op)?) {
                    agent.add(subject.name(), op.name, took);
                }
            }
        }
        running.end().with_context(|| subject.name())?;
    }
    Ok(())
}

/// Once before it counts: first seen by the filter, and in the processor's caches.
fn warm(running: &mut Running, op: Op) -> Result<()> {
    running.measure(Op { count: (op.count / 10).max(3), ..op }).map(drop)
}
