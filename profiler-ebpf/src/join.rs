//! Processes that come into a container from outside: its launcher, `kubectl exec`, a kubelet's probe.
//!
//! Until such a process runs a program inside, what it does (namespaces, mounts, keys: over fifty calls with runc) is the
//! runtime's doing. runc moves itself in; crun makes its child in the container's cgroup at once. A runtime may also run
//! itself again while it still is in its own mount namespace: that is no program of the container's either.

use aya_ebpf::{
    helpers::bpf_get_current_task_btf,
    macros::{btf_tracepoint, map},
    maps::LruHashMap,
    programs::BtfTracePointContext,
};

use crate::{
    cgroup,
    container::Container,
    kernel::{EVERY_CGROUP, load, offset, same},
    member::{self, current},
    path::Place,
};

/// Process id → where it comes from. An entry speaks of its own container only, so one that was left over from a
/// process of the same number hides nothing.
#[map]
static JOINING: LruHashMap<u32, Joining> = LruHashMap::with_max_entries(16_384, 0);

#[derive(Clone, Copy)]
#[repr(C)]
struct Joining {
    container: u64,
    /// The mount namespace that it came from, as an address that is only compared; 0 where the user side found it on its
    /// way, and then that of who started it stands for it.
    namespace: u64,
    /// 1 where nobody had come in before it, nor before who made it: what it will run is the entrypoint. A probe, or the command
    /// of a postStart hook, may come in right behind it and be at its exec sooner.
    came_first: u64,
}

/// What an exec makes of a process.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Origin {
    /// Born in the container.
    Inside,
    /// It has come in with this exec.
    Joined,
    /// The same, before anybody else.
    CameFirst,
    /// The runtime, which ran itself again on its way in.
    Runtime,
}

/// `void cgroup_attach_task(struct cgroup *dst_cgrp, const char *path, struct task_struct *task, bool threadgroup)`:
/// in the context of who moves it.
#[btf_tracepoint(function = "cgroup_attach_task")]
pub(crate) fn cgroup_attach(ctx: BtfTracePointContext) -> i32 {
    if EVERY_CGROUP.load() != 0 {
        let (cgroup, task): (*const u8, *const u8) = (ctx.arg(0), ctx.arg(2));
        let _not_a_container = attached(cgroup, task);
    }
    0
}

#[inline(always)]
fn attached(cgroup: *const u8, task: *const u8) -> Option<()> {
    // SAFETY: the hook's arguments are BTF-typed.
    let (id, process) = unsafe { (cgroup::id(cgroup), load::<u32>(task, &offset::TASK_TGID)) };
    let container = Container::of_cgroup(id)?;
    // What a process does to its own kind within its container is no coming in. One that moves itself is there by now:
    // it was before, too, if it has the container's root directory.
    if Container::current().is_some_and(|current| current.id == container.id)
        && (process != current() || has_root_of(&container))
    {
        return None;
    }
    // Not that of who is moved: runc enters the container's namespaces before it moves itself in for an exec.
    mark(process, &container, namespace(), comes_first(&container));
    Some(())
}

#[inline(always)]
fn comes_first(container: &Container) -> u64 {
    u64::from(!container.started() && container.joining() == 0)
}

#[inline(always)]
fn has_root_of(container: &Container) -> bool {
    container.started() && Place::task_root().is(container.root())
}

/// A child made inside by a process outside, or by one that has itself run nothing yet. Some where the child is
/// on its way in.
#[inline(always)]
pub(crate) fn forked(child: *const u8, process: u32) -> Option<()> {
    if EVERY_CGROUP.load() == 0 {
        return None;
    }
    // SAFETY: BTF-typed, from the hook's argument on.
    let cgroup = unsafe { cgroup::of_task(child) };
    let container = Container::of_cgroup(cgroup)?;
    let inside = Container::current().is_some_and(|current| current.id == container.id);
    // Not the child's: crun makes it in the container's mount namespace.
    let (namespace, came_first) = if !inside {
        (namespace(), comes_first(&container))
    } else if container.joining() != 0 {
        let parent = find(&container)?;
        (parent.namespace, parent.came_first)
    } else {
        return None;
    };
    mark(process, &container, namespace, came_first);
    Some(())
}

/// Whether the current process came into this container and has run no program there yet.
#[inline(always)]
pub(crate) fn is_joining(container: &Container) -> bool {
    container.joining() != 0 && find(container).is_some()
}

/// The current process runs a program.
#[inline(always)]
pub(crate) fn executed(container: &Container) -> Origin {
    if container.joining() != 0
        && let Some(joining) = find(container)
    {
        let is_runtime = match joining.namespace {
            0 => same(namespace(), namespace_of(parent())),
            namespace_of_origin => same(namespace(), namespace_of_origin),
        };
        if is_runtime {
            return Origin::Runtime;
        }
        forget(container);
        return if joining.came_first != 0 { Origin::CameFirst } else { Origin::Joined };
    }
    if is_on_its_way(container) { Origin::Runtime } else { Origin::Inside }
}

/// Who has no mark, because it was moved before anybody watched or the word of it has not come yet, and is no process of
/// the container's either. Its runtime still shares a mount namespace with who started it; what it is there to run does
/// not. Of a container's own process this must not be asked: it could enter such a namespace by an escape.
#[inline(always)]
fn is_on_its_way(container: &Container) -> bool {
    if EVERY_CGROUP.load() == 0 || (container.started() && member::is_of(container)) {
        return false;
    }
    let parent = parent();
    // SAFETY: BTF-typed.
    let process = unsafe { load::<u32>(parent, &offset::TASK_TGID) };
    member::container_of(process) != Some(container.id) && same(namespace(), namespace_of(parent))
}

/// Who started the current process, or has taken it on; BTF-typed.
#[inline(always)]
fn parent() -> *const u8 {
    // SAFETY: BTF-typed, from what the helper returns on.
    unsafe {
        let task = bpf_get_current_task_btf().cast::<u8>().cast_const();
        load(task, &offset::TASK_REAL_PARENT)
    }
}

/// The current process ends. True where it never ran a program inside.
#[inline(always)]
pub(crate) fn ended(container: &Container) -> bool {
    let joining = is_joining(container);
    if joining {
        forget(container);
    }
    joining
}

#[inline(always)]
fn mark(process: u32, container: &Container, namespace: u64, came_first: u64) {
    // SAFETY: values are plain integers.
    let before = unsafe { JOINING.get(process) }.filter(|known| known.container == container.id);
    let known = before.is_some();
    // One that is moved again, within the container, came when it came.
    let came_first = before.map_or(came_first, |before| before.came_first);
    let joining = Joining { container: container.id, namespace, came_first };
    if JOINING.insert(process, joining, 0).is_ok() && !known {
        container.add_joining(1);
    }
    member::identified(process);
}

#[inline(always)]
fn find(container: &Container) -> Option<Joining> {
    // SAFETY: values are plain integers.
    let joining = *unsafe { JOINING.get(current()) }?;
    (joining.container == container.id).then_some(joining)
}

#[inline(always)]
fn forget(container: &Container) {
    if JOINING.remove(current()).is_ok() {
        container.add_joining(-1);
    }
}

/// The current task's mount namespace, as an address that is only compared.
#[inline(always)]
fn namespace() -> u64 {
    // SAFETY: the helper returns the current task, BTF-typed.
    namespace_of(unsafe { bpf_get_current_task_btf() }.cast::<u8>().cast_const())
}

/// The same of any task; it must be BTF-typed. One that ends has none.
#[inline(always)]
fn namespace_of(task: *const u8) -> u64 {
    // SAFETY: BTF-typed, from the task on.
    unsafe { load(load::<*const u8>(task, &offset::TASK_NSPROXY), &offset::NSPROXY_MNT) }
}
