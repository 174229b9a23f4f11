//! The first-seen filter: what a container's executable did before, in the same way to the same object, does not cross
//! again.
//!
//! **Invariant:** it may repeat an event, never hide one. An entry is a 64-bit fingerprint of all that the user side judges
//! by, in a table without chains: another entry overwrites it, and then the event repeats. To hide one, two
//! fingerprints would have to be equal in all 64 bits under a seed that nobody outside knows. An entry is made only
//! after its event was submitted.
//!
//! A file's fingerprint holds the names from it up to the container's root, so a rename, a hard link, a renamed directory
//! above it and a mount elsewhere are other objects; and its device, inode number and generation, so another file under
//! the same name is one too. Names are taken by the kernel's own hash of them, which is salted with the address of the
//! directory: a directory that was forgotten meanwhile makes its files new.

mod executable;

use aya_ebpf::{Global, macros::map, maps::Array};
use profiler_common::event::{AF_INET, Endpoint};

use crate::{
    atomic::Counter,
    container::Container,
    inode::Inode,
    kernel::{at, load, load_at, offset, read, same},
    owner::Owner,
};

use self::executable::executable;
pub(crate) use self::executable::executed;

/// Random, and odd in the second: chosen by the user side at each start.
#[unsafe(no_mangle)]
pub(crate) static SEED: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
pub(crate) static FACTOR: Global<u64> = Global::new(0x9e37_79b9_7f4a_7c15);

/// log2 of the number of fingerprints: 2 MiB.
const BITS: u32 = 18;
#[map]
static SEEN: Array<u64> = Array::with_max_entries(1 << BITS, 0);

/// Names that a fingerprint may hold below one mount and again above: the file's and those of its directories. What
/// lies deeper always crosses.
const NAMES: u32 = 9;

/// Part of every fingerprint. The user side, to which the section is a map, counts it up when it wants to hear of
/// everything again.
#[unsafe(link_section = ".data.epoch")]
#[unsafe(no_mangle)]
static EPOCH: Counter = Counter::new();

#[inline(always)]
pub(crate) fn epoch() -> u64 {
    EPOCH.get()
}

/// What an observation is the same by.
#[derive(Clone, Copy)]
pub(crate) struct Fingerprint(u64);

/// Which sort of behaviour, so that different ones never look alike.
#[derive(Clone, Copy)]
pub(crate) enum Class {
    Open = 1,
    Connect = 2,
    Accept = 3,
    Map = 4,
    Object = 5,
}

/// A container as fingerprints see it.
#[derive(Clone, Copy)]
pub(crate) struct Scope {
    pub(crate) container: u64,
    /// See [`Container::root`].
    pub(crate) root: (u64, u64),
}

impl Scope {
    #[inline(always)]
    pub(crate) fn of(container: &Container) -> Self {
        Self { container: container.id, root: container.root() }
    }
}

impl Fingerprint {
    /// Of something that the current task's executable does. None where that lies too deep.
    #[inline(always)]
    pub(crate) fn of_executable(owner: &impl Owner, class: Class, flags: u32) -> Option<Self> {
        // Of another executable all bits are others.
        let executable = executable(owner)?;
        Some(Self(SEED.load()).with(owner.id()).with(executable ^ sort(class, flags)))
    }

    /// Of something that belongs to no process.
    #[inline(always)]
    pub(crate) fn of_container(container: u64, class: Class, flags: u32) -> Self {
        Self(SEED.load()).with(container).with(sort(class, flags))
    }

    #[inline(always)]
    pub(crate) fn with(self, word: u64) -> Self {
        self.mixed_with(word, FACTOR.load())
    }

    #[inline(always)]
    fn mixed_with(self, word: u64, factor: u64) -> Self {
        let mixed = (self.0 ^ word).wrapping_mul(factor);
        Self(mixed ^ (mixed >> 32))
    }

    /// With what the other side may choose: mixed twice, so that no two differences cancel out.
    #[inline(always)]
    pub(crate) fn with_endpoint(self, endpoint: &Endpoint, port: u32) -> Self {
        let (words, _) = endpoint.address.as_chunks::<8>();
        let sort = u64::from(endpoint.family) << 48 | u64::from(port) << 32;
        if endpoint.family == AF_INET {
            // An address of four bytes has room beside them.
            let (address, _) = endpoint.address.as_chunks::<4>();
            return self.with(sort | u64::from(u32::from_ne_bytes(address[0]))).with(0);
        }
        self.with(sort)
            .with(u64::from_ne_bytes(words[0]))
            .with(0)
            .with(u64::from_ne_bytes(words[1]))
            .with(0)
    }

    /// With a file's identity and the names that lead to it; `file` must be BTF-typed. None for what lies too deep or in
    /// no tree of the container's.
    #[inline(always)]
    pub(crate) fn with_file(self, file: *const u8, owner: &impl Owner) -> Option<Self> {
        // SAFETY: BTF-typed pointers by the caller's promise, or loaded through such.
        unsafe {
            let path = at::<u8>(file, &offset::FILE_PATH);
            let inode = load::<*const u8>(file, &offset::FILE_INODE);
            let mount = load::<*const u8>(path, &offset::PATH_MNT);
            let dentry = load::<*const u8>(path, &offset::PATH_DENTRY);
            self.with_inode(Inode::load(inode)).with(number(mount)).with_names(
                mount,
                dentry,
                owner.root(),
            )
        }
    }

    #[inline(always)]
    fn with_inode(self, inode: Inode) -> Self {
        self.with(inode.number ^ u64::from(inode.unnamed) << 63)
            .with(u64::from(inode.device) << 32 | u64::from(inode.generation))
    }

    /// # Safety
    /// `mount` and `dentry` must be BTF-typed.
    #[inline(always)]
    unsafe fn with_names(
        mut self,
        mount: *const u8,
        mut dentry: *const u8,
        (root_mount, root_dentry): (u64, u64),
    ) -> Option<Self> {
        // In the mount of the container's root what is not below that is not the container's.
        let in_root_mount = same(mount as u64, root_mount);
        // SAFETY: the caller's promise; what is loaded through BTF-typed pointers is BTF-typed.
        unsafe {
            let top = if in_root_mount {
                root_dentry
            } else {
                load::<*const u8>(mount, &offset::VFSMOUNT_ROOT) as u64
            };
            // Each of these loads is one of a constant, and of its address: once is enough.
            let factor = FACTOR.load();
            let (hash_at, len_at) = (offset::DENTRY_HASH.load(), offset::DENTRY_LEN.load());
            let parent_at = offset::DENTRY_PARENT.load();
            let mut left = NAMES;
            while !same(dentry as u64, top) {
                // What is in no tree is its own parent, and ends here, too.
                if left == 0 {
                    return None;
                }
                left -= 1;
                // Two words of 32 bits: the verifier does not take the union as one.
                let hash = load_at::<u32>(dentry, hash_at);
                let len = load_at::<u32>(dentry, len_at);
                self = self.mixed_with(u64::from(len) << 32 | u64::from(hash), factor);
                dentry = load_at::<*const u8>(dentry, parent_at);
            }
            if in_root_mount {
                return Some(self);
            }
        }
        // Where the mount hangs, pointers have no types any more.
        let (mount, dentry) = above(mount)?;
        self.with_found_names(mount, dentry, (root_mount, root_dentry))
    }

    /// The same for a file that was found by reading: pointers have no types then, and every step costs more.
    #[inline(always)]
    pub(crate) fn with_found_file(self, file: *const u8, owner: &impl Owner) -> Option<Self> {
        let path = at::<u8>(file, &offset::FILE_PATH);
        let inode = read::<*const u8>(file, &offset::FILE_INODE)?;
        let mount = read::<*const u8>(path, &offset::PATH_MNT)?;
        let dentry = read::<*const u8>(path, &offset::PATH_DENTRY)?;
        self.with_inode(Inode::read(inode)).with(mount as u64).with_found_names(
            mount,
            dentry,
            owner.root(),
        )
    }

    #[inline(always)]
    fn with_found_names(
        mut self,
        mut mount: *const u8,
        mut dentry: *const u8,
        (root_mount, root_dentry): (u64, u64),
    ) -> Option<Self> {
        for _ in 0..=NAMES {
            if dentry as u64 == root_dentry && mount as u64 == root_mount {
                return Some(self);
            }
            if dentry == read::<*const u8>(mount, &offset::VFSMOUNT_ROOT)? {
                (mount, dentry) = above(mount)?;
                continue;
            }
            let hash = read::<u32>(dentry, &offset::DENTRY_HASH)?;
            let len = read::<u32>(dentry, &offset::DENTRY_LEN)?;
            self = self.with(u64::from(len) << 32 | u64::from(hash));
            let parent = read::<*const u8>(dentry, &offset::DENTRY_PARENT)?;
            if parent == dentry {
                return None;
            }
            dentry = parent;
        }
        None
    }

    /// Whether this was told of already, as far as is kept.
    #[inline(always)]
    pub(crate) fn is_known(self) -> bool {
        // SAFETY: a live map value.
        self.entry().is_some_and(|entry| unsafe { entry.read_volatile() } == self.0)
    }

    /// After its event was submitted.
    #[inline(always)]
    pub(crate) fn keep(self) {
        if let Some(entry) = self.entry() {
            // SAFETY: a live map value; one word, written at once.
            unsafe { entry.write_volatile(self.0) };
        }
    }

    #[inline(always)]
    fn entry(self) -> Option<*mut u64> {
        SEEN.get_ptr_mut((self.0 >> (64 - BITS)) as u32)
    }
}

/// A number for a cgroup at a time; another one's differs in all bits.
#[inline(always)]
pub(crate) fn of_place(cgroup: u64, generation: u64) -> u64 {
    Fingerprint(SEED.load()).with(cgroup).with(generation).0
}

/// The sort of behaviour as a number.
#[inline(always)]
fn sort(class: Class, flags: u32) -> u64 {
    EPOCH.get() << 40 | u64::from(flags) << 8 | class as u64
}

/// The mount and the place that this one hangs at. None for the topmost.
#[inline(always)]
fn above(vfsmount: *const u8) -> Option<(*const u8, *const u8)> {
    // `struct mount` embeds the vfsmount that paths point to.
    let mount = (vfsmount as u64).wrapping_sub(u64::from(offset::MOUNT_MNT.load())) as *const u8;
    let parent = read::<*const u8>(mount, &offset::MOUNT_PARENT)?;
    if parent == mount {
        return None;
    }
    let dentry = read::<*const u8>(mount, &offset::MOUNT_MOUNTPOINT)?;
    Some((parent.wrapping_add(offset::MOUNT_MNT.load() as usize), dentry))
}

/// A number that is the same for the same address. The verifier lets typed pointers be subtracted only; between two of
/// them that leaves a number.
#[inline(always)]
fn number(pointer: *const u8) -> u64 {
    #[cfg(target_arch = "bpf")]
    {
        let mut number = pointer;
        // SAFETY: changes the one register.
        unsafe {
            core::arch::asm!("{0} -= {1}", inout(reg) number, in(reg) &raw const SEED, options(pure, nomem));
        }
        number as u64
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        pointer as u64
    }
}
