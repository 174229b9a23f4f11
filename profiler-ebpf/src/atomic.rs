//! The atomic instructions that shared map values need.
//!
//! The target has them, but `core` offers no read-modify-write on it (it lacks compare-and-swap before version 3 of the
//! instruction set), so they are written out.

use core::cell::UnsafeCell;

/// Sets bits.
///
/// # Safety
/// `word` must point into a live map value.
#[inline(always)]
pub(crate) unsafe fn or(word: *mut u64, bits: u64) {
    #[cfg(target_arch = "bpf")]
    // SAFETY: the caller's promise; the verifier checks the address.
    unsafe {
        core::arch::asm!("lock *(u64 *)({0} + 0) |= {1}", in(reg) word, in(reg) bits);
    }
    #[cfg(not(target_arch = "bpf"))]
    // SAFETY: the caller's promise. Only ever built for linting and tests.
    unsafe {
        *word |= bits;
    }
}

/// Clears bits.
///
/// # Safety
/// `word` must point into a live map value.
#[inline(always)]
pub(crate) unsafe fn clear(word: *mut u64, bits: u64) {
    #[cfg(target_arch = "bpf")]
    // SAFETY: the caller's promise; the verifier checks the address.
    unsafe {
        core::arch::asm!("lock *(u64 *)({0} + 0) &= {1}", in(reg) word, in(reg) !bits);
    }
    #[cfg(not(target_arch = "bpf"))]
    // SAFETY: the caller's promise. Only ever built for linting and tests.
    unsafe {
        *word &= !bits;
    }
}

/// Adds.
///
/// # Safety
/// `word` must point into a live map value.
#[inline(always)]
pub(crate) unsafe fn add(word: *mut u64, amount: u64) {
    #[cfg(target_arch = "bpf")]
    // SAFETY: the caller's promise; the verifier checks the address.
    unsafe {
        core::arch::asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) word, in(reg) amount);
    }
    #[cfg(not(target_arch = "bpf"))]
    // SAFETY: the caller's promise. Only ever built for linting and tests.
    unsafe {
        *word += amount;
    }
}

/// A word that is counted up, by several processors at once.
#[repr(transparent)]
pub(crate) struct Counter(UnsafeCell<u64>);

// SAFETY: only ever changed by an atomic instruction, or by the user side as a whole.
unsafe impl Sync for Counter {}

impl Counter {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(0))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> u64 {
        // SAFETY: a live word.
        unsafe { self.0.get().read_volatile() }
    }

    #[inline(always)]
    pub(crate) fn add(&self, amount: u64) {
        // SAFETY: a live word.
        unsafe { add(self.0.get(), amount) };
    }
}
