//! A file was changed otherwise than through an open descriptor: a name made or removed, a mode, an owner, its length.

use super::{Header, PathPart};

/// The path is what the caller asked for; the file itself was not looked at.
pub const CHANGE_CLAIMED: u32 = 1;

/// The value of [`Change::operation`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Operation {
    /// A file's name or an empty directory was removed.
    Delete = 0,
    /// `other` is the old name.
    Rename = 1,
    /// `other` is the file that has got one more name.
    HardLink = 2,
    /// `other` is what the link says, as it was written.
    SymbolicLink = 3,
    Mode = 4,
    Owner = 5,
    Truncate = 6,
}

/// Followed by: the path, the directory that it starts from if it is claimed, then both again of `other`.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Change {
    pub header: Header,
    /// An [`Operation`].
    pub operation: u32,
    /// Permission bits, for a change of them.
    pub mode: u32,
    pub path: PathPart,
    pub base: PathPart,
    pub other: PathPart,
    pub other_base: PathPart,
}

const _: () = assert!(size_of::<Change>() == 80);

impl Operation {
    const ALL: [Self; 7] = [
        Self::Delete,
        Self::Rename,
        Self::HardLink,
        Self::SymbolicLink,
        Self::Mode,
        Self::Owner,
        Self::Truncate,
    ];

    /// The operation with this value, if there is one.
    pub fn from_value(value: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| *operation as u32 == value)
    }
}
