//! A process was made; threads are not reported.

use super::Header;

/// The header names the parent.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Fork {
    pub header: Header,
    pub child_pid: u32,
    /// The child in its own pid namespace.
    pub child_vpid: u32,
}

const _: () = assert!(size_of::<Fork>() == 48);
