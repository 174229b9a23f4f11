//! Memory that is no longer needed.

/// Gives the machine back what the allocator keeps of large things that were dropped: glibc does so by itself only at the
/// end of its heap, and what was parsed lies in the middle.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes no pointer, and what is in use stays where it is.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}

/// One heap for all threads: there are few, and each heap keeps what it once had.
pub(crate) fn keep_together() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes no pointer, and nothing was allocated by another thread yet.
    unsafe {
        nix::libc::mallopt(nix::libc::M_ARENA_MAX, 1);
    }
}
