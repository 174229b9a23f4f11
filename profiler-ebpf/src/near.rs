//! The current task's container without looking it up each time: what the last task's cgroup was found to be is kept per
//! CPU.
//!
//! Each program that uses this has a place of its own: the kernel lets no program interrupt itself on one CPU (it skips
//! and counts that), but another one may run in between. Programs of cgroups are no such: see [`shared`].

use aya_ebpf::{macros::map, maps::PerCpuArray};
use profiler_common::container::SET_WORDS;

use crate::{
    atomic::Counter,
    cgroup,
    container::Container,
    escape, follow,
    owner::Named,
    seen::{self, Scope},
    told,
};

/// What was found for a cgroup, good as long as [`GENERATION`] stays.
#[repr(C)]
pub(crate) struct Near {
    cgroup: u64,
    generation: u64,
    /// Its container, [`NONE`] or [`ASK`].
    found: u64,
    /// The container that this run of the program is about, and its root directory.
    container: u64,
    root_mount: u64,
    root_dentry: u64,
    /// How often a socket began to listen.
    listens: u64,
    /// Native system calls that were told of, and those of them that nobody wants to see return.
    sent: [u64; SET_WORDS],
    quiet: [u64; SET_WORDS],
}

/// In no container.
const NONE: u64 = 0;
/// Not simply in a container or in none: it begins, a process is on its way in, or one has left one. (The hierarchy's root
/// has this id and is never a container.)
const ASK: u64 = 1;

/// Which program asks.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Asker {
    Syscall = 0,
    Open = 1,
    Exec = 2,
    Fork = 3,
    Exit = 4,
    Map = 5,
    Socket = 6,
    UnixStream = 7,
    UnixDatagram = 8,
    SockState = 9,
    Capability = 10,
}

#[map]
static NEAR: PerCpuArray<Near> = PerCpuArray::with_max_entries(11, 0);

/// Counts what makes [`Near`] out of date: the lower half the kernel side's changes, the upper half the user side's, to
/// which the section is a map.
#[unsafe(link_section = ".data.near")]
#[unsafe(no_mangle)]
static GENERATION: Counter = Counter::new();

/// Where the current task is.
#[derive(Clone, Copy)]
pub(crate) enum Whereabouts {
    Outside,
    /// To be looked up, and kept for this run.
    Unclear(*mut Near),
    Inside(*mut Near),
}

/// Where the current task is, from what is kept if that still holds.
#[inline(always)]
pub(crate) fn current(asker: Asker) -> Whereabouts {
    of_cgroup(asker, cgroup::current())
}

/// Where something of this cgroup is.
#[inline(always)]
pub(crate) fn of_cgroup(asker: Asker, cgroup: u64) -> Whereabouts {
    let Some(near) = NEAR.get_ptr_mut(asker as u32) else { return Whereabouts::Outside };
    let generation = GENERATION.get();
    // SAFETY: a live map value, this program's own.
    let found = unsafe {
        if (*near).cgroup != cgroup || (*near).generation != generation {
            fill(near, asker, cgroup, generation);
        }
        (*near).found
    };
    if found > ASK {
        return Whereabouts::Inside(near);
    }
    if found == ASK { Whereabouts::Unclear(near) } else { Whereabouts::Outside }
}

/// The current task's container as [`Container::current_started`] finds it.
#[inline(always)]
pub(crate) fn current_started(asker: Asker) -> Option<*mut Near> {
    match current(asker) {
        Whereabouts::Outside => None,
        Whereabouts::Inside(near) => Some(near),
        Whereabouts::Unclear(near) => {
            let container = Container::current_started()?;
            // SAFETY: this program's own.
            unsafe { keep(near, &container) };
            Some(near)
        }
    }
}

/// # Safety
/// `near` must be a live map value of this program's own.
#[inline(always)]
unsafe fn fill(near: *mut Near, asker: Asker, cgroup: u64, generation: u64) {
    let container = Container::of_cgroup(cgroup);
    // SAFETY: the caller's promise.
    unsafe {
        (*near).cgroup = cgroup;
        (*near).generation = generation;
        (*near).found = match &container {
            // One that was moved out is where it came from, wherever it is.
            _ if escape::anybody_left() => ASK,
            None => NONE,
            Some(container) => {
                keep(near, container);
                if asker == Asker::Syscall {
                    keep_sent(near, container);
                }
                if container.is_simple() { container.id } else { ASK }
            }
        };
    }
}

/// For the rest of this run, it is about this container.
///
/// # Safety
/// `near` must be a live map value of this program's own.
#[inline(always)]
pub(crate) unsafe fn keep(near: *mut Near, container: &Container) {
    // SAFETY: the caller's promise.
    unsafe {
        (*near).container = container.id;
        ((*near).root_mount, (*near).root_dentry) = container.root();
        (*near).listens = container.listens();
    }
}

/// Takes over which system calls were told of.
///
/// # Safety
/// `near` must be a live map value of this program's own.
#[inline(always)]
pub(crate) unsafe fn keep_sent(near: *mut Near, container: &Container) {
    told::renew(container);
    // SAFETY: the caller's promise; `state` points into a live map value.
    unsafe {
        let sent = (&raw const (*container.state).native.sent).cast::<u64>();
        let kept = (&raw mut (*near).sent).cast::<u64>();
        let quiet = (&raw mut (*near).quiet).cast::<u64>();
        for word in 0..SET_WORDS {
            let sent = sent.add(word).read_volatile();
            kept.add(word).write(sent);
            quiet.add(word).write(sent & !follow::followed(word));
        }
    }
}

/// Whether this system call of the current container's was told of, as far as is kept.
///
/// # Safety
/// `near` must be a live map value of this program's own.
#[inline(always)]
pub(crate) unsafe fn was_sent(near: *const Near, number: u32) -> bool {
    // SAFETY: the caller's promise.
    unsafe { has((&raw const (*near).sent).cast(), number) }
}

/// Whether it was, and nobody wants to see it return.
///
/// # Safety
/// As for [`was_sent`].
#[inline(always)]
pub(crate) unsafe fn is_quiet(near: *const Near, number: u32) -> bool {
    // SAFETY: the caller's promise.
    unsafe { has((&raw const (*near).quiet).cast(), number) }
}

/// # Safety
/// `set` must be one of [`Near`]'s.
#[inline(always)]
unsafe fn has(set: *const u64, number: u32) -> bool {
    // SAFETY: the caller's promise; the index is below the array's length.
    let word = unsafe { set.add(word_of(number)).read() };
    word & (1 << (number % 64)) != 0
}

/// The index of a number's word. Written out, so that the compiler, which knows more than the verifier, leaves the mask in.
#[inline(always)]
fn word_of(number: u32) -> usize {
    let mut word = u64::from(number / 64);
    #[cfg(target_arch = "bpf")]
    // SAFETY: changes the one register.
    unsafe {
        core::arch::asm!("{0} &= 7", inout(reg) word, options(pure, nomem));
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        word &= 7;
    }
    word as usize
}

const _: () = assert!(SET_WORDS == 8);

/// The container and its root directory.
///
/// # Safety
/// `near` must be a live map value of this program's own.
#[inline(always)]
pub(crate) unsafe fn scope(near: *const Near) -> Scope {
    // SAFETY: the caller's promise. Volatile, so that nothing of it is known from when it was written.
    unsafe {
        Scope {
            container: (&raw const (*near).container).read_volatile(),
            root: (
                (&raw const (*near).root_mount).read_volatile(),
                (&raw const (*near).root_dentry).read_volatile(),
            ),
        }
    }
}

/// How often a socket of the container's began to listen.
///
/// # Safety
/// As for [`scope`].
#[inline(always)]
pub(crate) unsafe fn listens(near: *const Near) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { (&raw const (*near).listens).read_volatile() }
}

/// A container began, began to listen, or somebody is on the way into one, has come in or has left.
#[inline(always)]
pub(crate) fn outdate() {
    GENERATION.add(1);
}

/// What programs of cgroups keep. Another task may run them on the same CPU meanwhile, so it is two words that fit each
/// other only where one task wrote both.
#[repr(C)]
struct Shared {
    /// A container or [`NONE`].
    found: u64,
    check: u64,
}

#[map]
static SHARED: PerCpuArray<Shared> = PerCpuArray::with_max_entries(1, 0);

/// The current task's container as [`Container::current_started`] finds it, for programs of cgroups.
#[inline(always)]
pub(crate) fn shared() -> Option<Named> {
    let shared = SHARED.get_ptr_mut(0)?;
    let (cgroup, generation) = (cgroup::current(), GENERATION.get());
    let place = seen::of_place(cgroup, generation);
    // SAFETY: a live map value, read and written by words.
    unsafe {
        let found = (&raw const (*shared).found).read_volatile();
        if (&raw const (*shared).check).read_volatile() == place ^ found {
            return (found != NONE).then_some(Named(found));
        }
        let found = match Container::of_cgroup(cgroup) {
            None if !escape::anybody_left() => NONE,
            Some(container) if container.is_simple() && !escape::anybody_left() => container.id,
            _ => return Container::current_started().map(|container| Named(container.id)),
        };
        (&raw mut (*shared).found).write_volatile(found);
        (&raw mut (*shared).check).write_volatile(place ^ found);
        (found != NONE).then_some(Named(found))
    }
}
