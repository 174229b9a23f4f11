//! The ring buffer as an asynchronous stream of raw records.
//!
//! One record wakes this side up at once. Where many come, being woken for each would cost more than reading it: then this
//! side says that it comes by itself, and does so every [`PAUSE`], until nothing came for a while.

use std::time::Duration;

use anyhow::Context;
use aya::maps::{Array, Map, MapData, RingBuf};
use bytes::Bytes;
use tokio::{
    io::unix::AsyncFd,
    time::{sleep, timeout},
};

use crate::poll;

/// Records per batch: enough to spread the cost of a wake-up, few enough to bound what a stage holds.
const BATCH: usize = 512;

/// Records that came at once, from which on more are expected.
const MANY: usize = 32;

/// Records that are not worth coming for.
const FEW: usize = 4;

/// Between two looks, while records come without waking anybody.
const PAUSE: Duration = Duration::from_millis(3);

/// Looks in vain, or nearly, before being woken is asked for again.
const IN_VAIN: u32 = 4;

/// A program that had just read the old word when the new one was written may still submit without waking: such
/// a record waits at most this long.
const AT_LATEST: Duration = Duration::from_millis(500);

pub struct Records {
    ring: AsyncFd<RingBuf<MapData>>,
    /// What came before the stream was taken.
    early: Vec<Bytes>,
    attended: Array<MapData, u64>,
    /// Looks in vain so far, while this side comes by itself.
    attending: Option<u32>,
}

impl Records {
    pub(super) fn new(
        ring: RingBuf<MapData>,
        early: Vec<Bytes>,
        attended: Map,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            ring: poll::register(ring).context("waiting on the ring buffer")?,
            early,
            attended: Array::try_from(attended).context("opening the word that says so")?,
            attending: None,
        })
    }

    /// The next records, at least one, in the order in which the kernel reserved them.
    pub async fn next(&mut self) -> anyhow::Result<Vec<Bytes>> {
        if !self.early.is_empty() {
            return Ok(std::mem::take(&mut self.early));
        }
        loop {
            let batch = take(self.ring.get_mut());
            if !batch.is_empty() {
                match self.attending {
                    _ if batch.len() >= MANY => self.attend(Some(0))?,
                    Some(in_vain) if batch.len() < FEW => self.attending = Some(in_vain + 1),
                    _ => {}
                }
                return Ok(batch);
            }
            match self.attending {
                Some(IN_VAIN..) => self.attend(None)?,
                Some(in_vain) => {
                    sleep(PAUSE).await;
                    self.attending = Some(in_vain + 1);
                }
                None => {
                    if let Ok(ready) = timeout(AT_LATEST, self.ring.readable_mut()).await {
                        ready.context("waiting on the ring buffer")?.clear_ready();
                    }
                }
            }
        }
    }

    /// What is there now, without waiting; empty once the buffer is drained.
    pub fn drain(&mut self) -> Vec<Bytes> {
        if !self.early.is_empty() {
            return std::mem::take(&mut self.early);
        }
        take(self.ring.get_mut())
    }

    fn attend(&mut self, attending: Option<u32>) -> anyhow::Result<()> {
        if attending.is_some() != self.attending.is_some() {
            let word = u64::from(attending.is_some());
            self.attended.set(0, word, 0).context("saying whether to be woken")?;
        }
        self.attending = attending;
        Ok(())
    }
}

pub(super) fn take(ring: &mut RingBuf<MapData>) -> Vec<Bytes> {
    let mut batch = Vec::new();
    while batch.len() < BATCH
        && let Some(record) = ring.next()
    {
        batch.push(Bytes::copy_from_slice(&record));
    }
    batch
}
