//! The canary: a harmless drift that takes the whole way of a real one, and is followed to where it should arrive.
//!
//! A program that does nothing (driftline itself, under another name) is run in a cgroup made for it. The kernel's probes tell of its exec,
//! it is judged by a baseline that does not hold it, becomes an event in the history, and each sink is asked whether that event arrived.
//! [`cage`] is the container, [`round`] one such try, [`door`] where somebody may ask for one.

mod cage;
mod door;
mod round;

use std::path::Path;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

pub(super) use self::cage::Cage;
pub(crate) use self::door::ask;
pub(crate) use self::round::Report;
use self::{door::Door, round::Round};
use super::{node::Node, outlets::Outlets, task::Task};
use crate::{drift::Node as Machine, http::Metrics};

/// What a canary is called, as `argv[0]`.
pub(crate) const NAME: &str = "driftline-canary";

/// The agent's canaries: when the next is due, and the one that is on its way.
pub(super) struct Canary {
    every: Option<Duration>,
    due: Option<Instant>,
    round: Option<Round>,
    askers: Vec<oneshot::Sender<Report>>,
    door: Door,
    machine: Machine,
    tier: String,
}

impl Canary {
    /// `store`: the directory where it may be asked for.
    pub(super) fn open(
        store: &Path,
        every: Option<Duration>,
        machine: Machine,
        tier: String,
        metrics: &Metrics,
    ) -> Self {
        let door = Door::open(store).unwrap_or_else(|error| {
            eprintln!("driftline: {error}; everything else goes on");
            Door::default()
        });
        metrics.canary_every(every);
        // The first at once: what does not work is best known before it is needed.
        let due = every.map(|_| Instant::now());
        Self { every, due, round: None, askers: Vec::new(), door, machine, tier }
    }

    /// Waits for somebody who asks for one.
    pub(super) async fn asked(&mut self) -> oneshot::Sender<Report> {
        self.door.asked().await
    }

    /// Whoever comes while one is on its way is told of that one.
    pub(super) fn promise(&mut self, asker: oneshot::Sender<Report>) {
        self.askers.push(asker);
    }

    /// A few times a second: begins what is due, and looks how far it came.
    pub(super) fn tick<T: Task>(&mut self, node: &mut Node<T>, outlets: &mut Outlets) {
        let now = Instant::now();
        let is_due = self.due.is_some_and(|due| due <= now) || !self.askers.is_empty();
        if self.round.is_none() && is_due {
            outlets.canary = None;
            let begun = Cage::open(node.hierarchy(), &self.machine, &self.tier)
                .and_then(|cage| node.put(cage));
            self.round = Some(Round::new(now, begun.err().map(|error| format!("{error:#}"))));
            self.due = self.every.map(|every| now + every);
        }
        let Some(round) = &mut self.round else { return };
        let Some(report) = round.look(outlets.canary.as_deref(), &outlets.sinks_now(), now) else {
            return;
        };
        self.round = None;
        for sink in &report.sinks {
            outlets.metrics.canary(&sink.sink, sink.ok, jiff::Timestamp::now());
        }
        // Of one that was asked for its asker hears.
        if !report.ok && self.askers.is_empty() {
            eprintln!("driftline: the canary did not arrive everywhere: {}", report.sentence());
        }
        for asker in self.askers.drain(..) {
            // Who is gone wants to hear nothing.
            let _may_be_gone = asker.send(report.clone());
        }
    }
}
