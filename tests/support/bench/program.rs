//! The smallest program.

/// A program that ends at once, as a whole ELF file: its interpreter's and its runtime's start would hide what is
/// measured. Header, one loaded segment, then `mov edi, 0; mov eax, 60; syscall`.
#[cfg(target_arch = "x86_64")]
pub(crate) const PROGRAM: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0\
\x78\0\x40\0\0\0\0\0\x40\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x40\0\x38\0\x01\0\0\0\0\0\0\0\
\x01\0\0\0\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\0\x40\0\0\0\0\0\
\x84\0\0\0\0\0\0\0\x84\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\
\xbf\0\0\0\0\xb8\x3c\0\0\0\x0f\x05";

const _: () = assert!(PROGRAM.len() == 0x84, "as long as its header says");
