//! Waiting on descriptors of other crates' types.

use std::{io, os::fd::AsRawFd};

use aya::maps::{MapData, RingBuf};
use aya_log::EbpfLogger;
use nix::sys::signalfd::SignalFd;
use tokio::io::unix::AsyncFd;

/// A type that owns one descriptor and keeps it open until it is dropped.
///
/// # Safety
/// `as_raw_fd` must give the same open descriptor for the value's whole life.
pub(crate) unsafe trait Descriptor: AsRawFd {}

// SAFETY: the map's descriptor, owned by the value and never replaced.
unsafe impl Descriptor for RingBuf<MapData> {}
// SAFETY: the descriptor of the ring buffer that it owns.
unsafe impl<T> Descriptor for EbpfLogger<T> {}
// SAFETY: an owned descriptor, never replaced.
unsafe impl Descriptor for SignalFd {}

/// Registers a descriptor with the runtime.
pub(crate) fn register<T: Descriptor>(inner: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: what `Descriptor` promises is what is asked for.
    unsafe { AsyncFd::register(inner) }.map_err(Into::into)
}
