//! The ring buffer as an asynchronous stream of raw records.

use anyhow::Context;
use aya::maps::{MapData, RingBuf};
use bytes::Bytes;
use tokio::io::unix::AsyncFd;

use crate::poll;

/// Records per batch: enough to spread the cost of a wake-up, few enough to bound what a stage holds.
const BATCH: usize = 512;

pub struct Records {
    ring: AsyncFd<RingBuf<MapData>>,
    /// What came before the stream was taken.
    early: Vec<Bytes>,
}

impl Records {
    pub(super) fn new(ring: RingBuf<MapData>, early: Vec<Bytes>) -> anyhow::Result<Self> {
        Ok(Self { ring: poll::register(ring).context("waiting on the ring buffer")?, early })
    }

    /// The next records, at least one, in the order in which the kernel reserved them.
    pub async fn next(&mut self) -> anyhow::Result<Vec<Bytes>> {
        if !self.early.is_empty() {
            return Ok(std::mem::take(&mut self.early));
        }
        loop {
            let mut ready = self.ring.readable_mut().await.context("waiting on the ring buffer")?;
            let batch = take(ready.get_inner_mut());
            if batch.is_empty() {
                ready.clear_ready();
            } else {
                return Ok(batch);
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
