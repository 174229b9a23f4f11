//! What the kernel side keeps per container.

use crate::event::KINDS;

/// Words in a syscall set.
pub const SET_WORDS: usize = 8;
/// The last bit of a set stands for every number beyond it.
pub const SET_OTHER: u32 = 511;
const _: () = assert!(SET_OTHER as usize == SET_WORDS * 64 - 1);

/// The system calls of one sort that a container made, by number.
///
/// **Invariant:** `called` is set whether or not the event got through; `sent` only once it did, or where the user side
/// knows the call already ([`KnownCalls`]). So a lost event is offered again at the next call and the set itself is never
/// short.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct SyscallSet {
    pub called: [u64; SET_WORDS],
    pub sent: [u64; SET_WORDS],
}

/// The native calls of a container that the user side does not want to hear of, by number: its baseline holds them.
pub type KnownCalls = [u64; SET_WORDS];

/// The state of one container, keyed by the id of its outermost cgroup.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct ContainerState {
    /// 0 until the first exec inside: what comes before it is the launcher's doing, not the container's. [`ENTERED`] once the
    /// entrypoint's exec was told, which may come after that of a program put in from outside.
    pub started: u64,
    /// The root directory at that exec, as kernel addresses that are only compared: paths are told from here, also
    /// after a chroot.
    pub root_mount: u64,
    pub root_dentry: u64,
    /// Processes inside that came from outside and have run no program yet: what they do is not the container's doing.
    pub joining: u64,
    /// How often a socket began to listen: who accepts on a port may be another one since.
    pub listens: u64,
    /// Events that may cross at once, of those whose objects may be new each time, and when that was last counted up
    /// (nanoseconds since boot).
    pub tokens: u64,
    pub refilled: u64,
    /// Events beyond that; they are counted in `lost`, too.
    pub limited: u64,
    /// Of which the three sets' `sent` speak: since it was counted up, everything is to be told again.
    pub epoch: u64,
    pub native: SyscallSet,
    /// Refused by a seccomp filter: EPERM, EACCES or ENOSYS under one, or killed by it.
    pub denied: SyscallSet,
    /// Through another ABI: i386 `int 0x80` or x32.
    pub foreign: SyscallSet,
    /// Events that found the ring buffer full, by [`crate::event::Kind`].
    pub lost: [u64; KINDS],
}

const _: () = assert!(size_of::<ContainerState>() == 72 + 3 * 128 + KINDS * 8);

/// Of [`ContainerState::started`]: a program runs inside.
pub const STARTED: u64 = 1;

/// The same, and the entrypoint's exec was told.
pub const ENTERED: u64 = 2;

impl SyscallSet {
    pub const EMPTY: Self = Self { called: [0; SET_WORDS], sent: [0; SET_WORDS] };

    /// The numbers in `called`.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        (0..=SET_OTHER).filter(|nr| self.called[(nr / 64) as usize] & (1 << (nr % 64)) != 0)
    }
}

impl ContainerState {
    /// A container in which nothing has run yet.
    pub const NEW: Self = Self {
        started: 0,
        root_mount: 0,
        root_dentry: 0,
        joining: 0,
        listens: 0,
        tokens: 0,
        refilled: 0,
        limited: 0,
        epoch: 0,
        native: SyscallSet::EMPTY,
        denied: SyscallSet::EMPTY,
        foreign: SyscallSet::EMPTY,
        lost: [0; KINDS],
    };

    /// A container that ran before anybody looked: its root directory is that of the first process that is met.
    pub const RUNNING: Self = Self { started: ENTERED, ..Self::NEW };
}
