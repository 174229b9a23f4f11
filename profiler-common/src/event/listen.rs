//! A socket began to listen.

use super::{Endpoint, Header};

/// The program chose the port; otherwise the kernel picked a free one.
pub const LISTEN_PORT_CHOSEN: u32 = 1;

#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Listen {
    pub header: Header,
    pub local: Endpoint,
    /// `IPPROTO_*`.
    pub protocol: u32,
    pub padding: u32,
}

const _: () = assert!(size_of::<Listen>() == 72);
