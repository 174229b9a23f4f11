//! A process ended: its last thread is gone.

use super::Header;

#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Exit {
    pub header: Header,
    /// As `wait` reports it: signal in the low 7 bits, exit code in the next byte.
    pub status: u32,
    pub padding: u32,
}

const _: () = assert!(size_of::<Exit>() == 48);
