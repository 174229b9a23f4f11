//! A socket was made.

use super::Header;

/// Once per executable and sort of socket, not once per socket.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Socket {
    pub header: Header,
    /// `AF_*`.
    pub family: u32,
    /// `SOCK_*`, without its flags.
    pub kind: u32,
    /// As asked for: 0 is the family's default.
    pub protocol: u32,
    pub padding: u32,
}

const _: () = assert!(size_of::<Socket>() == 56);
