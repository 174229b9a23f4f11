//! How a path crosses: as text where the kernel can print it, else as the names that a dentry walk met.

/// Longest single name, with its NUL (`NAME_MAX` + 1).
pub const NAME_MAX: usize = 256;
/// Longest path, with its NUL.
pub const PATH_MAX: usize = 4096;
/// Names and mount crossings that a dentry walk follows; what lies above is cut off and marked so.
pub const COMPONENTS_MAX: usize = 48;

/// A path's bytes within a record's variable part.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct PathPart {
    /// Bytes, NULs included.
    pub len: u32,
    /// A [`PathForm`].
    pub form: u32,
}

/// The value of [`PathPart::form`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum PathForm {
    /// Nothing could be read.
    None = 0,
    /// The path, NUL-terminated.
    Text = 1,
    /// Names from the leaf up to the root, each NUL-terminated.
    Names = 2,
    /// The same, but the walk ended before the root.
    NamesCut = 3,
    /// A name without a place in the tree (`memfd:x`, `pipe:`).
    Unrooted = 4,
    /// Longer than the buffer.
    TooLong = 5,
    /// As `Names`, but up to the top of a mount that is not in the container's tree.
    Detached = 6,
}

impl PathForm {
    const ALL: [Self; 7] = [
        Self::None,
        Self::Text,
        Self::Names,
        Self::NamesCut,
        Self::Unrooted,
        Self::TooLong,
        Self::Detached,
    ];

    /// The form with this value, if there is one.
    pub fn from_value(value: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|form| *form as u32 == value)
    }
}

impl PathPart {
    pub const NONE: Self = Self { len: 0, form: PathForm::None as u32 };
}
