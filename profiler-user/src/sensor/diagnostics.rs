//! What the probes say of themselves, through aya-log, on stderr; off unless asked for.

use anyhow::Context;
use aya::Ebpf;
use aya_log::EbpfLogger;

use crate::poll;

struct Stderr;

static STDERR: Stderr = Stderr;

impl log::Log for Stderr {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        eprintln!("driftline: probe {}: {}", record.target(), record.args());
    }

    fn flush(&self) {}
}

/// Prints the probes' messages until the runtime ends.
pub(super) fn start(ebpf: &mut Ebpf) -> anyhow::Result<()> {
    let logger = EbpfLogger::init_with_logger(ebpf, &STDERR)
        .context("opening the probes' diagnostic channel")?;
    let mut logger = poll::register(logger).context("waiting on the diagnostic channel")?;
    tokio::spawn(async move {
        while let Ok(mut ready) = logger.readable_mut().await {
            ready.get_inner_mut().flush();
            ready.clear_ready();
        }
    });
    Ok(())
}
