//! Processes that were moved out of their container's cgroups: what they and their children do is still the container's.

use aya_ebpf::{
    helpers::bpf_get_current_pid_tgid,
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
    near,
    owner::Owner,
    record::{Record, ScratchMap},
};

/// Process id → its container: where a process came from is not known any more when it was moved. Tracked containers'
/// only, from the first program or fork on to the end.
#[map]
static MEMBERS: HashMap<u32, u64> = HashMap::with_max_entries(65_536, 0);

/// Process id → the container that it left.
#[map]
static ESCAPED: HashMap<u32, u64> = HashMap::with_max_entries(4_096, 0);

#[map]
static ESCAPE_SCRATCH: ScratchMap = ScratchMap::with_max_entries(1, 0);

/// How often a process left a container: as long as it is 0, nobody looks into [`ESCAPED`].
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
    // SAFETY: values are plain integers.
    let from = *unsafe { MEMBERS.get(process) }?;
    let cgroup = id_in_unified(cgroup)?;
    if Container::of_cgroup(cgroup).is_some_and(|there| there.id == from) {
        let _was_never_away = ESCAPED.remove(process);
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
    if ESCAPED.insert(process, owner.id(), 0).is_err() {
        // What it does will not be seen: at least that is.
        owner.count_lost(Kind::Escape);
        return;
    }
    ESCAPES.add(1);
    // What was found to be in no container may be one's now.
    near::outdate();
}

/// Whether any process ever left its container.
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
    unsafe { ESCAPED.get(current()) }.copied()
}

/// The current process runs in this container.
#[inline(always)]
pub(crate) fn executed(owner: &impl Owner) {
    let process = current();
    // SAFETY: values are plain integers.
    if unsafe { MEMBERS.get(process) }.is_none_or(|known| *known != owner.id()) {
        remember(process, owner);
    }
}

/// A child of the current process: out there it is where its parent is.
#[inline(always)]
pub(crate) fn forked(owner: &impl Owner, child: u32) {
    remember(child, owner);
    if left().is_some() {
        keep(owner, child);
    }
}

/// The current process ends.
#[inline(always)]
pub(crate) fn ended() {
    let _was_none = MEMBERS.remove(current());
    if left().is_some() {
        let _gone = ESCAPED.remove(current());
    }
}

#[inline(always)]
fn remember(process: u32, owner: &impl Owner) {
    if MEMBERS.insert(process, owner.id(), 0).is_err() {
        owner.count_lost(Kind::Escape);
    }
}

#[inline(always)]
fn current() -> u32 {
    (bpf_get_current_pid_tgid() >> 32) as u32
}
