//! An answer of a name server that the container asked.

use super::Header;

/// Bytes of an answer that are kept; few are longer, and those are of no use half.
pub const DNS_MAX: usize = 1024;

/// The header names the process that asked that server last on the same socket.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Dns {
    pub header: Header,
    /// Bytes of `message`; what follows them means nothing.
    pub len: u32,
    pub padding: u32,
    /// As it came over the network.
    pub message: [u8; DNS_MAX],
}

const _: () = assert!(size_of::<Dns>() == 48 + DNS_MAX);
