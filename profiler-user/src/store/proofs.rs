//! The chain of what groups' events tell of: apart from that of the events, which say where it stands.

use sqlx::SqliteConnection;

use super::append::Proof;
use super::event::Keys;
use crate::drift::Event;
use crate::drift::chain::hash;

/// Where it stands, inside one transaction.
pub(super) struct Proofs {
    number: i64,
    hash: Option<String>,
}

impl Proofs {
    pub(super) async fn read(connection: &mut SqliteConnection) -> sqlx::Result<Self> {
        let query = sqlx::query_as("SELECT number, hash FROM evidence_head");
        let (number, hash) = query.fetch_one(connection).await?;
        Ok(Self { number, hash })
    }

    /// Numbers and links a first occurrence; `seq` is of the newest event.
    pub(super) fn link(&mut self, event: &mut Event, seq: i64) -> Result<Proof, serde_json::Error> {
        self.number += 1;
        event.prev_hash = self.hash.take();
        let line = serde_json::to_string(event)?;
        self.hash = Some(hash(line.as_bytes()));
        let of = event.member_of.unwrap_or(event.id).to_string();
        Ok(Proof { number: self.number, seq, of, line, keys: Keys::of_event(event) })
    }

    /// A group's event says where the chain stands: so the chain of events proves this one.
    pub(super) fn state(&self, event: &mut Event) {
        if let Some(group) = &mut event.group {
            group.evidence = Some(self.number.unsigned_abs());
            group.evidence_hash.clone_from(&self.hash);
        }
    }

    pub(super) async fn keep(&self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        let query = sqlx::query("UPDATE evidence_head SET number = ?, hash = ?");
        query.bind(self.number).bind(&self.hash).execute(connection).await.map(|_| ())
    }
}
