//! A peer connected to a listening socket.

use super::{Endpoint, Header};

/// Seen when the handshake completes, in whatever task the interrupt met: the header names no process.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Accept {
    pub header: Header,
    pub local: Endpoint,
    pub peer: Endpoint,
    /// `IPPROTO_*`.
    pub protocol: u32,
    pub padding: u32,
}

const _: () = assert!(size_of::<Accept>() == 96);
