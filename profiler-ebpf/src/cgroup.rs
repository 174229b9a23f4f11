//! Cgroups come and go: containers' own, and those inside them.

use aya_ebpf::{
    helpers::bpf_get_current_task_btf,
    macros::{btf_tracepoint, map},
    maps::Array,
    programs::BtfTracePointContext,
};
use profiler_common::event::{CgroupMade, CgroupRemoved, Kind};

use crate::{
    atomic,
    container::{self, Container},
    kernel::{EVERY_CGROUP, at, load, offset},
    record::{Record, ScratchMap, submit},
};

#[map]
static CGROUP_SCRATCH: ScratchMap = ScratchMap::with_max_entries(1, 0);

/// Cgroups of which the user side was not told: no room to track them, or none in the ring buffer.
#[map]
static UNSEEN_CGROUPS: Array<u64> = Array::with_max_entries(1, 0);

/// `void cgroup_mkdir(struct cgroup *cgrp, const char *path)`: before any task can enter.
#[btf_tracepoint(function = "cgroup_mkdir")]
pub(crate) fn cgroup_mkdir(ctx: BtfTracePointContext) -> i32 {
    let _other_hierarchy = made(ctx.arg(0), ctx.arg(1));
    0
}

/// `void cgroup_rmdir(struct cgroup *cgrp, const char *path)`
#[btf_tracepoint(function = "cgroup_rmdir")]
pub(crate) fn cgroup_rmdir(ctx: BtfTracePointContext) -> i32 {
    if let Some(cgroup) = id_in_unified(ctx.arg(0))
        && let Some(container) = container::forget_child(cgroup)
        && EVERY_CGROUP.load() != 0
    {
        let header = container.header(Kind::CgroupRemoved, 0);
        submit(&container, Kind::CgroupRemoved, CgroupRemoved { header, cgroup });
    }
    0
}

#[inline(always)]
fn made(cgroup: *const u8, path: *const u8) -> Option<()> {
    let child = id_in_unified(cgroup)?;
    // `self` is embedded; its parent is another cgroup's `self`, which knows its cgroup.
    // SAFETY: BTF-typed, from the hook's argument on.
    let parent = unsafe {
        let parent = load::<*const u8>(at(cgroup, &offset::CGROUP_SELF), &offset::CSS_PARENT);
        id(load(parent, &offset::CSS_CGROUP))
    };
    container::adopt(child, parent);
    if EVERY_CGROUP.load() == 0 {
        return Some(());
    }
    let Some(container) = Container::of_cgroup(child) else {
        unseen();
        return None;
    };
    let mut record = Record::<CgroupMade>::new(&CGROUP_SCRATCH)?;
    let path = record.push_kernel_path(path);
    let header = container.header(Kind::CgroupMade, 0);
    if !record.submit(&container, Kind::CgroupMade, CgroupMade { header, cgroup: child, path }) {
        unseen();
    }
    Some(())
}

/// The user side has to look for it.
#[inline(always)]
fn unseen() {
    if let Some(count) = UNSEEN_CGROUPS.get_ptr_mut(0) {
        // SAFETY: a live map value.
        unsafe { atomic::add(count, 1) };
    }
}

/// The id, for a cgroup of the cgroup2 hierarchy: version 1 hierarchies number theirs on their own.
#[inline(always)]
pub(crate) fn id_in_unified(cgroup: *const u8) -> Option<u64> {
    // SAFETY: the hook's argument is BTF-typed.
    unsafe {
        let root = load::<*const u8>(cgroup, &offset::CGROUP_ROOT);
        let unified = load::<u32>(root, &offset::CGROUP_ROOT_HIERARCHY) == 0;
        unified.then(|| id(cgroup))
    }
}

/// The id of the current task's cgroup: loaded, which costs half of what the helper does.
#[inline(always)]
pub(crate) fn current() -> u64 {
    // SAFETY: the helper returns a BTF-typed pointer.
    unsafe { of_task(bpf_get_current_task_btf().cast::<u8>().cast_const()) }
}

/// The id of a task's cgroup.
///
/// # Safety
/// `task` must be a BTF-typed pointer.
#[inline(always)]
pub(crate) unsafe fn of_task(task: *const u8) -> u64 {
    // SAFETY: the caller's promise.
    unsafe {
        let set = load::<*const u8>(task, &offset::TASK_CGROUPS);
        id(load(set, &offset::CSS_SET_CGROUP))
    }
}

/// A cgroup's id.
///
/// # Safety
/// `cgroup` must be a BTF-typed pointer.
#[inline(always)]
pub(crate) unsafe fn id(cgroup: *const u8) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { load(load::<*const u8>(cgroup, &offset::CGROUP_KN), &offset::KN_ID) }
}
