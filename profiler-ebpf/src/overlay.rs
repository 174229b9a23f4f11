//! Whether a file of an overlay is the image's: the lower layers are, the upper one holds what was written since.

use crate::kernel::{offset, read};

/// `OVERLAYFS_SUPER_MAGIC`
const MAGIC: u64 = 0x794c_7630;

/// Whether this is an overlay's inode with a file in the upper layer.
#[inline(always)]
pub(crate) fn is_upper(inode: *const u8) -> bool {
    let magic = read::<*const u8>(inode, &offset::INODE_SB)
        .and_then(|superblock| read::<u64>(superblock, &offset::SB_MAGIC));
    // `struct ovl_inode`, which BTF shows only where overlay is no module, has `__upperdentry` behind `vfs_inode`.
    magic == Some(MAGIC) && read::<u64>(inode, &offset::INODE_SIZE).is_some_and(|upper| upper != 0)
}
