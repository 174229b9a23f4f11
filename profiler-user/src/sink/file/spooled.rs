//! The events file behind the store.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;

use super::{EventsError, Lines, Rotation};
use crate::sink::{Format, Sink, SinkError, off_thread};
use crate::store::{Store, StoreError, StoredEvent};

/// What may be otherwise in a moment: no room, a pipe without a reader, a server of files that is away.
const PASSING: [Errno; 6] =
    [Errno::ENOSPC, Errno::EDQUOT, Errno::ENXIO, Errno::EIO, Errno::ESTALE, Errno::EROFS];

/// An events file that follows the store.
#[derive(Debug)]
pub struct FileSink {
    name: &'static str,
    lines: Reopener,
    format: Format,
    /// `event.seq` of the line that the file ended with.
    holds: i64,
}

/// Has the file opened again, for whoever set it aside and wants the next one to be there.
#[derive(Clone, Debug)]
pub struct Reopener(Arc<Mutex<Lines>>);

impl FileSink {
    /// Opens the file; `-` is standard output. Where its last line is one of this store's, everything up to it is taken for
    /// delivered: an agent that was killed between writing and noting so repeats nothing. Any other line tells nothing.
    ///
    /// What cannot be opened for now is opened later. What looks like a mistake is an error.
    pub async fn open(
        path: &Path,
        rotation: Option<Rotation>,
        format: Format,
        store: &Store,
    ) -> Result<Self, FileSinkError> {
        let (lines, last) = match Lines::open(path, rotation) {
            Err(EventsError::Open { source, .. }) if is_passing(&source) => {
                (Lines::absent(path, rotation), None)
            }
            opened => opened?,
        };
        let holds = match last.as_deref().and_then(|line| format.seq(line)) {
            Some(seq) => {
                let stored = store.event(seq).await?;
                let is_last = |event: StoredEvent| {
                    Some(format.render(&event.line).as_bytes()) == last.as_deref()
                };
                if stored.is_some_and(is_last) { seq } else { 0 }
            }
            None => 0,
        };
        let name = if path.as_os_str() == "-" { "stdout" } else { "file" };
        Ok(Self { name, lines: Reopener(Arc::new(Mutex::new(lines))), format, holds })
    }

    pub fn reopener(&self) -> Reopener {
        self.lines.clone()
    }

    fn failed(&self, why: &io::Error) -> SinkError {
        let lines = self.lines.lock();
        SinkError::new(format!("cannot write to the events file {}: {why}", lines.path().display()))
    }
}

impl Reopener {
    /// In a thread of its own: what is being written may take its time.
    pub fn reopen(&self) {
        let lines = self.clone();
        std::thread::spawn(move || {
            let followed = lines.lock().follow();
            if let Err(error) = followed {
                eprintln!("driftline: cannot open the events file again: {error}; its events wait");
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

fn is_passing(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| PASSING.contains(&Errno::from_raw(code)))
}

/// Appends the lines, file by file; up to where it came, `before` if nowhere.
fn append(lines: &mut Lines, events: &[(i64, String)], before: i64) -> (i64, io::Result<()>) {
    let mut block = String::new();
    let (mut holds, mut upto) = (before, before);
    for (seq, line) in events {
        let is_full = lines.would_rotate(block.len() + line.len() + 1);
        if !block.is_empty() && is_full.unwrap_or(false) {
            if let Err(error) = lines.append(&block) {
                return (holds, Err(error));
            }
            holds = upto;
            block.clear();
        }
        block.push_str(line);
        block.push('\n');
        upto = *seq;
    }
    match if block.is_empty() { Ok(()) } else { lines.append(&block) } {
        Ok(()) => (upto, Ok(())),
        Err(error) => (holds, Err(error)),
    }
}

impl Sink for FileSink {
    fn name(&self) -> &'static str {
        self.name
    }

    /// It is the record, and calls nobody.
    fn takes_silenced(&self) -> bool {
        true
    }

    /// Whether it is there; whether there is room shows when something is written.
    async fn try_out(&mut self) -> Option<Result<(), SinkError>> {
        let lines = self.lines.clone();
        let followed = off_thread(move || lines.lock().follow()).await;
        Some(followed.and_then(|followed| followed.map_err(|error| self.failed(&error))))
    }

    /// Whether the line is there, for whoever reads the file by its name.
    async fn confirm(&mut self, event: &StoredEvent) -> Result<(), SinkError> {
        let line = self.format.render(&event.line).into_owned();
        let lines = self.lines.clone();
        if off_thread(move || lines.lock().ends_with(&line)).await? {
            return Ok(());
        }
        Err(self.failed(&io::Error::other("the line that was written is not in it")))
    }

    async fn deliver(&mut self, events: &[StoredEvent]) -> Result<(), SinkError> {
        let render = |event: &StoredEvent| self.format.render(&event.line).into_owned();
        let news = events.iter().filter(|event| event.seq > self.holds);
        let news: Vec<_> = news.map(|event| (event.seq, render(event))).collect();
        let (lines, before) = (self.lines.clone(), self.holds);
        let (holds, result) = off_thread(move || append(&mut lines.lock(), &news, before)).await?;
        self.holds = holds;
        result.map_err(|error| self.failed(&error))
    }
}
