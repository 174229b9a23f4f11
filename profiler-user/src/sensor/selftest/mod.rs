//! Tried means fired: every behaviour is shown to the probes once, by a short-lived child in a cgroup of its own.
//!
//! A hook runs before its call returns, so when the child has ended, its records are in the ring buffer, or never come. No
//! clock decides about a probe. What others did meanwhile is kept for whoever reads the stream.

mod child;
mod round;
mod signs;

use anyhow::{Context, bail};
use aya::maps::{MapData, RingBuf};
use bytes::Bytes;

pub use child::child;
use round::round;
use signs::Signs;

use super::{
    Sensor,
    probes::{Choice, Kernel},
    records,
};
use crate::cgroup::Hierarchy;

/// Rounds in which a probe stays silent before that is held against it: on a busy machine one may be skipped because it would
/// have interrupted itself.
const ATTEMPTS: usize = 3;

/// Rounds at most: one in which a record was lost says nothing of those that stayed silent.
const ROUNDS: usize = 40;

/// Fires every probe, and replaces those that stay silent until each behaviour has one that fired, or none.
///
/// # Errors
/// Where the test itself cannot be carried out: then nothing is known against any probe.
pub(super) fn run(
    sensor: &mut Sensor,
    choices: &mut [Choice],
    kernel: &Kernel<'_>,
    hierarchy: &Hierarchy,
    every_cgroup: bool,
) -> anyhow::Result<()> {
    if !child::is_possible() {
        bail!("this program is not driftline, which plays the part of the container");
    }
    loop {
        let mut seen = Signs::NONE;
        let mut complete = 0;
        for _ in 0..ROUNDS {
            let round = round(sensor, hierarchy, every_cgroup).context("the self-test")?;
            seen.add(round.seen);
            complete += usize::from(round.complete);
            let has_shown =
                |choice: &Choice| seen.contains(Signs::of(choice.behaviour, every_cgroup));
            let have_all = choices.iter().all(|choice| !choice.can_fire() || has_shown(choice));
            if have_all || complete == ATTEMPTS {
                break;
            }
        }
        let mut replaced = false;
        for choice in choices.iter_mut().filter(|choice| choice.can_fire()) {
            if !seen.contains(Signs::of(choice.behaviour, every_cgroup)) {
                replaced |= choice.replace(&mut sensor.ebpf, kernel);
            }
        }
        // One that took a silent one's place has yet to show itself.
        if !replaced {
            return Ok(());
        }
    }
}

/// All records that are there.
fn drain(ring: &mut RingBuf<MapData>) -> Vec<Bytes> {
    let mut all = Vec::new();
    loop {
        let batch = records::take(ring);
        if batch.is_empty() {
            return all;
        }
        all.extend(batch);
    }
}
