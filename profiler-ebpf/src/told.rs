//! Which of a container's system calls need not be told of: they were, or the user side knows them beforehand.
//!
//! When the user side wants to hear of everything again, it first writes what it knows by then and then counts the epoch up.
//! What was taken for told before that must not outlast it: whoever marks a call looks at the epoch before and after, and
//! takes the mark back if it has changed; a mark that was made in time is cleared by the first who sees the new epoch.

use aya_ebpf::{macros::map, maps::HashMap};
use profiler_common::container::{KnownCalls, SET_WORDS, SyscallSet};

use crate::{atomic, container::Container, seen};

/// Container id → what its baseline holds. Written by the user side alone.
#[map]
static KNOWN_CALLS: HashMap<u64, KnownCalls> = HashMap::with_max_entries(4_096, 0);

/// One call in one of a container's sets.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) set: *mut SyscallSet,
    pub(crate) word: usize,
    pub(crate) bit: u64,
}

impl Entry {
    /// Whether it was told of.
    #[inline(always)]
    pub(crate) fn is_told(self) -> bool {
        // SAFETY: a word of a live map value, `word` is below the array's length.
        unsafe { self.sent().read_volatile() & self.bit != 0 }
    }

    /// Whether the user side knows this call of the container's, which is one of the native ones.
    #[inline(always)]
    pub(crate) fn is_known(self, container: &Container) -> bool {
        let Some(known) = KNOWN_CALLS.get_ptr(container.id) else { return false };
        // SAFETY: as in `is_told`.
        unsafe { known.cast::<u64>().add(self.word).read_volatile() & self.bit != 0 }
    }

    /// It was made.
    #[inline(always)]
    pub(crate) fn called(self) {
        // SAFETY: as in `is_told`.
        unsafe { atomic::or((&raw mut (*self.set).called).cast::<u64>().add(self.word), self.bit) };
    }

    /// It need not be told of any more. `epoch` is that of the time when this was found out.
    #[inline(always)]
    pub(crate) fn told(self, epoch: u64) {
        // SAFETY: as in `is_told`.
        unsafe {
            atomic::or(self.sent(), self.bit);
            if seen::epoch() != epoch {
                atomic::clear(self.sent(), self.bit);
            }
        }
    }

    #[inline(always)]
    fn sent(self) -> *mut u64 {
        // SAFETY: the address of a word of a live map value.
        unsafe { (&raw mut (*self.set).sent).cast::<u64>().add(self.word) }
    }
}

/// Forgets what was told in an earlier epoch. Of two who do so at once, one may forget what the other was told: it is told
/// again. The current epoch.
#[inline(always)]
pub(crate) fn renew(container: &Container) -> u64 {
    let epoch = seen::epoch();
    let state = container.state;
    // SAFETY: a live map value.
    unsafe {
        if (&raw const (*state).epoch).read_volatile() != epoch {
            for set in
                [&raw mut (*state).native, &raw mut (*state).denied, &raw mut (*state).foreign]
            {
                for word in 0..SET_WORDS {
                    (&raw mut (*set).sent).cast::<u64>().add(word).write_volatile(0);
                }
            }
            (&raw mut (*state).epoch).write_volatile(epoch);
        }
    }
    epoch
}
