//! A file was opened.

use super::{Header, PathPart};

pub const OPEN_READ: u32 = 1;
/// Opened for writing, or truncated.
pub const OPEN_WRITE: u32 = 2;
/// The open made the file.
pub const OPEN_CREATED: u32 = 4;
/// Refused for want of permission.
pub const OPEN_DENIED: u32 = 8;
/// The file could not be looked at: the path is what the caller asked for.
pub const OPEN_CLAIMED: u32 = 16;
/// The file has no name: `O_TMPFILE`, a memfd, or deleted.
pub const OPEN_UNNAMED: u32 = 32;

/// Followed by: the path, then the directory that a claimed relative path starts from.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Open {
    pub header: Header,
    pub inode: u64,
    pub device: u32,
    pub padding: u32,
    pub path: PathPart,
    pub base: PathPart,
}

const _: () = assert!(size_of::<Open>() == 72);
