//! A program was started.

use super::{Header, PathPart};

/// Bytes of argv that are kept; the rest is cut and [`Exec::args_total`] says so.
pub const ARGS_MAX: usize = 4096;

/// The first exec of a container: its entrypoint.
pub const EXEC_FIRST: u32 = 1;
/// The file has no name any more: a memfd, or deleted.
pub const EXEC_FILELESS: u32 = 2;
/// The process came from outside the container, and this is the first program that it runs inside.
pub const EXEC_INJECTED: u32 = 4;
/// The file was written after the image: it lies in the upper layer of an overlay.
pub const EXEC_UPPER: u32 = 8;

/// Followed by: the executable's path, the path as given, the working directory, argv (NUL-separated).
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Exec {
    pub header: Header,
    pub inode: u64,
    pub parent_pid: u32,
    /// Process id in the process's own pid namespace.
    pub vpid: u32,
    /// Device number, as `stat` encodes it in the kernel (`MKDEV`).
    pub device: u32,
    /// Bytes of argv that follow.
    pub args: u32,
    /// Bytes of argv in the process.
    pub args_total: u32,
    pub padding: u32,
    /// Resolved: what the kernel executes (for a script, its interpreter).
    pub executable: PathPart,
    /// As the caller wrote it (for a script, the script).
    pub given: PathPart,
    pub cwd: PathPart,
}

const _: () = assert!(size_of::<Exec>() == 96);
