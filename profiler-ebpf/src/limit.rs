//! How many events a container may send whose objects may be new each time: a token bucket.

use aya_ebpf::{Global, helpers::bpf_ktime_get_boot_ns};
use profiler_common::event::Kind;

use crate::{atomic, container::Container};

/// Events a second that a container may send in the long run: the user side says.
#[unsafe(no_mangle)]
pub(crate) static RATE: Global<u64> = Global::new(0);
/// And at once.
#[unsafe(no_mangle)]
pub(crate) static BURST: Global<u64> = Global::new(0);

const SECOND: u64 = 1_000_000_000;
/// Counting up more often would lose the fractions.
const REFILL: u64 = 10_000_000;

impl Container {
    /// Takes a token. False where none is left: the event is counted and must not be sent. Two processors at once may take
    /// the same one; what is counted stays exact.
    #[inline(always)]
    pub(crate) fn may_send(&self, kind: Kind) -> bool {
        // SAFETY: the helper has no preconditions; `state` points into a live map value.
        unsafe {
            let (tokens, refilled) =
                (&raw mut (*self.state).tokens, &raw mut (*self.state).refilled);
            let now = bpf_ktime_get_boot_ns();
            let passed = now.wrapping_sub(refilled.read_volatile());
            let mut left = tokens.read_volatile();
            if passed >= REFILL {
                // A bucket that nobody asked for a second is full.
                left = if passed >= SECOND {
                    BURST.load()
                } else {
                    left + passed * RATE.load() / SECOND
                };
                if left > BURST.load() {
                    left = BURST.load();
                }
                refilled.write_volatile(now);
            }
            if left == 0 {
                atomic::add(&raw mut (*self.state).limited, 1);
                self.count_lost(kind);
                return false;
            }
            tokens.write_volatile(left - 1);
        }
        true
    }
}
