//! Where drift goes: to the person at the terminal, line by line into a file, and to those who are on call.
//!
//! `driftline watch -- CMD` writes to the terminal and to a file directly. On a node, the store is the
//! [`spool`]: every sink reads from there at its own pace.

pub mod alertmanager;
mod backoff;
pub mod file;
pub mod fleet;
mod format;
#[cfg(test)]
pub(crate) mod hostile;
mod http;
pub mod otlp;
pub mod spool;
pub mod syslog;
pub mod terminal;
pub mod webhook;

pub use alertmanager::Alertmanager;
pub(crate) use backoff::Backoff;
pub use file::{EventsError, EventsFile, FileSink, Reopener, Rotation, Stored};
pub use fleet::Fleet;
pub use format::Format;
pub use otlp::Otlp;
pub use spool::{Sighted, Sink, SinkError, SinkStatus, Spool};
pub use syslog::Syslog;
pub use terminal::Terminal;
pub use webhook::Webhook;

/// Whether a silence holds for it. A key is text between bare quotes before a colon, and no text in a line has bare quotes: so what a
/// container named something cannot pass for one.
fn is_silenced(event: &crate::store::StoredEvent) -> bool {
    event.line.contains("\"drift.silence.id\":")
}

/// Whether Driftline made it itself, to see whether it arrives.
fn is_canary(event: &crate::store::StoredEvent) -> bool {
    event.line.contains("\"drift.canary\":true")
}

/// For what may block as long as it likes: a thread of its own, which neither holds up other tasks nor the end.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, SinkError> {
    let (done, result) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("driftline-sink".to_owned())
        .spawn(move || drop(done.send(work())))
        .map_err(SinkError::new)?;
    result.await.map_err(SinkError::new)
}
