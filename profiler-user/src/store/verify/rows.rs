//! The walk along the rows of a store.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::evidence::{Stated, Statement};
use super::heads::Sought;
use super::row::{Checkpoint, Row};
use super::{Break, Head, Verdict};
use crate::drift::chain::hash;
use crate::store::checkpoint::digest;
use crate::store::event::Keys;

/// A row, or what stands for rows that were removed.
struct Link {
    first: i64,
    last: i64,
    /// What it says of the one before.
    previous: Option<String>,
    hash: String,
    /// Absent for a checkpoint.
    time: Option<Timestamp>,
}

pub(super) struct Walk {
    /// The row it begins with.
    from: i64,
    checkpoints: Vec<Checkpoint>,
    /// By their first row, the longest.
    gaps: BTreeMap<i64, Checkpoint>,
    end: Option<(i64, Option<String>)>,
    heads: Sought,
    /// The newest two: who of them is wrong shows by the next.
    before: Option<Link>,
    newest: Option<Link>,
    /// Hashes over checkpoints, by the record that tells of them.
    told: HashMap<i64, String>,
    stated: Vec<Statement>,
    verdict: Verdict,
}

impl Walk {
    pub(super) fn new(
        checkpoints: Vec<Checkpoint>,
        end: Option<(i64, Option<String>)>,
        heads: Vec<Head>,
        from: i64,
    ) -> Self {
        // What was told of before is not walked along.
        let mut checkpoints = checkpoints;
        checkpoints.retain(|checkpoint| from == 1 || checkpoint.record >= from);
        let mut gaps = BTreeMap::<i64, Checkpoint>::new();
        for checkpoint in &checkpoints {
            let known = gaps.get(&checkpoint.first);
            if known.is_none_or(|known| known.last < checkpoint.last) {
                gaps.insert(checkpoint.first, checkpoint.clone());
            }
        }
        let verdict = Verdict::of_nothing();
        let heads = Sought::new(heads);
        let told = HashMap::new();
        let stated = Vec::new();
        Self {
            from,
            checkpoints,
            gaps,
            end,
            heads,
            before: None,
            newest: None,
            told,
            stated,
            verdict,
        }
    }

    /// What the events that are there say of the evidence.
    pub(super) fn stated(&mut self) -> Stated {
        Stated {
            front: self.gaps.get(&1).map_or(0, |gap| gap.last),
            by: std::mem::take(&mut self.stated),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.verdict.broken.is_some()
    }

    pub(super) fn row(&mut self, row: &Row) {
        self.bridge(row.seq);
        if self.is_over() {
            return self.seen_after(row);
        }
        let next = self.next();
        if row.seq < next {
            let found = "a row that retention had removed";
            return self.stop(row.seq, "a row was put in", "no row", found);
        }
        if row.seq > next {
            self.stop(
                next,
                "a row is missing",
                &format!("event {next}"),
                "no row, and no checkpoint",
            );
            return self.seen_after(row);
        }
        let (keys, links) = match Keys::and_links(&row.line) {
            Ok(read) => read,
            Err(error) => {
                let what = "the line cannot be read";
                return self.stop(row.seq, what, "an event", &error.to_string());
            }
        };
        if links.seq != Some(row.seq) {
            let found = links.seq.map_or_else(|| "none".to_owned(), |seq| seq.to_string());
            return self.stop(
                row.seq,
                "another event is in its place",
                &row.seq.to_string(),
                &found,
            );
        }
        if let Some((column, expected, found)) = row.differs(&keys) {
            let what = format!("the column {column} is not what the line says");
            return self.stop(row.seq, &what, &expected, &found);
        }
        if let Some(removal) = links.removal {
            self.told.insert(row.seq, removal);
        }
        if let Some(number) = links.evidence {
            self.stated.push(Statement { seq: row.seq, number, hash: links.evidence_hash });
        }
        let time = Timestamp::from_nanosecond(row.last.into()).ok();
        let link = Link {
            first: row.seq,
            last: row.seq,
            previous: links.previous,
            hash: hash(&row.line),
            time,
        };
        self.verdict.events += 1;
        self.verdict.first.get_or_insert(row.seq);
        self.link(link);
    }

    /// The number that the next row should have.
    fn next(&self) -> i64 {
        self.newest.as_ref().map_or(self.from, |link| link.last + 1)
    }

    /// Over the rows that retention took, up to row `to`.
    fn bridge(&mut self, to: i64) {
        while !self.is_over() && self.next() < to {
            let Some(gap) = self.gaps.get(&self.next()).cloned() else { return };
            if gap.last >= to {
                let found = "a row that retention had removed";
                return self.stop(to, "a row was put in", "no row", found);
            }
            self.verdict.removed += gap.last - gap.first + 1;
            self.link(Link {
                first: gap.first,
                last: gap.last,
                previous: gap.before,
                hash: gap.after,
                time: None,
            });
        }
    }

    fn link(&mut self, link: Link) {
        self.settle(link.previous.as_deref());
        if self.is_over() {
            return;
        }
        if let Some(expected) = self.heads.meet(link.last, &link.hash) {
            let what = "it is not the event whose hash a sink was told";
            self.stop(link.last, what, &expected, &link.hash);
            return;
        }
        self.before = self.newest.take();
        self.newest = Some(link);
    }

    /// What the next one, or the end, says of the newest tells whether the newest itself is what it was, and so who of
    /// it and the one before is wrong where they do not fit.
    fn settle(&mut self, said: Option<&str>) {
        let Some(newest) = &self.newest else { return };
        let is_sure = said == Some(newest.hash.as_str());
        let before = self.before.as_ref().map(|link| link.hash.as_str());
        // What came before the first is not looked at.
        if before.is_none() && self.from > 1 {
            return;
        }
        if newest.previous.as_deref() == before {
            return;
        }
        let or_none = |hash: Option<&str>| hash.unwrap_or("none").to_owned();
        let (expected, found) = (or_none(newest.previous.as_deref()), or_none(before));
        match &self.before {
            Some(link) if is_sure => {
                let what = "it was changed: the next event tells another hash of it";
                self.stop(link.last, what, &expected, &found);
            }
            _ => {
                let what = "it was changed: it tells another hash of the event before";
                self.stop(newest.first, what, &found, &expected);
            }
        }
    }

    pub(super) fn end(mut self) -> Verdict {
        if !self.is_over() {
            self.close();
        }
        if self.verdict.broken.is_none() {
            self.checkpoints_hold();
        }
        if self.verdict.broken.is_none() {
            let last = self.newest.as_ref().map_or(0, |link| link.last);
            if let Some(head) = self.heads.beyond(last) {
                let what = "the log ends before an event that a sink was told";
                self.stop(head.seq, what, &head.hash, "no row");
            }
        }
        self.verdict.whole = self.verdict.broken.is_none();
        if let Some(newest) = self.newest {
            self.verdict.last = Some(newest.last);
            self.verdict.hash = Some(newest.hash);
        }
        self.verdict.heads = self.heads.found();
        self.verdict
    }

    /// The end of the rows against what the store says of it.
    fn close(&mut self) {
        let (seq, hash) = match self.end.take() {
            Some(end) => end,
            None if self.newest.is_none() => return,
            None => {
                let next = self.next() - 1;
                return self.stop(next, "the store's own head is missing", "a head", "none");
            }
        };
        self.bridge(seq.saturating_add(1));
        if self.is_over() {
            return;
        }
        let last = self.next() - 1;
        if last != seq {
            let (at, what) = if last < seq {
                (last + 1, "a row is missing")
            } else {
                (seq + 1, "a row was put in behind the end")
            };
            let found = format!("the last row is {last}");
            return self.stop(at, what, &format!("the last row is {seq}"), &found);
        }
        self.settle(hash.as_deref());
        if self.is_over() {
            return;
        }
        let newest = self.newest.as_ref().map(|link| link.hash.clone());
        if newest != hash {
            let or_none = |hash: Option<String>| hash.unwrap_or_else(|| "none".to_owned());
            let what = "it was changed: the store's head tells another hash of it";
            self.stop(seq, what, &or_none(hash), &or_none(newest));
        }
    }

    /// Each is told of by an event of the chain.
    fn checkpoints_hold(&mut self) {
        let checkpoints = std::mem::take(&mut self.checkpoints);
        for group in checkpoints.chunk_by(|a, b| a.record == b.record) {
            let ranges =
                group.iter().map(|c| (c.first, c.last, c.before.as_deref(), c.after.as_str()));
            let found = digest(ranges);
            let told = self.told.get(&group[0].record);
            if told != Some(&found) {
                let none = || "no event that tells of it".to_owned();
                let expected = told.cloned().unwrap_or_else(none);
                let what = "a checkpoint is not the one that the log tells of";
                return self.stop(group[0].first, what, &expected, &found);
            }
        }
        let mut told: Vec<_> = self.told.keys().copied().collect();
        told.sort_unstable();
        let missing = |record: &&i64| !checkpoints.iter().any(|c| c.record == **record);
        if let Some(record) = told.iter().find(missing) {
            let what = "the checkpoints that it tells of are missing";
            self.stop(*record, what, "checkpoints", "none");
        }
    }

    fn stop(&mut self, seq: i64, what: &str, expected: &str, found: &str) {
        // Of what is the newest when it is the one in question, the one before is what was good.
        let good = [self.newest.as_ref(), self.before.as_ref()];
        let mut good = good.into_iter().flatten();
        self.verdict.broken = Some(Break {
            seq,
            line: None,
            what: what.to_owned(),
            expected: expected.to_owned(),
            found: found.to_owned(),
            after: good
                .find(|link| link.last < seq && link.time.is_some())
                .and_then(|link| link.time),
            before: self.newest.as_ref().filter(|link| link.first > seq).and_then(|link| link.time),
        });
    }

    /// The row behind a break.
    pub(super) fn seen_after(&mut self, row: &Row) {
        if let Some(broken) = &mut self.verdict.broken
            && row.seq > broken.seq
        {
            let time = Timestamp::from_nanosecond(row.last.into()).ok();
            broken.before = broken.before.or(time);
        }
    }
}
