//! The kernel's time stamps as wall-clock time.

use jiff::{SignedDuration, Timestamp};

/// Wall-clock time of boot-time stamps.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    pub(super) boot: Timestamp,
}

impl Clock {
    /// Reads both clocks; their distance is constant but for adjustments of the wall clock.
    pub fn now() -> anyhow::Result<Self> {
        let since_boot = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME)?;
        let uptime = SignedDuration::new(since_boot.tv_sec(), since_boot.tv_nsec().try_into()?);
        Ok(Self { boot: Timestamp::now().checked_sub(uptime)? })
    }

    /// The time at `nanoseconds` since boot.
    pub fn at(&self, nanoseconds: u64) -> Timestamp {
        let since = SignedDuration::from_nanos(nanoseconds.cast_signed());
        self.boot.checked_add(since).unwrap_or(self.boot)
    }
}
