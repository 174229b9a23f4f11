//! A system call that the container had not made before.

use super::Header;

/// Refused by a seccomp filter.
pub const SYSCALL_DENIED: u32 = 1;
/// Through another ABI; the number is that ABI's.
pub const SYSCALL_FOREIGN: u32 = 2;

#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Syscall {
    pub header: Header,
    pub number: u64,
    /// As the program saw it: negative for an error.
    pub result: i64,
}

const _: () = assert!(size_of::<Syscall>() == 56);
