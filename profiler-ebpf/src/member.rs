//! Which processes are a container's: those that ran a program in it, and their children.
//!
//! That a process was moved (`cgroup_attach_task`) is said a moment after it is so: until then, what it does on another
//! processor looks like the container's doing. So who is in a container without being known as its process is taken
//! for one on its way in, for as long as that word may take. After that it is the container's all the same: what was
//! missed of its origin must hide nothing for good.

use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_boot_ns},
    macros::map,
    maps::{HashMap, LruHashMap},
};
use profiler_common::event::Kind;

use crate::{kernel::EVERY_CGROUP, owner::Owner};

/// Nanoseconds that a move and the word of it may lie apart: they are within one system call.
const PATIENCE: u64 = 2_000_000_000;

/// Process id → its container. Tracked containers' only, from the first program or fork on to the end.
#[map]
static MEMBERS: HashMap<u32, u64> = HashMap::with_max_entries(65_536, 0);

/// Process id → where and since when it was met without being known.
#[map]
static UNKNOWN: LruHashMap<u32, Unknown> = LruHashMap::with_max_entries(4_096, 0);

#[derive(Clone, Copy)]
#[repr(C)]
struct Unknown {
    container: u64,
    since: u64,
}

/// The container that a process belongs to, wherever it is by now.
#[inline(always)]
pub(crate) fn container_of(process: u32) -> Option<u64> {
    // SAFETY: values are plain integers.
    unsafe { MEMBERS.get(process) }.copied()
}

/// Whether the current process, which is in this container, belongs to it. Where one cgroup alone is watched, whoever is put
/// there does.
#[inline(always)]
pub(crate) fn is_of(owner: &impl Owner) -> bool {
    if EVERY_CGROUP.load() == 0 || container_of(current()) == Some(owner.id()) {
        return true;
    }
    // SAFETY: the helper has no preconditions.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    // SAFETY: values are plain integers.
    let since = match unsafe { UNKNOWN.get(current()) } {
        Some(met) if met.container == owner.id() => met.since,
        _ => now,
    };
    if now - since > PATIENCE {
        remember(current(), owner);
        return true;
    }
    let met = Unknown { container: owner.id(), since };
    UNKNOWN.insert(current(), met, 0).is_err()
}

/// It is known by now where this process comes from.
#[inline(always)]
pub(crate) fn identified(process: u32) {
    let _was_never_met = UNKNOWN.remove(process);
}

#[inline(always)]
pub(crate) fn remember(process: u32, owner: &impl Owner) {
    if MEMBERS.insert(process, owner.id(), 0).is_err() {
        owner.count_lost(Kind::Escape);
    }
}

/// The current process ends.
#[inline(always)]
pub(crate) fn ended() {
    let _was_none = MEMBERS.remove(current());
}

/// The current process id.
#[inline(always)]
pub(crate) fn current() -> u32 {
    (bpf_get_current_pid_tgid() >> 32) as u32
}
