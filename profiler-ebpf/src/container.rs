//! Which container the current task belongs to, and what is kept for it.

use aya_ebpf::{
    helpers::bpf_get_current_cgroup_id,
    macros::map,
    maps::{Array, HashMap},
};
use profiler_common::{
    container::{ContainerState, ENTERED, STARTED},
    event::{Header, Kind},
};

use crate::{atomic, escape, join, kernel::EVERY_CGROUP, member, near, owner::Owner, path::Place};

/// Cgroup id → container id (the id of its outermost cgroup). Ids are never reused while the machine is up.
#[map]
static CGROUPS: HashMap<u64, u64> = HashMap::with_max_entries(16_384, 0);

/// Container id → state. The user side makes and removes entries.
#[map]
static CONTAINERS: HashMap<u64, ContainerState> = HashMap::with_max_entries(4_096, 0);

/// [`ContainerState::NEW`], which is all zeros: too large for the stack.
#[map]
static NEW_CONTAINER: Array<ContainerState> = Array::with_max_entries(1, 0);

/// A tracked container.
#[derive(Clone, Copy)]
pub(crate) struct Container {
    pub(crate) id: u64,
    pub(crate) state: *mut ContainerState,
}

impl Container {
    /// The container that this cgroup belongs to.
    #[inline(always)]
    pub(crate) fn of_cgroup(cgroup: u64) -> Option<Self> {
        // SAFETY: values are plain integers, written once.
        Self::of_id(*unsafe { CGROUPS.get(cgroup) }?)
    }

    /// The container with this id, if it is tracked.
    #[inline(always)]
    pub(crate) fn of_id(id: u64) -> Option<Self> {
        Some(Self { id, state: CONTAINERS.get_ptr_mut(id)? })
    }

    /// The current task's container, whether or not its entrypoint runs yet.
    #[inline(always)]
    pub(crate) fn current() -> Option<Self> {
        if let Some(left) = escape::left().and_then(Self::of_id) {
            return Some(left);
        }
        // SAFETY: the helper has no preconditions.
        Self::of_cgroup(unsafe { bpf_get_current_cgroup_id() })
    }

    /// The current task's container once its entrypoint runs: what its launcher does inside the cgroup is not its own,
    /// nor what a process from outside does there before it runs a program.
    #[inline(always)]
    pub(crate) fn current_started() -> Option<Self> {
        let container = Self::current().filter(Self::started)?;
        if join::is_joining(&container) || !member::is_of(&container) {
            return None;
        }
        container.ensure_root();
        Some(container)
    }

    #[inline(always)]
    pub(crate) fn started(&self) -> bool {
        // SAFETY: `state` points into a map value that outlives the program's run.
        unsafe { core::ptr::read_volatile(&raw const (*self.state).started) != 0 }
    }

    /// Whether all its processes run programs of its own, so that where one is says what it is.
    #[inline(always)]
    pub(crate) fn is_simple(&self) -> bool {
        self.started() && self.joining() == 0 && self.root().1 != 0
    }

    /// Marks the first exec and keeps its root directory; true the first time.
    #[inline(always)]
    pub(crate) fn start(&self) -> bool {
        if self.started() {
            return false;
        }
        self.keep_root();
        self.set_started(STARTED);
        true
    }

    /// The same for the exec of who came first, as the runtime's own process does: true the first time, also where a program from
    /// outside was faster.
    #[inline(always)]
    pub(crate) fn enter(&self) -> bool {
        self.start();
        // SAFETY: as in `started`.
        if unsafe { core::ptr::read_volatile(&raw const (*self.state).started) } == ENTERED {
            return false;
        }
        self.set_started(ENTERED);
        true
    }

    #[inline(always)]
    fn set_started(&self, value: u64) {
        // SAFETY: as in `started`. Two first execs at once would both be marked first; a container has one entrypoint.
        unsafe { core::ptr::write_volatile(&raw mut (*self.state).started, value) };
        near::outdate();
    }

    #[inline(always)]
    fn keep_root(&self) {
        let (mount, dentry) = Place::task_root().addresses();
        // SAFETY: as in `started`.
        unsafe {
            core::ptr::write_volatile(&raw mut (*self.state).root_mount, mount);
            core::ptr::write_volatile(&raw mut (*self.state).root_dentry, dentry);
        }
    }

    /// Processes that joined and have run no program yet.
    #[inline(always)]
    pub(crate) fn joining(&self) -> u64 {
        // SAFETY: as in `started`.
        unsafe { core::ptr::read_volatile(&raw const (*self.state).joining) }
    }

    /// Adds to [`Self::joining`]; the two's complement subtracts.
    #[inline(always)]
    pub(crate) fn add_joining(&self, amount: i64) {
        // SAFETY: a word of a live map value.
        unsafe { atomic::add(&raw mut (*self.state).joining, amount as u64) };
        near::outdate();
    }

    /// The root directory of a container that ran before it was tracked is that of the first task that is met.
    #[inline(always)]
    pub(crate) fn ensure_root(&self) {
        // SAFETY: as in `started`.
        if unsafe { core::ptr::read_volatile(&raw const (*self.state).root_dentry) } == 0 {
            self.keep_root();
            near::outdate();
        }
    }

    /// A socket began to listen.
    #[inline(always)]
    pub(crate) fn count_listen(&self) {
        // SAFETY: a word of a live map value.
        unsafe { atomic::add(&raw mut (*self.state).listens, 1) };
        near::outdate();
    }

    #[inline(always)]
    pub(crate) fn listens(&self) -> u64 {
        // SAFETY: as in `started`.
        unsafe { core::ptr::read_volatile(&raw const (*self.state).listens) }
    }

    /// The root directory that paths are told from: its mount's and its dentry's address.
    #[inline(always)]
    pub(crate) fn root(&self) -> (u64, u64) {
        // SAFETY: as in `started`.
        unsafe {
            (
                core::ptr::read_volatile(&raw const (*self.state).root_mount),
                core::ptr::read_volatile(&raw const (*self.state).root_dentry),
            )
        }
    }

    /// A record's header for the current task.
    #[inline(always)]
    pub(crate) fn header(&self, kind: Kind, flags: u32) -> Header {
        Owner::header(self, kind, flags)
    }

    /// Counts an event that found the ring buffer full.
    #[inline(always)]
    pub(crate) fn count_lost(&self, kind: Kind) {
        // SAFETY: a word of a live map value.
        unsafe { atomic::add(&raw mut (*self.state).lost[kind as usize], 1) };
    }
}

/// A new cgroup belongs to its parent's container. Where every cgroup may be a container's, one whose parent is in none
/// that runs is tracked as its own until the user side knows better.
#[inline(always)]
pub(crate) fn adopt(child: u64, parent: u64) {
    if let Some(container) = Container::of_cgroup(parent)
        && (EVERY_CGROUP.load() == 0 || container.started())
    {
        if CGROUPS.insert(child, container.id, 0).is_err() {
            // What runs in there will not be seen: at least that is.
            container.count_lost(Kind::Exec);
        }
    } else if EVERY_CGROUP.load() != 0 {
        let _no_room = begin(child);
    }
}

#[inline(always)]
fn begin(cgroup: u64) -> Option<()> {
    CONTAINERS.insert(cgroup, NEW_CONTAINER.get(0)?, 0).ok()?;
    if CGROUPS.insert(cgroup, cgroup, 0).is_err() {
        let _gone = CONTAINERS.remove(cgroup);
    }
    Some(())
}

/// Forgets a removed child cgroup. A container's own is returned: the user side forgets it when it has read its state.
#[inline(always)]
pub(crate) fn forget_child(cgroup: u64) -> Option<Container> {
    // SAFETY: values are plain integers, written once.
    let container = *unsafe { CGROUPS.get(cgroup) }?;
    if container == cgroup {
        return Container::of_cgroup(cgroup);
    }
    let _gone = CGROUPS.remove(cgroup);
    None
}
