//! The atomic instructions that shared map values need.
//!
//! The target has them, but `core` offers no read-modify-write on it (it lacks compare-and-swap before version 3 of the
//! instruction set), so they are written out.

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
