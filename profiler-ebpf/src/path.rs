//! A path without `d_path`: the names that a walk from the dentry up to the container's root meets, mounts crossed.
//!
//! Up to the container's root and not the task's, which a chroot moves: a file must not change its name by that. What `prepend_path` in the kernel's `fs/d_path.c` does, but leaf first and without its locks: a rename during the
//! walk can mix old and new names, as it can between any two system calls.

use aya_ebpf::helpers::bpf_get_current_task_btf;
use profiler_common::event::{COMPONENTS_MAX, PathForm, PathPart};

use crate::{
    kernel::{at, load, offset, read, same},
    owner::Owner,
    record::{Record, Walk},
};

/// A `struct path`'s two pointers.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    mount: *const u8,
    dentry: *const u8,
}

impl Place {
    /// Reads a `struct path` at `base` + `offset`.
    #[inline(always)]
    pub(crate) fn at(base: *const u8, offset: &aya_ebpf::Global<u32>) -> Option<Self> {
        let path = at::<u8>(base, offset);
        Some(Self {
            mount: read(path, &offset::PATH_MNT)?,
            dentry: read(path, &offset::PATH_DENTRY)?,
        })
    }

    /// What the kernel passes as a `struct path`.
    ///
    /// # Safety
    /// `path` must be a BTF-typed pointer.
    #[inline(always)]
    pub(crate) unsafe fn of(path: *const u8) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            Self { mount: load(path, &offset::PATH_MNT), dentry: load(path, &offset::PATH_DENTRY) }
        }
    }

    /// A place whose addresses were kept.
    #[inline(always)]
    pub(crate) fn from_addresses(mount: u64, dentry: u64) -> Self {
        Self { mount: mount as *const u8, dentry: dentry as *const u8 }
    }

    /// The current task's root directory.
    #[inline(always)]
    pub(crate) fn task_root() -> Self {
        let root = at::<u8>(Self::fs(), &offset::FS_ROOT);
        // SAFETY: embedded in a BTF-typed structure.
        unsafe {
            Self { mount: load(root, &offset::PATH_MNT), dentry: load(root, &offset::PATH_DENTRY) }
        }
    }

    /// Whether it has these two addresses.
    #[inline(always)]
    pub(crate) fn is(self, (mount, dentry): (u64, u64)) -> bool {
        same(self.mount as u64, mount) && same(self.dentry as u64, dentry)
    }

    /// The two addresses, to be kept.
    #[inline(always)]
    pub(crate) fn addresses(self) -> (u64, u64) {
        (self.mount as u64, self.dentry as u64)
    }

    /// The same, read: the verifier then sees no other type than in what else was read.
    #[inline(always)]
    pub(crate) fn root() -> Option<Self> {
        Self::at(Self::fs(), &offset::FS_ROOT)
    }

    /// The current task's working directory. None where the kernel may not be read.
    #[inline(always)]
    pub(crate) fn cwd() -> Option<Self> {
        Self::at(Self::fs(), &offset::FS_PWD)
    }

    /// The same, loaded.
    #[inline(always)]
    pub(crate) fn task_cwd() -> Self {
        // SAFETY: embedded in a BTF-typed structure.
        unsafe { Self::of(at(Self::fs(), &offset::FS_PWD)) }
    }

    #[inline(always)]
    fn fs() -> *const u8 {
        // SAFETY: the helper returns a BTF-typed pointer.
        unsafe {
            let task = bpf_get_current_task_btf().cast::<u8>().cast_const();
            load::<*const u8>(task, &offset::TASK_FS)
        }
    }
}

/// Appends the names from `place` up to the container's root.
#[inline(always)]
pub(crate) fn push<T>(
    record: &mut Record<T>,
    owner: &impl Owner,
    place: Option<Place>,
) -> PathPart {
    let before = record.len();
    let (root_mount, root_dentry) = owner.root();
    // By way of memory: what is loaded from there is alike to the verifier wherever it came from, so that it follows the
    // walk once and not once for each way to get here.
    let (mount, dentry) = place.map_or((0, 0), Place::addresses);
    record.set_walk(Walk { mount, dentry, to_same_root: 0 });
    let form = walk(record, root_mount, root_dentry).unwrap_or(PathForm::NamesCut);
    PathPart { len: (record.len() - before) as u32, form: form as u32 }
}

/// The same from a place that was loaded. As long as it stays in one mount, the way up is loaded as well, which costs a
/// fraction of reading.
///
/// # Safety
/// `place` must be of BTF-typed pointers.
#[inline(always)]
pub(crate) unsafe fn push_loaded<T>(
    record: &mut Record<T>,
    owner: &impl Owner,
    place: Place,
) -> PathPart {
    let before = record.len();
    // SAFETY: the caller's promise.
    let form = unsafe { walk_loaded(record, owner.root(), place) };
    let form = form.unwrap_or(PathForm::NamesCut);
    PathPart { len: (record.len() - before) as u32, form: form as u32 }
}

/// # Safety
/// `place` must be of BTF-typed pointers.
#[inline(always)]
unsafe fn walk_loaded<T>(
    record: &mut Record<T>,
    (root_mount, root_dentry): (u64, u64),
    place: Place,
) -> Option<PathForm> {
    let Place { mount, mut dentry } = place;
    let root = if same(mount as u64, root_mount) { root_dentry } else { 0 };
    // SAFETY: the caller's promise; what is loaded through BTF-typed pointers is BTF-typed.
    unsafe {
        let top = load::<*const u8>(mount, &offset::VFSMOUNT_ROOT);
        for _ in 0..COMPONENTS_MAX {
            if same(dentry as u64, root) {
                return Some(PathForm::Names);
            }
            if same(dentry as u64, top as u64) {
                break;
            }
            record.push_name(load(dentry, &offset::DENTRY_NAME))?;
            let parent = load::<*const u8>(dentry, &offset::DENTRY_PARENT);
            if same(parent as u64, dentry as u64) {
                return Some(PathForm::Unrooted);
            }
            dentry = parent;
        }
    }
    record.set_walk(Walk { mount: mount as u64, dentry: dentry as u64, to_same_root: 0 });
    walk(record, root_mount, root_dentry)
}

#[inline(always)]
fn walk<T>(record: &mut Record<T>, root_mount: u64, root_dentry: u64) -> Option<PathForm> {
    let Walk { mount, dentry, .. } = record.walk();
    let (mut vfsmount, mut dentry) = (mount as *const u8, dentry as *const u8);
    let mut top = read::<*const u8>(vfsmount, &offset::VFSMOUNT_ROOT)?;
    for _ in 0..COMPONENTS_MAX {
        if dentry as u64 == root_dentry && vfsmount as u64 == root_mount {
            return Some(PathForm::Names);
        }
        if dentry == top {
            if dentry as u64 == root_dentry {
                record.set_to_same_root(record.len());
            }
            // `struct mount` embeds the vfsmount that paths point to.
            let mount = vfsmount.wrapping_sub(offset::MOUNT_MNT.load() as usize);
            let parent = read::<*const u8>(mount, &offset::MOUNT_PARENT)?;
            if parent == mount {
                // Another mount namespace has a copy of the root's mount, mostly not at its very bottom; what hangs
                // in the air has none.
                let to_same_root = record.walk().to_same_root;
                if to_same_root == 0 {
                    return Some(PathForm::Detached);
                }
                record.cut(to_same_root);
                return Some(PathForm::Names);
            }
            dentry = read(mount, &offset::MOUNT_MOUNTPOINT)?;
            vfsmount = at(parent, &offset::MOUNT_MNT);
            top = read(vfsmount, &offset::VFSMOUNT_ROOT)?;
            continue;
        }
        let name = read::<*const u8>(dentry, &offset::DENTRY_NAME)?;
        record.push_name(name)?;
        let parent = read::<*const u8>(dentry, &offset::DENTRY_PARENT)?;
        if parent == dentry {
            return Some(PathForm::Unrooted);
        }
        dentry = parent;
    }
    Some(PathForm::NamesCut)
}
