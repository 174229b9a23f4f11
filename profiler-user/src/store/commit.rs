//! The one transaction that everything is written by.

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::head::{Head, Unwritten};
use super::proofs::Proofs;
use super::record::Told;
use super::{Committed, Store, StoreError, Write, Writers, append, upsert};
use crate::drift::Event;

impl Store {
    /// Writes all or nothing, in this order, and returns when it is on disk.
    pub async fn commit(&self, mut writes: Vec<Write>) -> Result<Committed, StoreError> {
        self.commit_all(&mut writes).await
    }

    /// Leaves the writes to the caller, who may want to try again.
    pub(super) async fn commit_all(&self, writes: &mut [Write]) -> Result<Committed, StoreError> {
        let failed = |source| StoreError::database(&self.inner.file, "write to the store", source);
        let mut file = self.inner.writers.lock().await;
        if file.begun {
            // Of an attempt that was cancelled.
            self.inner.seen.lock().await.forget();
        }
        file.begin().await.map_err(failed)?;
        let mut result = self.append(&mut file.durable, writes).await;
        if result.is_ok() {
            result = file.end().await.map_err(failed).and(result);
        }
        if result.is_err() {
            file.take_back().await;
            self.inner.seen.lock().await.forget();
        }
        let committed = result?;
        self.inner.newest.send_if_modified(|newest| {
            std::mem::replace(newest, committed.newest) != committed.newest
        });
        Ok(committed)
    }

    async fn append(
        &self,
        connection: &mut SqliteConnection,
        writes: &mut [Write],
    ) -> Result<Committed, StoreError> {
        let failed = |source| StoreError::database(&self.inner.file, "write to the store", source);
        let mut batch = Batch::begin(connection).await.map_err(failed)?;
        self.inner.seen.lock().await.mark(connection, writes).await.map_err(failed)?;
        let unwritten = |why: Unwritten| why.of(&self.inner.file);
        let mut events = 0;
        for write in writes {
            if let Some(event) = write.event_mut() {
                events += 1;
                batch.event(event)?;
            } else if let Write::Evidence(event) = write {
                batch.evidence(event)?;
            } else if let Write::Head(note) = write {
                batch.write(connection).await.map_err(failed)?;
                // One that speaks of nothing but the head before tells nobody anything.
                if batch.head.is_news(connection).await.map_err(failed)? {
                    let told = Told::Head(note);
                    let now = Timestamp::now();
                    let head = &mut batch.head;
                    head.tell(connection, told, &note.machine, now).await.map_err(unwritten)?;
                }
            } else if let Write::Silence(note) = write {
                batch.write(connection).await.map_err(failed)?;
                if note.is_news(connection).await.map_err(failed)? {
                    let told = Told::Silence(note);
                    let now = Timestamp::now();
                    let head = &mut batch.head;
                    head.tell(connection, told, &note.machine, now).await.map_err(unwritten)?;
                }
            } else if let Write::Repeated(repeated) = write {
                batch.write(connection).await.map_err(failed)?;
                let counted = repeated.counted(batch.head.seq);
                append::count(connection, &mut [counted]).await.map_err(failed)?;
            }
            if batch.is_large() {
                batch.write(connection).await.map_err(failed)?;
            }
            upsert::apply(connection, write).await.map_err(failed)?;
        }
        batch.write(connection).await.map_err(failed)?;
        batch.head.keep(connection).await.map_err(failed)?;
        Ok(Committed { events, newest: batch.head.seq })
    }
}

/// Rows that are gathered before they are written: as many lines are held twice.
const GATHERED: usize = 512;

/// What is numbered and linked and not written yet.
struct Batch {
    head: Head,
    proofs: Proofs,
    events: Vec<append::Row>,
    evidence: Vec<append::Proof>,
}

impl Batch {
    async fn begin(connection: &mut SqliteConnection) -> sqlx::Result<Self> {
        let head = Head::read(&mut *connection).await?;
        let proofs = Proofs::read(connection).await?;
        Ok(Self { head, proofs, events: Vec::new(), evidence: Vec::new() })
    }

    fn event(&mut self, event: &mut Event) -> Result<(), serde_json::Error> {
        self.proofs.state(event);
        self.events.push(self.head.link(event)?);
        Ok(())
    }

    fn evidence(&mut self, event: &mut Event) -> Result<(), serde_json::Error> {
        self.evidence.push(self.proofs.link(event, self.head.seq)?);
        Ok(())
    }

    fn is_large(&self) -> bool {
        self.events.len() + self.evidence.len() >= GATHERED
    }

    async fn write(&mut self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        append::events(connection, &self.events).await?;
        self.events.clear();
        if !self.evidence.is_empty() {
            append::evidence(&mut *connection, &self.evidence).await?;
            self.evidence.clear();
            self.proofs.keep(connection).await?;
        }
        Ok(())
    }
}

/// By hand: where SQLite itself rolls back, as it does when the disk is full, sqlx's transactions stay open for ever.
impl Writers {
    /// What an attempt that was cancelled left open is taken back first.
    pub(super) async fn begin(&mut self) -> sqlx::Result<()> {
        if self.begun {
            self.take_back().await;
        }
        self.begun = true;
        // From its first statement on, so that no writer of another process comes between reading and writing.
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.durable).await.map(|_| ())
    }

    pub(super) async fn end(&mut self) -> sqlx::Result<()> {
        sqlx::query("COMMIT").execute(&mut self.durable).await?;
        self.begun = false;
        Ok(())
    }

    pub(super) async fn take_back(&mut self) {
        // Fails where SQLite has done so already.
        let _done = sqlx::query("ROLLBACK").execute(&mut self.durable).await;
        self.begun = false;
    }
}

/// Until the year 2262, and from then on that year.
pub(crate) fn nanoseconds(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX)
}

pub(crate) fn timestamp(nanoseconds: i64) -> sqlx::Result<Timestamp> {
    Timestamp::from_nanosecond(nanoseconds.into())
        .map_err(|error| sqlx::Error::Decode(error.into()))
}
