//! What tells one file from another: its inode.

use crate::kernel::{load, offset, read};

/// A file's identity, and whether it still has a name.
#[derive(Clone, Copy)]
pub(crate) struct Inode {
    pub(crate) number: u64,
    /// Counted up where a filesystem gives a number to another file; not all do.
    pub(crate) generation: u32,
    /// The number of its filesystem's device.
    pub(crate) device: u32,
    /// Made without a name (`O_TMPFILE`, a memfd), or deleted.
    pub(crate) unnamed: bool,
}

impl Inode {
    /// Of a file that could not be looked at.
    pub(crate) const UNKNOWN: Self = Self { number: 0, generation: 0, device: 0, unnamed: false };

    /// # Safety
    /// `inode` must be a BTF-typed pointer.
    #[inline(always)]
    pub(crate) unsafe fn load(inode: *const u8) -> Self {
        // SAFETY: the caller's promise; its superblock is loaded from it.
        unsafe {
            let superblock = load::<*const u8>(inode, &offset::INODE_SB);
            Self {
                number: load(inode, &offset::INODE_INO),
                generation: load(inode, &offset::INODE_GENERATION),
                device: load(superblock, &offset::SB_DEV),
                unnamed: load::<u32>(inode, &offset::INODE_NLINK) == 0,
            }
        }
    }

    /// Through any kernel pointer.
    #[inline(always)]
    pub(crate) fn read(inode: *const u8) -> Self {
        Self {
            number: read(inode, &offset::INODE_INO).unwrap_or(0),
            generation: read(inode, &offset::INODE_GENERATION).unwrap_or(0),
            device: read::<*const u8>(inode, &offset::INODE_SB)
                .and_then(|superblock| read(superblock, &offset::SB_DEV))
                .unwrap_or(0),
            unnamed: read::<u32>(inode, &offset::INODE_NLINK) == Some(0),
        }
    }
}
