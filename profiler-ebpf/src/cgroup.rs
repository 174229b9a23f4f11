//! Cgroups inside a container come and go with it.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{
    container,
    kernel::{load, offset, read},
};

/// `void cgroup_mkdir(struct cgroup *cgrp, const char *path)`: before any task can enter.
#[btf_tracepoint(function = "cgroup_mkdir")]
pub(crate) fn cgroup_mkdir(ctx: BtfTracePointContext) -> i32 {
    let cgroup: *const u8 = ctx.arg(0);
    let _other_hierarchy = adopt(cgroup);
    0
}

/// `void cgroup_rmdir(struct cgroup *cgrp, const char *path)`
#[btf_tracepoint(function = "cgroup_rmdir")]
pub(crate) fn cgroup_rmdir(ctx: BtfTracePointContext) -> i32 {
    if let Some(id) = id_in_unified(ctx.arg(0)) {
        container::forget_child(id);
    }
    0
}

#[inline(always)]
fn adopt(cgroup: *const u8) -> Option<()> {
    let child = id_in_unified(cgroup)?;
    // `self` is embedded; its parent is another cgroup's `self`, which knows its cgroup.
    let parent = read::<*const u8>(
        cgroup.wrapping_add(offset::CGROUP_SELF.load() as usize),
        &offset::CSS_PARENT,
    )?;
    let parent = read::<*const u8>(parent, &offset::CSS_CGROUP)?;
    container::adopt(child, id(parent)?);
    Some(())
}

/// The id, for a cgroup of the cgroup2 hierarchy: version 1 hierarchies number theirs on their own.
#[inline(always)]
fn id_in_unified(cgroup: *const u8) -> Option<u64> {
    // SAFETY: the hook's argument is BTF-typed.
    let root = unsafe { load::<*const u8>(cgroup, &offset::CGROUP_ROOT) };
    if read::<u32>(root, &offset::CGROUP_ROOT_HIERARCHY)? != 0 {
        return None;
    }
    id(cgroup)
}

#[inline(always)]
fn id(cgroup: *const u8) -> Option<u64> {
    read(read::<*const u8>(cgroup, &offset::CGROUP_KN)?, &offset::KN_ID)
}
