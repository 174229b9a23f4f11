//! Ctrl-C ends the demo tidily: what it started is stopped and its directory removed.

use std::time::Duration;

use anyhow::{Result, bail};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

pub(super) struct Interrupt {
    signals: SignalFd,
    caught: SigSet,
}

impl Interrupt {
    /// From here on SIGINT and SIGTERM wait until somebody looks. (Child processes start with no
    /// signal blocked: [`std::process::Command`] sees to that.)
    pub(super) fn catch() -> Result<Self> {
        let mut caught = SigSet::empty();
        caught.add(Signal::SIGINT);
        caught.add(Signal::SIGTERM);
        caught.thread_block()?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(Self { signals: SignalFd::with_flags(&caught, flags)?, caught })
    }

    /// Sleeps; an error if somebody has had enough.
    pub(super) fn pause(&self, duration: Duration) -> Result<()> {
        std::thread::sleep(duration);
        if self.signals.read_signal()?.is_some() {
            bail!("interrupted");
        }
        Ok(())
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        // Nothing to be done about a failure; the process is about to end.
        let _ = self.caught.thread_unblock();
    }
}
