//! A process acts as another user from here on.

use super::Header;

/// What it was before is for the user side to know: a call may also set what was set already. User ids are of the initial
/// user namespace.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Identity {
    pub header: Header,
    pub real: u32,
    pub effective: u32,
}

const _: () = assert!(size_of::<Identity>() == 48);
