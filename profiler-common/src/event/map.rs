//! A file was mapped executable: a library, or a program that the dynamic loader runs.

use super::{Header, PathPart};

/// The file has no name: a memfd, or deleted.
pub const MAP_UNNAMED: u32 = 1;

/// Followed by: the path.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Map {
    pub header: Header,
    pub inode: u64,
    pub device: u32,
    pub padding: u32,
    pub path: PathPart,
}

const _: () = assert!(size_of::<Map>() == 64);
