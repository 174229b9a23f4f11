//! A process of a container was moved into a cgroup outside it.

use super::{Header, PathPart};

/// The header names the process that was moved and the container it came from. Followed by the cgroup's path from the
/// hierarchy's root.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Escape {
    pub header: Header,
    pub cgroup: u64,
    pub path: PathPart,
}

const _: () = assert!(size_of::<Escape>() == 56);
