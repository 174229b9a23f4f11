//! A Unix socket was connected to, or a datagram sent to one.

use super::Header;

/// A datagram, or the connection of a datagram socket.
pub const UNIX_DATAGRAM: u32 = 1;
/// Words of a peer's name: `sun_path` holds 108 bytes.
pub const UNIX_WORDS: usize = 14;

/// The peer by the name that it bound itself, whatever link or mount led there.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Unix {
    pub header: Header,
    /// Bytes of `name`; an abstract name begins with a NUL, a path may end with one.
    pub len: u32,
    pub padding: u32,
    pub name: [u64; UNIX_WORDS],
}

const _: () = assert!(size_of::<Unix>() == 160);
