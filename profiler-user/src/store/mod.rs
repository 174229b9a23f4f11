//! The node's history, in one SQLite file: every event, every container, and how far each sink has come.
//!
//! **Invariant:** what [`Store::commit`] acknowledged is on disk. The file is in WAL mode, and events and the ledger
//! are committed with `synchronous=FULL`: neither `kill -9` nor a power cut takes back an acknowledged commit, as
//! far as the disk keeps what it says. Sinks' cursors are written with `NORMAL`: a power cut may take some
//! back, and the sink repeats what it had delivered since.
//!
//! **Invariant:** `event.seq` counts from 1 without gaps, and each line carries the hash of the one before. Both are
//! read from the file inside the transaction that appends, so nothing in memory can disagree with it. What retention
//! takes out leaves a checkpoint, which the log itself tells of: [`verify_store`] proves all of it.

mod append;
mod checkpoint;
mod commit;
mod error;
mod event;
pub mod fleet;
mod head;
mod ledger;
mod line;
mod lock;
mod losses;
mod open;
mod proofs;
mod query;
mod record;
mod retain;
mod seen;
mod upgrade;
mod upsert;
mod verify;
mod write;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use sqlx::{SqliteConnection, SqlitePool};
use tokio::sync::{Mutex, watch};

pub(crate) use commit::{nanoseconds, timestamp};
pub use error::{StoreError, Trouble};
pub(crate) use error::{readable_version, unreadable};
pub use event::StoredEvent;
pub(crate) use ledger::{CONTAINERS_FROM, CONTAINERS_FROM_POSTGRES};
pub use ledger::{Capture, LedgerEntry, LedgerFilter, LedgerRow};
pub use line::event_lines;
pub use losses::{Losses, losses};
pub use record::{CHAIN, HeadNote, SilenceNote};
pub use retain::{Limits, Retained, Retention};
pub use upgrade::{Upgraded, upgrade};
pub use verify::{
    Break, Head, HeadError, HeadFound, LogFileError, Verdict, verify_events, verify_store,
    verify_store_from,
};
pub use write::{Committed, UNOBSERVED, Write};
pub use writer::{StoreWriter, WriterStatus};

/// The file's name in the store's directory.
pub const FILE: &str = "driftline.db";

/// An open history; cheap to clone. The last clone that goes releases the directory.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: PathBuf,
    /// Both under one lock: SQLite knows one writer at a time, and a lock that waits beats one that polls.
    writers: Mutex<Writers>,
    readers: SqlitePool,
    newest: watch::Sender<i64>,
    /// What is known of fingerprints, for `drift.seen`.
    seen: Mutex<seen::Cache>,
    _lock: Arc<lock::DirectoryLock>,
}

#[derive(Debug)]
struct Writers {
    /// Commits are synced: events and the ledger.
    durable: SqliteConnection,
    /// A transaction of `durable` is open, or may be: whoever opened it did not come to its end.
    begun: bool,
    /// Commits are not synced: cursors.
    relaxed: SqliteConnection,
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
