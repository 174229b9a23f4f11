//! The fingerprint of the program that a task runs, kept by the open file that it runs.

use aya_ebpf::{helpers::bpf_get_current_task_btf, macros::map, maps::Array};

use super::{FACTOR, Fingerprint, SEED, number};
use crate::{
    kernel::{load, offset},
    owner::Owner,
};

/// log2 of the number of executables.
const EXECUTABLE_BITS: u32 = 12;
/// By the address of the open file that runs: what its path is, as a fingerprint.
#[map]
static EXECUTABLES: Array<Executable> = Array::with_max_entries(1 << EXECUTABLE_BITS, 0);

#[repr(C)]
struct Executable {
    /// The address, combined with the fingerprint: two writers at once leave something that fits no address.
    check: u64,
    fingerprint: u64,
}

/// The fingerprint of what the current task runs.
#[inline(always)]
pub(super) fn executable(owner: &impl Owner) -> Option<u64> {
    // SAFETY: the helper returns a BTF-typed pointer, the rest is loaded through it.
    let file = unsafe {
        let task = bpf_get_current_task_btf().cast::<u8>().cast_const();
        let mm = load::<*const u8>(task, &offset::TASK_MM);
        load::<*const u8>(mm, &offset::MM_EXE_FILE)
    };
    if file.is_null() {
        return None;
    }
    let address = number(file);
    let entry = EXECUTABLES.get_ptr_mut(slot(address))?;
    // SAFETY: a live map value.
    let (check, fingerprint) = unsafe {
        (
            (&raw const (*entry).check).read_volatile(),
            (&raw const (*entry).fingerprint).read_volatile(),
        )
    };
    if check == address ^ fingerprint {
        return (fingerprint != 0).then_some(fingerprint);
    }
    keep_executable(file, owner)
}

/// A program was started: its open file may have the address of one that was there before. `file` must be BTF-typed.
#[inline(always)]
pub(crate) fn executed(owner: &impl Owner, file: *const u8) {
    let _too_deep = keep_executable(file, owner);
}

#[inline(always)]
fn keep_executable(file: *const u8, owner: &impl Owner) -> Option<u64> {
    let found = Fingerprint(SEED.load()).with_file(file, owner);
    let fingerprint = found.map_or(0, |found| found.0);
    let address = number(file);
    if let Some(entry) = EXECUTABLES.get_ptr_mut(slot(address)) {
        // SAFETY: a live map value.
        unsafe {
            (&raw mut (*entry).fingerprint).write_volatile(fingerprint);
            (&raw mut (*entry).check).write_volatile(address ^ fingerprint);
        }
    }
    (fingerprint != 0).then_some(fingerprint)
}

#[inline(always)]
fn slot(address: u64) -> u32 {
    (address.wrapping_mul(FACTOR.load()) >> (64 - EXECUTABLE_BITS)) as u32
}
