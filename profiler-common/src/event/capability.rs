//! A process used a capability.

use super::Header;

#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Capability {
    pub header: Header,
    /// As the kernel numbers it.
    pub number: u32,
    pub padding: u32,
}

const _: () = assert!(size_of::<Capability>() == 48);
