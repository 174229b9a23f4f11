//! A connection was asked for, or a datagram sent to an address without one.

use super::{Endpoint, Header};

/// A datagram on an unconnected socket.
pub const CONNECT_DATAGRAM: u32 = 1;

#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Connect {
    pub header: Header,
    pub peer: Endpoint,
    /// `IPPROTO_*`.
    pub protocol: u32,
    pub padding: u32,
}

const _: () = assert!(size_of::<Connect>() == 72);
