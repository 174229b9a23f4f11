//! Cgroups came and went, where containers are looked for.

use super::{Header, PathPart};

/// Before any task can enter. The header's container is the one that it belongs to: itself, or, for one made below a
/// container that runs, that container. Followed by its path from the hierarchy's root.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct CgroupMade {
    pub header: Header,
    pub cgroup: u64,
    pub path: PathPart,
}

const _: () = assert!(size_of::<CgroupMade>() == 56);

/// A container's own cgroup is gone, and so is every process that was in it.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct CgroupRemoved {
    pub header: Header,
    pub cgroup: u64,
}

const _: () = assert!(size_of::<CgroupRemoved>() == 48);
