//! The agent's side of the behaviour log: observations to records in memory.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::deed::{Actor, Done, Told};
use super::wire::{self, put, put_text, zigzag};
use super::writer::{Shelf, Writer};
use crate::behaviour::Process;
use crate::container::Identity;

/// Distinct behaviours in one segment: the table of them takes 0.9 MB at most.
const DEEDS_MAX: usize = 16_384;

/// A segment goes on for so long at most: what is removed is removed by segments.
const SEGMENT_AGE: SignedDuration = SignedDuration::from_hours(1);

/// Records that wait to be handed over, in bytes: beyond, entries are left out and counted.
const WAITING_MAX: usize = 2 << 20;

/// Where a container's number is kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    segment: u64,
    number: u32,
}

/// Appends what happens to the log. [`Log::hand_over`] is to be called a few times a second: what was not handed over is lost
/// with the agent.
pub struct Log {
    writer: Writer,
    key_id: String,
    hashes: [RandomState; 2],
    /// Of the segment; 1 is the first.
    segment: u64,
    begun: Timestamp,
    bytes: u64,
    containers: u32,
    actors: HashMap<u128, u32>,
    deeds: HashMap<u128, u32>,
    newest: Option<(Arc<Process>, u32)>,
    time: i64,
    waiting: Vec<u8>,
    scratch: Vec<u8>,
    has_drift: bool,
    /// Entries of `waiting`, and those that it says were left out.
    entries: u64,
    left_out: u64,
}

impl Log {
    /// `key_id`: of the key that secrets are hashed with.
    pub fn new(shelf: Shelf, key_id: String) -> Self {
        let mut log = Self {
            writer: Writer::start(shelf),
            key_id,
            hashes: [RandomState::new(), RandomState::new()],
            segment: 0,
            begun: Timestamp::now(),
            bytes: 0,
            containers: 0,
            actors: HashMap::new(),
            deeds: HashMap::new(),
            newest: None,
            time: 0,
            waiting: Vec::new(),
            scratch: Vec::new(),
            has_drift: false,
            entries: 0,
            left_out: 0,
        };
        log.begin(Timestamp::now());
        log
    }

    /// A new segment, in which nothing is known yet: entries that still wait mean nothing there, and are counted.
    fn begin(&mut self, now: Timestamp) {
        self.left_out += std::mem::take(&mut self.entries);
        self.segment += 1;
        self.begun = now;
        (self.bytes, self.containers, self.time) = (0, 0, 0);
        self.actors.clear();
        self.deeds.clear();
        self.newest = None;
        self.waiting.clear();
        self.waiting.push(wire::HEADER);
        put_text(&mut self.waiting, self.key_id.as_bytes());
        self.writer.begin(self.segment);
    }

    pub fn note(
        &mut self,
        place: &mut Place,
        identity: &Identity,
        time: Timestamp,
        process: &Arc<Process>,
        done: Done<'_>,
    ) {
        if self.waiting.len() > WAITING_MAX {
            self.left_out += 1;
            return;
        }
        if self.deeds.len() >= DEEDS_MAX {
            self.hand_over(time);
            self.begin(time);
        }
        if place.segment != self.segment {
            let Ok(json) = serde_json::to_vec(identity) else { return };
            *place = Place { segment: self.segment, number: self.containers };
            self.containers += 1;
            self.waiting.push(wire::CONTAINER);
            put_text(&mut self.waiting, &json);
        }
        let Some(actor) = self.actor(process) else { return };
        let Some(deed) = self.deed(actor, done) else { return };
        let at = crate::store::nanoseconds(time);
        self.waiting.push(wire::ENTRY);
        put(&mut self.waiting, place.number.into());
        put(&mut self.waiting, zigzag(at.wrapping_sub(self.time)));
        put(&mut self.waiting, deed.into());
        put(&mut self.waiting, process.pid.into());
        self.time = at;
        self.entries += 1;
    }

    /// What is on its way was drift: its segment is removed after the others.
    pub(crate) fn drifted(&mut self) {
        self.has_drift = true;
    }

    fn actor(&mut self, process: &Arc<Process>) -> Option<u32> {
        if let Some((newest, number)) = &self.newest
            && Arc::ptr_eq(newest, process)
        {
            return Some(*number);
        }
        let actor = Actor::of(process);
        let hash = self.hash(&actor);
        let next = u32::try_from(self.actors.len()).ok()?;
        let number = *self.actors.entry(hash).or_insert(next);
        if number == next {
            self.define(wire::ACTOR, None, &actor)?;
        }
        self.newest = Some((Arc::clone(process), number));
        Some(number)
    }

    fn deed(&mut self, actor: u32, done: Done<'_>) -> Option<u32> {
        let hash = self.hash((actor, done));
        let next = u32::try_from(self.deeds.len()).ok()?;
        let number = *self.deeds.entry(hash).or_insert(next);
        if number == next {
            self.define(wire::DEED, Some(actor), &Told::from(done))?;
        }
        Some(number)
    }

    fn define(&mut self, tag: u8, by: Option<u32>, value: &impl serde::Serialize) -> Option<()> {
        self.scratch.clear();
        serde_json::to_writer(&mut self.scratch, value).ok()?;
        self.waiting.push(tag);
        if let Some(actor) = by {
            put(&mut self.waiting, actor.into());
        }
        put_text(&mut self.waiting, &self.scratch);
        Some(())
    }

    /// Of 128 bits under keys of this process's own: nobody makes two that are taken for one.
    fn hash(&self, value: impl Hash) -> u128 {
        let [one, other] = self.hashes.each_ref().map(|keys| keys.hash_one(&value));
        u128::from(one) << 64 | u128::from(other)
    }

    /// Gives what is there to the thread that writes. Where that cannot keep up it stays, up to 2 MiB.
    pub fn hand_over(&mut self, now: Timestamp) {
        self.left_out += self.writer.take_lost();
        if self.writer.is_broken(self.segment) {
            // Whatever the segment lacks, later numbers would be wrong.
            self.begin(now);
        }
        if self.left_out > 0 && self.waiting.len() <= WAITING_MAX {
            self.waiting.push(wire::LEFT_OUT);
            put(&mut self.waiting, self.left_out);
            self.entries += std::mem::take(&mut self.left_out);
        }
        let is_old = now.duration_since(self.begun) > SEGMENT_AGE;
        let is_full = is_old || self.bytes > self.writer.segment_max();
        // A header alone is no news.
        if self.containers > 0 && !self.waiting.is_empty() {
            let length = self.waiting.len() as u64;
            if self.writer.append(&mut self.waiting, self.has_drift, self.entries) {
                self.bytes += length;
                (self.has_drift, self.entries) = (false, 0);
            }
        }
        if is_full && self.waiting.is_empty() && self.containers > 0 {
            self.begin(now);
        }
    }

    /// The agent ends: everything is written.
    pub fn close(&mut self) {
        self.hand_over(Timestamp::now());
        self.writer.close();
    }
}
