//! Nanoseconds per operation on this machine, with other tools beside.

use anyhow::{Context as _, Result};

use super::cost::{self, Rounds};
use super::peer::PEERS;
use super::row::Row;
use super::subject::{Bench, Op};
use crate::sh::say;

pub(super) const SUITE: &str = "host";

/// Enough of each for a clock, few enough for a round of all subjects in a minute.
const OPS: &[Op] = &[
    Op { name: "getppid", count: 200_000 },
    Op { name: "open", count: 20_000 },
    Op { name: "tempfile", count: 2_000 },
    Op { name: "exec", count: 300 },
    Op { name: "connect", count: 2_000 },
];

pub(super) fn measure(bench: &Bench, count: usize) -> Result<Vec<Row>> {
    bench.record(OPS)?;
    let peers: Vec<_> = PEERS
        .iter()
        .filter(|peer| match peer.kept_off().or_else(|| peer.missing()) {
            None => true,
            Some(why) => {
                say(format!("{} is skipped: {why}", peer.name));
                false
            }
        })
        .collect();
    let mut rounds = Rounds::default();
    let mut failed = Vec::new();
    for round in 1..=count {
        say(format!("round {round} of {count}"));
        cost::host_round(bench, OPS, &mut rounds)?;
        for peer in &peers {
            if failed.contains(&peer.name) {
                continue;
            }
            match peer.start(bench) {
                Ok(mut watched) => {
                    for op in OPS {
                        let op = Op { count: (op.count / peer.slower()).max(20), ..*op };
                        let took =
                            cost::undisturbed(op, |op| watched.workload.measure(op.name, op.count));
                        rounds.add(peer.name, op.name, took.with_context(|| peer.name)?);
                    }
                }
                Err(error) => {
                    say(format!("{} is skipped: {error:#}", peer.name));
                    failed.push(peer.name);
                }
            }
        }
    }
    Ok(rounds.rows(SUITE, "ns"))
}
