//! The current task's container without looking it up each time: what the last task's cgroup was found to be is kept per
//! CPU.
//!
//! Each program that uses this has a place of its own: the kernel lets no program interrupt itself on one CPU (it skips
//! and counts that), but another one may run in between.

use aya_ebpf::{
    helpers::bpf_get_current_cgroup_id,
    macros::map,
    maps::{Array, PerCpuArray},
};
use profiler_common::container::SET_WORDS;

use crate::{atomic, container::Container, escape, follow, told};

/// What was found for a cgroup, good as long as [`GENERATION`] stays.
#[repr(C)]
pub(crate) struct Near {
    cgroup: u64,
    generation: u64,
    /// Its container, [`NONE`] or [`ASK`].
    container: u64,
    root_mount: u64,
    root_dentry: u64,
    /// Native system calls that were told of, and those of them that nobody wants to see return.
    sent: [u64; SET_WORDS],
    quiet: [u64; SET_WORDS],
}

/// In no container.
const NONE: u64 = 0;
/// Not simply in a container: it begins, or a process is on its way in. (The hierarchy's root has this id and is never
/// a container.)
const ASK: u64 = 1;

/// Which program asks.
#[derive(Clone, Copy)]
pub(crate) enum Asker {
    Syscall = 0,
    Open = 1,
    Capability = 2,
}

#[map]
static NEAR: PerCpuArray<Near> = PerCpuArray::with_max_entries(3, 0);

/// Counts what makes [`Near`] out of date: the lower half the kernel side's changes, the upper half the user side's.
#[map]
static GENERATION: Array<u64> = Array::with_max_entries(1, 0);

/// Where the current task is.
#[derive(Clone, Copy)]
pub(crate) enum Whereabouts {
    Outside,
    /// To be looked up.
    Unclear,
    Inside(*mut Near),
}

/// Where the current task is, from what is kept if that still holds.
#[inline(always)]
pub(crate) fn current(asker: Asker) -> Whereabouts {
    let (Some(near), Some(generation)) = (NEAR.get_ptr_mut(asker as u32), GENERATION.get_ptr(0))
    else {
        return Whereabouts::Unclear;
    };
    // SAFETY: the helper has no preconditions; both pointers are live map values, the first this program's own.
    let container = unsafe {
        let cgroup = bpf_get_current_cgroup_id();
        let generation = generation.read_volatile();
        if (*near).cgroup != cgroup || (*near).generation != generation {
            fill(near, cgroup, generation);
        }
        (*near).container
    };
    match container {
        // One that was moved out is where it came from.
        NONE if escape::left().is_some() => Whereabouts::Unclear,
        NONE => Whereabouts::Outside,
        ASK => Whereabouts::Unclear,
        _ => Whereabouts::Inside(near),
    }
}

/// # Safety
/// `near` must be a live map value of this program's own.
#[inline(always)]
unsafe fn fill(near: *mut Near, cgroup: u64, generation: u64) {
    let container = Container::of_cgroup(cgroup);
    // SAFETY: the caller's promise; `state` points into a map value that outlives the program's run.
    unsafe {
        (*near).cgroup = cgroup;
        (*near).generation = generation;
        (*near).container = match container {
            None => NONE,
            Some(container) => {
                let (mount, dentry) = container.root();
                (*near).root_mount = mount;
                (*near).root_dentry = dentry;
                if container.started() && container.joining() == 0 && dentry != 0 {
                    keep_sent(near, &container);
                    container.id
                } else {
                    ASK
                }
            }
        };
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

/// What is kept of a system call of the current container's.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Known {
    /// Not that it was told of.
    No,
    /// It was, and somebody may want to see it return.
    Sent,
    /// It was, and nobody does.
    Quiet,
}

/// # Safety
/// `near` must be a live map value of this program's own.
#[inline(always)]
pub(crate) unsafe fn known(near: *const Near, number: u32) -> Known {
    let (word, bit) = (word_of(number), 1 << (number % 64));
    // SAFETY: the caller's promise; the index is below the arrays' length.
    unsafe {
        if (&raw const (*near).quiet).cast::<u64>().add(word).read() & bit != 0 {
            return Known::Quiet;
        }
        let sent = (&raw const (*near).sent).cast::<u64>().add(word).read() & bit != 0;
        if sent { Known::Sent } else { Known::No }
    }
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

/// The container's id and its root directory.
///
/// # Safety
/// `near` must be a live map value of this program's own.
#[inline(always)]
pub(crate) unsafe fn container_and_root(near: *const Near) -> (u64, (u64, u64)) {
    // SAFETY: the caller's promise.
    unsafe { ((*near).container, ((*near).root_mount, (*near).root_dentry)) }
}

/// A container began, or somebody is on the way into one or has come in.
#[inline(always)]
pub(crate) fn outdate() {
    if let Some(generation) = GENERATION.get_ptr_mut(0) {
        // SAFETY: a live map value.
        unsafe { atomic::add(generation, 1) };
    }
}
