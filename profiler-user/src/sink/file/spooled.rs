//! The events file behind the store: it gets the stored lines as they are.

use std::path::Path;

use super::{EventsError, Lines};
use crate::sink::{Sink, SinkError, off_thread};
use crate::store::{Store, StoreError, StoredEvent};

const NAME: &str = "file";

/// An events file that follows the store.
#[derive(Debug)]
pub struct FileSink {
    /// Away while a thread writes.
    lines: Option<Lines>,
    /// `event.seq` of the line that the file ended with.
    holds: i64,
}

impl FileSink {
    /// Opens the file. Where its last line is one of this store's, everything up to it is taken for delivered: an
    /// agent that was killed between writing and noting so repeats nothing. Any other line tells nothing.
    pub async fn open(path: &Path, store: &Store) -> Result<Self, FileSinkError> {
        let (lines, last) = Lines::open(path)?;
        let holds = match last.as_deref().and_then(seq) {
            Some(seq) => {
                let stored = store.event(seq).await?;
                let same =
                    stored.is_some_and(|event| Some(event.line.as_bytes()) == last.as_deref());
                if same { seq } else { 0 }
            }
            None => 0,
        };
        Ok(Self { lines: Some(lines), holds })
    }
}

/// Why the file cannot be used as a sink.
#[derive(Debug, thiserror::Error)]
pub enum FileSinkError {
    #[error(transparent)]
    Events(#[from] EventsError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn seq(line: &[u8]) -> Option<i64> {
    serde_json::from_slice::<serde_json::Value>(line).ok()?.get("event.seq")?.as_i64()
}

impl Sink for FileSink {
    fn name(&self) -> &'static str {
        NAME
    }

    /// It was opened; whether there is room shows when something is written.
    async fn try_out(&mut self) -> Option<Result<(), SinkError>> {
        Some(Ok(()))
    }

    async fn deliver(&mut self, events: &[StoredEvent]) -> Result<(), SinkError> {
        let news: String = events
            .iter()
            .filter(|event| event.seq > self.holds)
            .flat_map(|event| [event.line.as_str(), "\n"])
            .collect();
        let Some(mut lines) = self.lines.take() else {
            return Err(SinkError::new("the events file was lost while it was written"));
        };
        let (result, lines) = off_thread(move || (lines.append(&news), lines)).await?;
        let result = result.map_err(|error| {
            let path = lines.path().display();
            SinkError::new(format!("cannot write to the events file {path}: {error}"))
        });
        self.lines = Some(lines);
        result?;
        self.holds = events.last().map_or(self.holds, |event| event.seq);
        Ok(())
    }
}
