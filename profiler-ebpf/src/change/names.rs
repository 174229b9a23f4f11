//! Names made, moved and removed.
//!
//! `security_path_*` alone knows the mount, and that an operation is asked for by a task and not by overlay on the layer below.
//! Whether it succeeded is known when `vfs_*` returns. What the first saw waits, by thread, for the second.

use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, generated::bpf_probe_read_kernel_str},
    macros::{fentry, fexit, map},
    maps::{Array, LruHashMap},
    programs::{FEntryContext, FExitContext},
};
use profiler_common::event::{Change, Kind, NAME_MAX, Operation, PathPart};

use super::{Parts, of_one, submit};
use crate::{
    container::Container,
    kernel::{load, offset, read},
    path::{self, Place},
    record::{Record, ScratchMap},
};

/// What a thread is about to do; it waits within the operation, so there is one at a time. One that failed before it
/// came to `vfs_*` is left until the thread's next.
#[map]
static PENDING: LruHashMap<u64, Pending> = LruHashMap::with_max_entries(8_192, 0);
/// All zeros: too large for the stack.
#[map]
static NEW_PENDING: Array<Pending> = Array::with_max_entries(1, 0);

#[map]
static UNLINK_SCRATCH: ScratchMap = ScratchMap::with_max_entries(1, 0);
#[map]
static RMDIR_SCRATCH: ScratchMap = ScratchMap::with_max_entries(1, 0);
#[map]
static RENAME_SCRATCH: ScratchMap = ScratchMap::with_max_entries(1, 0);
#[map]
static LINK_SCRATCH: ScratchMap = ScratchMap::with_max_entries(1, 0);
#[map]
static SYMLINK_SCRATCH: ScratchMap = ScratchMap::with_max_entries(1, 0);

#[repr(C)]
struct Pending {
    mount: u64,
    /// By which the operation is known again: the name that goes, moves or comes.
    dentry: u64,
    /// Of a rename: the directory that the file moves away from, and its name there.
    directory: u64,
    name: [u8; NAME_MAX],
}

/// `int security_path_unlink(const struct path *dir, struct dentry *dentry)`
#[fentry(function = "security_path_unlink")]
pub(crate) fn unlink_begins(ctx: FEntryContext) -> i32 {
    begins(ctx.arg(0), ctx.arg(1), false)
}

/// `int security_path_rmdir(const struct path *dir, struct dentry *dentry)`
#[fentry(function = "security_path_rmdir")]
pub(crate) fn rmdir_begins(ctx: FEntryContext) -> i32 {
    begins(ctx.arg(0), ctx.arg(1), false)
}

/// `int security_path_rename(const struct path *old_dir, struct dentry *old_dentry, const struct path *new_dir,
/// struct dentry *new_dentry, unsigned int flags)`
#[fentry(function = "security_path_rename")]
pub(crate) fn rename_begins(ctx: FEntryContext) -> i32 {
    begins(ctx.arg(0), ctx.arg(1), true)
}

/// `int security_path_link(struct dentry *old_dentry, const struct path *new_dir, struct dentry *new_dentry)`
#[fentry(function = "security_path_link")]
pub(crate) fn link_begins(ctx: FEntryContext) -> i32 {
    begins(ctx.arg(1), ctx.arg(2), false)
}

/// `int security_path_symlink(const struct path *dir, struct dentry *dentry, const char *old_name)`
#[fentry(function = "security_path_symlink")]
pub(crate) fn symlink_begins(ctx: FEntryContext) -> i32 {
    begins(ctx.arg(0), ctx.arg(1), false)
}

#[inline(always)]
fn begins(directory: *const u8, dentry: *const u8, keep_name: bool) -> i32 {
    if let Some(container) = Container::current_started()
        && keep(directory, dentry, keep_name).is_none()
    {
        container.count_lost(Kind::Change);
    }
    0
}

#[inline(always)]
fn keep(directory: *const u8, dentry: *const u8, keep_name: bool) -> Option<()> {
    let thread = bpf_get_current_pid_tgid();
    PENDING.insert(thread, NEW_PENDING.get(0)?, 0).ok()?;
    let pending = PENDING.get_ptr_mut(thread)?;
    // SAFETY: `directory` is a hook's argument; `pending` points to a map value that this thread alone writes.
    unsafe {
        let (mount, parent) = Place::of(directory).addresses();
        (&raw mut (*pending).mount).write(mount);
        (&raw mut (*pending).dentry).write(dentry as u64);
        (&raw mut (*pending).directory).write(parent);
        if keep_name {
            let name = read::<*const u8>(dentry, &offset::DENTRY_NAME)?;
            let kept = (&raw mut (*pending).name).cast();
            if bpf_probe_read_kernel_str(kept, NAME_MAX as u32, name.cast()) < 0 {
                return None;
            }
        }
    }
    Some(())
}

/// `int vfs_unlink(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry, struct inode **delegated_inode)`
#[fexit(function = "vfs_unlink")]
pub(crate) fn unlink_done(ctx: FExitContext) -> i32 {
    if let Some(done) = Done::find(&ctx, ctx.arg(2)) {
        done.report(deleted(&done, &UNLINK_SCRATCH));
    }
    0
}

/// `int vfs_rmdir(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry)`
#[fexit(function = "vfs_rmdir")]
pub(crate) fn rmdir_done(ctx: FExitContext) -> i32 {
    if let Some(done) = Done::find(&ctx, ctx.arg(2)) {
        done.report(deleted(&done, &RMDIR_SCRATCH));
    }
    0
}

/// `int vfs_rename(struct renamedata *rd)`
#[fexit(function = "vfs_rename")]
pub(crate) fn rename_done(ctx: FExitContext) -> i32 {
    // SAFETY: the hook's argument is BTF-typed.
    let dentry = unsafe { load::<*const u8>(ctx.arg(0), &offset::RENAMEDATA_OLD) };
    if let Some(done) = Done::find(&ctx, dentry) {
        done.report(renamed(&done));
    }
    0
}

/// `int vfs_link(struct dentry *old_dentry, struct mnt_idmap *idmap, struct inode *dir, struct dentry *new_dentry,
/// struct inode **delegated_inode)`
#[fexit(function = "vfs_link")]
pub(crate) fn link_done(ctx: FExitContext) -> i32 {
    if let Some(done) = Done::find(&ctx, ctx.arg(3)) {
        done.report(linked(&done, ctx.arg(0)));
    }
    0
}

/// `int vfs_symlink(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry, const char *oldname)`
#[fexit(function = "vfs_symlink")]
pub(crate) fn symlink_done(ctx: FExitContext) -> i32 {
    if let Some(done) = Done::find(&ctx, ctx.arg(2)) {
        done.report(symlinked(&done, ctx.arg(3)));
    }
    0
}

/// An operation that succeeded, and what was kept of its beginning.
struct Done {
    container: Container,
    pending: *mut Pending,
    mount: u64,
    dentry: u64,
}

impl Done {
    /// None for one that failed, that overlay does on the layer below, or that is not a container's.
    #[inline(always)]
    fn find(ctx: &FExitContext, dentry: *const u8) -> Option<Self> {
        let thread = bpf_get_current_pid_tgid();
        let pending = PENDING.get_ptr_mut(thread)?;
        // SAFETY: a map value that this thread alone writes.
        let (mount, known) = unsafe {
            ((&raw const (*pending).mount).read(), (&raw const (*pending).dentry).read())
        };
        if known != dentry as u64 || ctx.ret::<i32>() != Ok(0) {
            return None;
        }
        Some(Self { container: Container::current_started()?, pending, mount, dentry: known })
    }

    #[inline(always)]
    fn place(&self) -> Place {
        Place::from_addresses(self.mount, self.dentry)
    }

    #[inline(always)]
    fn report(&self, reported: Option<()>) {
        if reported.is_none() {
            self.container.count_lost(Kind::Change);
        }
        let _gone = PENDING.remove(bpf_get_current_pid_tgid());
    }
}

#[inline(always)]
fn deleted(done: &Done, scratch: &'static ScratchMap) -> Option<()> {
    let mut record = Record::<Change>::new(scratch)?;
    // A deleted name keeps its text and its directory as long as somebody holds it.
    let path = path::push(&mut record, &done.container, Some(done.place()));
    submit(record, &done.container, 0, of_one(Operation::Delete, 0, path));
    Some(())
}

#[inline(always)]
fn renamed(done: &Done) -> Option<()> {
    let mut record = Record::<Change>::new(&RENAME_SCRATCH)?;
    // The same dentry has moved to the new name by now.
    let path = path::push(&mut record, &done.container, Some(done.place()));
    // SAFETY: a map value that this thread alone writes.
    let (name, directory) = unsafe {
        ((&raw const (*done.pending).name).cast(), (&raw const (*done.pending).directory).read())
    };
    let name = record.push_name(name)?;
    let directory = Place::from_addresses(done.mount, directory);
    let other = path::push(&mut record, &done.container, Some(directory));
    let other = PathPart { len: name + other.len, form: other.form };
    let none = PathPart::NONE;
    let operation = Operation::Rename;
    let parts =
        Parts { operation: operation as u32, mode: 0, path, base: none, other, other_base: none };
    submit(record, &done.container, 0, parts);
    Some(())
}

#[inline(always)]
fn linked(done: &Done, existing: *const u8) -> Option<()> {
    let mut record = Record::<Change>::new(&LINK_SCRATCH)?;
    let path = path::push(&mut record, &done.container, Some(done.place()));
    // A link never leaves its mount.
    let existing = Place::from_addresses(done.mount, existing as u64);
    let other = path::push(&mut record, &done.container, Some(existing));
    let none = PathPart::NONE;
    let operation = Operation::HardLink;
    let parts =
        Parts { operation: operation as u32, mode: 0, path, base: none, other, other_base: none };
    submit(record, &done.container, 0, parts);
    Some(())
}

#[inline(always)]
fn symlinked(done: &Done, text: *const u8) -> Option<()> {
    let mut record = Record::<Change>::new(&SYMLINK_SCRATCH)?;
    let path = path::push(&mut record, &done.container, Some(done.place()));
    let other = record.push_kernel_path(text);
    let none = PathPart::NONE;
    let operation = Operation::SymbolicLink;
    let parts =
        Parts { operation: operation as u32, mode: 0, path, base: none, other, other_base: none };
    submit(record, &done.container, 0, parts);
    Some(())
}
