//! What the store forgets, and when: what is older than it is to be kept, repeats beyond the thousandth of one drift, and,
//! where the file grows too large, repeats and then what a container had done before, the least severe first.
//!
//! **Invariant:** a first occurrence stays until it is too old, and so do the checkpoints that tell of what is gone.
//! What some sink has not taken goes only where the file is too large, and is counted.

mod clock;
mod queries;
mod remove;

use std::time::Duration;

use sqlx::AssertSqlSafe;

use self::clock::{Believed, Clocks};
use self::remove::Why;
use super::record::Machine;
use super::{Store, StoreError};

/// Rows that one transaction takes: a few milliseconds, so that writing is not held up.
const BATCH: i64 = 256;

/// Rows of repeats that one drift of one container may have, and how many are left when it had them.
const REPEATS: i64 = 1000;
const REPEATS_LEFT: i64 = 900;

/// How much a store keeps.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of its file.
    pub size: u64,
    pub age: Duration,
}

impl Default for Limits {
    /// 1 GiB, 30 days.
    fn default() -> Self {
        Self { size: 1 << 30, age: Duration::from_hours(30 * 24) }
    }
}

/// What retention has done so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Retained {
    /// Bytes of the file that are in use.
    pub bytes: u64,
    /// Rows that went because they were too old, too many of one drift, or because the file was too large.
    pub by_age: u64,
    pub by_repeats: u64,
    pub by_size: u64,
    /// Those of them that some sink had not taken.
    pub undelivered: u64,
    /// The file is too large, and nothing that may go is left.
    pub is_over: bool,
}

/// Keeps a store within its limits. There is one per store and agent, so that it knows what time it is.
#[derive(Debug)]
pub struct Retention {
    store: Store,
    limits: Limits,
    machine: Machine,
    believed: Option<Believed>,
    /// `event.seq` at the start: marks from there on are by this agent's clock.
    since: i64,
    done: Retained,
    clocks: fn() -> Clocks,
}

impl Retention {
    /// `machine`: who says in the log what was removed.
    pub fn new(store: Store, limits: Limits, machine: Machine) -> Self {
        let since = *store.newest().borrow();
        let done = Retained::default();
        Self { store, limits, machine, believed: None, since, done, clocks: Clocks::now }
    }

    /// Removes what is to go by now; call it about every minute. `sinks`: the names of those whose cursors count.
    ///
    /// # Errors
    /// Where the store cannot be read or written; what was removed before that stays removed, and is told of.
    pub async fn run(&mut self, sinks: &[String]) -> Result<Retained, StoreError> {
        let now = self.tell_time().await?;
        let passed = self.store.passed(sinks).await?;
        let age = i64::try_from(self.limits.age.as_nanos()).unwrap_or(i64::MAX);
        let old = self.store.marked_before(now.saturating_sub(age)).await?;
        loop {
            let taken = self.prefix(old.min(passed), Why::Age, passed).await?;
            self.done.by_age += taken;
            if taken == 0 {
                break;
            }
        }
        self.done.by_age += self.store.remove_old_evidence().await?;
        self.repeats(passed).await?;
        self.size(old, passed).await?;
        self.store.give_back().await?;
        self.done.bytes = self.store.used().await?;
        Ok(self.done)
    }

    /// Notes what is there by now, and what time it is believed to be.
    async fn tell_time(&mut self) -> Result<i64, StoreError> {
        let clocks = (self.clocks)();
        let believed = if let Some(believed) = &mut self.believed {
            believed
        } else {
            let kept = self.store.kept_clock().await?;
            self.believed.insert(Believed::begin(kept, clocks))
        };
        let moved = believed.move_on(clocks);
        let now = believed.wall();
        self.store.mark(now, moved.by, self.since).await?;
        Ok(now)
    }

    async fn repeats(&mut self, passed: i64) -> Result<(), StoreError> {
        let query = format!(
            "SELECT container, fingerprint, repeats FROM drifts WHERE repeats >= {REPEATS}"
        );
        let many: Vec<(String, String, i64)> = self.store.rows(AssertSqlSafe(query)).await?;
        for (container, fingerprint, repeats) in many {
            let mut left = repeats - REPEATS_LEFT;
            while left > 0 {
                let seqs = self
                    .store
                    .repeats_of(&container, &fingerprint, passed, left.min(BATCH))
                    .await?;
                let taken = self.take(&seqs, Why::Repeats, passed).await?;
                self.done.by_repeats += taken;
                left -= i64::try_from(taken).unwrap_or(i64::MAX);
                if taken == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn size(&mut self, old: i64, passed: i64) -> Result<(), StoreError> {
        let mut used = self.store.used().await?;
        self.done.is_over = false;
        // A little less, so that it is not at its limit again with the next event.
        let enough = self.limits.size - self.limits.size / 20;
        if used <= self.limits.size {
            return Ok(());
        }
        while used > enough {
            let taken = self.least(old, passed).await?;
            if taken == 0 {
                self.done.is_over = used > self.limits.size;
                break;
            }
            self.done.by_size += taken;
            used = self.store.used().await?;
        }
        Ok(())
    }

    /// What may go first: what every sink has, and only then what some sink does not have.
    async fn least(&mut self, old: i64, passed: i64) -> Result<u64, StoreError> {
        for upto in [passed, i64::MAX] {
            for seqs in
                [self.store.all_repeats(upto, BATCH).await?, self.store.again(upto, BATCH).await?]
            {
                let taken = self.take(&seqs, Why::Size, passed).await?;
                if taken > 0 {
                    return Ok(taken);
                }
            }
        }
        self.prefix(old, Why::Size, passed).await
    }

    async fn prefix(&mut self, upto: i64, why: Why, passed: i64) -> Result<u64, StoreError> {
        let seqs = self.store.oldest(upto, BATCH).await?;
        let Some(last) = seqs.last() else { return Ok(0) };
        let removed = self.store.remove_up_to(*last, why, passed, &self.machine).await?;
        self.done.undelivered += removed.undelivered;
        Ok(removed.rows)
    }

    async fn take(&mut self, seqs: &[i64], why: Why, passed: i64) -> Result<u64, StoreError> {
        if seqs.is_empty() {
            return Ok(0);
        }
        let removed = self.store.remove(seqs, why, passed, &self.machine).await?;
        self.done.undelivered += removed.undelivered;
        Ok(removed.rows)
    }

    /// As long as it lasts, about every minute; says when something goes wrong, or went that somebody should have had.
    pub async fn keep_running(
        mut self,
        sinks: Vec<String>,
        status: tokio::sync::watch::Sender<Retained>,
    ) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            ticks.tick().await;
            let before = self.done;
            match self.run(&sinks).await {
                Ok(done) => {
                    failing = false;
                    self.say(before, done);
                    status.send_replace(done);
                }
                Err(error) if !failing => {
                    failing = true;
                    eprintln!("driftline: {error}; nothing old is removed until then");
                }
                Err(_) => {}
            }
        }
    }

    fn say(&self, before: Retained, now: Retained) {
        let Limits { size, .. } = self.limits;
        let undelivered = now.undelivered - before.undelivered;
        if undelivered > 0 {
            eprintln!(
                "driftline: the store is larger than {size} bytes: {undelivered} events were removed that a sink had \
                 not taken; mend that sink, or give a larger --retain-size"
            );
        }
        if now.is_over && !before.is_over {
            eprintln!(
                "driftline: the store is larger than {size} bytes, and holds first occurrences only, which are kept \
                 until they are too old; at twice that size nothing more is written: give a larger --retain-size or a \
                 shorter --retain-age"
            );
        }
    }

    #[cfg(test)]
    fn with_clocks(self, clocks: fn() -> Clocks) -> Self {
        Self { clocks, ..self }
    }
}

/// Between two looks.
const EVERY: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests;
