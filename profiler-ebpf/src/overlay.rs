//! Whether a file of an overlay is the image's: the lower layers are, the upper one holds what was written since.

use crate::kernel::{load, offset, read};

/// `OVERLAYFS_SUPER_MAGIC`
const MAGIC: u64 = 0x794c_7630;

/// Whether this is an overlay's inode with a file in the upper layer.
///
/// # Safety
/// `inode` must be a BTF-typed pointer.
#[inline(always)]
pub(crate) unsafe fn is_upper(inode: *const u8) -> bool {
    // SAFETY: the caller's promise.
    let magic = unsafe {
        let superblock = load::<*const u8>(inode, &offset::INODE_SB);
        load::<u64>(superblock, &offset::SB_MAGIC)
    };
    // `struct ovl_inode`, which BTF shows only where overlay is no module, has `__upperdentry` behind `vfs_inode`.
    magic == MAGIC && read::<u64>(inode, &offset::INODE_SIZE).is_some_and(|upper| upper != 0)
}
