//! Processes that were moved out of their container's cgroups: what they and their children do is still the container's.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    macros::{btf_tracepoint, map},
    maps::HashMap,
    programs::BtfTracePointContext,
};
use profiler_common::event::{Escape, Kind};

use crate::{
    atomic::Counter,
    cgroup::id_in_unified,
    container::Container,
    kernel::{load, offset},
    member, near,
    owner::Owner,
    record::{Record, ScratchMap},
};

/// Process id → the container that it left.
#[map]
static ESCAPED: HashMap<u32, u64> = HashMap::with_max_entries(4_096, 0);

#[map]
static ESCAPE_SCRATCH: ScratchMap = ScratchMap::with_max_entries(1, 0);

/// How many are in [`ESCAPED`]: while there are none, nobody looks.
static ESCAPES: Counter = Counter::new();

/// `void cgroup_attach_task(struct cgroup *dst_cgrp, const char *path, struct task_struct *task, bool threadgroup)`: it is
/// there by now.
#[btf_tracepoint(function = "cgroup_attach_task")]
pub(crate) fn cgroup_leave(ctx: BtfTracePointContext) -> i32 {
    let _stays = moved(ctx.arg(0), ctx.arg(1), ctx.arg(2));
    0
}

#[inline(always)]
fn moved(cgroup: *const u8, path: *const u8, task: *const u8) -> Option<()> {
    // SAFETY: the hook's argument is BTF-typed.
    let process = unsafe { load::<u32>(task, &offset::TASK_TGID) };
    // Where it came from is not known any more.
    let from = member::container_of(process)?;
    let cgroup = id_in_unified(cgroup)?;
    if Container::of_cgroup(cgroup).is_some_and(|there| there.id == from) {
        forget(process);
        return None;
    }
    let container = Container::of_id(from)?;
    keep(&container, process);
    let mut record = Record::<Escape>::new(&ESCAPE_SCRATCH)?;
    let path = record.push_kernel_path(path);
    let mut header = container.header(Kind::Escape, 0);
    // Not the one who moved it.
    (header.pid, header.tid) = (process, process);
    record.submit(&container, Kind::Escape, Escape { header, cgroup, path });
    Some(())
}

#[inline(always)]
fn keep(owner: &impl Owner, process: u32) {
    if ESCAPED.insert(process, owner.id(), u64::from(BPF_NOEXIST)).is_ok() {
        ESCAPES.add(1);
        // What was found to be in no container may be one's now.
        near::outdate();
    } else if ESCAPED.insert(process, owner.id(), 0).is_err() {
        // What it does will not be seen: at least that is.
        owner.count_lost(Kind::Escape);
    }
}

#[inline(always)]
fn forget(process: u32) {
    if ESCAPED.remove(process).is_ok() {
        // The two's complement subtracts.
        ESCAPES.add(-1_i64 as u64);
        near::outdate();
    }
}

/// Whether any process is out of its container.
#[inline(always)]
pub(crate) fn anybody_left() -> bool {
    ESCAPES.get() != 0
}

/// The container that the current task left.
#[inline(always)]
pub(crate) fn left() -> Option<u64> {
    if !anybody_left() {
        return None;
    }
    // SAFETY: values are plain integers.
    unsafe { ESCAPED.get(member::current()) }.copied()
}

/// The current process runs in this container.
#[inline(always)]
pub(crate) fn executed(owner: &impl Owner) {
    let process = member::current();
    if member::container_of(process) != Some(owner.id()) {
        member::remember(process, owner);
    }
}

/// A child of the current process: out there it is where its parent is.
#[inline(always)]
pub(crate) fn forked(owner: &impl Owner, child: u32) {
    member::remember(child, owner);
    if left().is_some() {
        keep(owner, child);
    }
}

/// The current process ends.
#[inline(always)]
pub(crate) fn ended() {
    member::ended();
    if left().is_some() {
        forget(member::current());
    }
}
