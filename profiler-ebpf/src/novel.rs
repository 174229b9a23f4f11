//! What an executable of a container did before, of behaviours that repeat with every connection: it need not cross again.
//!
//! An entry that was evicted lets a behaviour cross once more; none ever hides another one, because the whole key is kept.

use aya_ebpf::{helpers::bpf_get_current_task_btf, macros::map, maps::LruHashMap};

use crate::{
    container::Container,
    kernel::{load, offset},
};

#[map]
static REPORTED: LruHashMap<Novelty, u8> = LruHashMap::with_max_entries(16_384, 0);

/// Who did what.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Novelty {
    container: u64,
    inode: u64,
    device: u32,
    generation: u32,
    /// Of the behaviour.
    kind: u64,
    object: u64,
}

impl Novelty {
    /// Some where the current task's executable has not done this in this container.
    #[inline(always)]
    pub(crate) fn of(container: &Container, kind: u64, object: u64) -> Option<Self> {
        // SAFETY: BTF-typed pointers all the way; a missing one reads as zeros.
        let (inode, generation, device) = unsafe {
            let task = bpf_get_current_task_btf().cast::<u8>().cast_const();
            let mm = load::<*const u8>(task, &offset::TASK_MM);
            let file = load::<*const u8>(mm, &offset::MM_EXE_FILE);
            let inode = load::<*const u8>(file, &offset::FILE_INODE);
            let superblock = load::<*const u8>(inode, &offset::INODE_SB);
            (
                load::<u64>(inode, &offset::INODE_INO),
                load::<u32>(inode, &offset::INODE_GENERATION),
                load::<u32>(superblock, &offset::SB_DEV),
            )
        };
        let novelty = Self { container: container.id, inode, device, generation, kind, object };
        // SAFETY: values are plain integers.
        unsafe { REPORTED.get(novelty) }.is_none().then_some(novelty)
    }

    /// Its record is in the ring buffer.
    #[inline(always)]
    pub(crate) fn reported(self) {
        let _repeats_at_worst = REPORTED.insert(self, 1, 0);
    }
}
