//! When evidence is kept: at a container's first drift that is grave enough, and at its end.
//!
//! What cannot wait (the executable, the directory of changes) is opened where the drift is told of; everything else is
//! done by a thread of its own. **Invariant:** nothing here waits: what the queue has no room for is counted and said.

mod case;
mod store;
#[cfg(test)]
mod tests;
mod worker;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::worker::Worker;
use super::collect::{self, Executable, Upper};
use crate::attest::SigningKey;
use crate::container::Identity;
use crate::drift::{Event, Severity, event::Action};
use crate::http::Metrics;
use crate::redact::Redactor;
use crate::runtime::Endpoint;
use crate::store::Write;

/// Drifts that wait, each with an executable held open.
const QUEUE: usize = 512;
/// How long the agent's end waits for what is in the queue, and then for the one bundle that is being made.
const CLOSE: Duration = Duration::from_secs(8);
const LAST: Duration = Duration::from_secs(4);

/// What the command line asks for.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// From which on a drift is worth it.
    pub(crate) severity: Severity,
    pub(crate) key: Option<PathBuf>,
    /// Of the directory, in bytes.
    pub(crate) size: u64,
    /// Where the runtimes' daemons write; the journal where there is none.
    pub(crate) runtime_logs: Vec<PathBuf>,
}

/// What the worker needs besides.
pub(crate) struct Place {
    /// Of the history.
    pub(crate) store: PathBuf,
    /// Where the cgroup hierarchy is mounted.
    pub(crate) hierarchy: PathBuf,
    pub(crate) node: String,
    /// Asked for what they say of a container; those of the usual places where there are none.
    pub(crate) runtimes: Vec<Endpoint>,
    pub(crate) redactor: Redactor,
    pub(crate) metrics: Metrics,
}

enum Job {
    Drift(Box<Drift>),
    /// A container's end.
    End(Box<Member>),
}

/// A container as it is known by now.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Member {
    identity: Identity,
    cgroup: Option<String>,
}

impl Member {
    /// Its processes now. `hierarchy`: where that is mounted.
    fn pids(&self, hierarchy: &Path) -> Vec<u32> {
        let cgroup = self.cgroup.as_ref().map(|path| path.trim_start_matches('/'));
        cgroup.map(|path| collect::pids(&hierarchy.join(path))).unwrap_or_default()
    }
}

struct Drift {
    member: Member,
    event: String,
    line: String,
    executable: Option<Executable>,
    /// At the first of a container.
    upper: Option<Upper>,
}

pub(crate) struct Keeper {
    severity: Severity,
    queue: SyncSender<Job>,
    /// Nothing comes of it; it breaks when the thread ends.
    ended: Receiver<()>,
    hurry: Arc<AtomicBool>,
    known: HashMap<String, Member>,
    /// Of those, the ones that drifted.
    drifted: HashSet<String>,
    metrics: Metrics,
    lost: u64,
}

impl Keeper {
    /// # Errors
    /// One sentence: the key or the directory cannot be had.
    pub(crate) fn start(config: &Config, place: Place) -> Result<Self, String> {
        let key: SigningKey = super::key::load(config.key.as_deref(), &place.store)?;
        let (metrics, severity) = (place.metrics.clone(), config.severity);
        let mut worker = Worker::open(place, key, config)?;
        let hurry = worker.hurry();
        let (mut known, mut drifted) = (HashMap::new(), HashSet::new());
        for member in worker.go_on() {
            let id = member.identity.id.to_string();
            drifted.insert(id.clone());
            known.insert(id, member);
        }
        let (queue, jobs): (_, Receiver<Job>) = sync_channel(QUEUE);
        let (ending, ended) = sync_channel(0);
        std::thread::Builder::new()
            .name("evidence".to_owned())
            .spawn(move || {
                let _broken_when_this_ends: SyncSender<()> = ending;
                worker.run(&jobs);
            })
            .map_err(|error| format!("cannot start the thread that keeps evidence: {error}"))?;
        Ok(Self { severity, queue, ended, hurry, known, drifted, metrics, lost: 0 })
    }

    /// Looks at what is about to be written into the history.
    pub(crate) fn look(&mut self, write: &Write) {
        match write {
            Write::Container(entry) => {
                let id = entry.identity.id.to_string();
                let member = self
                    .known
                    .entry(id)
                    .or_insert_with(|| Member { identity: entry.identity.clone(), cgroup: None });
                member.identity.clone_from(&entry.identity);
                member.cgroup = entry.cgroup.clone().or(member.cgroup.take());
            }
            Write::Event(event) | Write::Evidence(event) => self.event(event),
            Write::Ended { id, .. } => {
                let member = self.known.remove(id.as_str());
                if self.drifted.remove(id.as_str())
                    && let Some(member) = member
                {
                    self.send(Job::End(Box::new(member)));
                }
            }
            _ => {}
        }
    }

    fn event(&mut self, event: &Event) {
        let is_grave = event.severity >= self.severity && event.action == Action::Created;
        if !is_grave || event.canary || event.silence.is_some() {
            return;
        }
        let Some(id) = &event.origin.container_id else { return };
        let Some(member) = self.known.get(id).cloned() else { return };
        let pid = event.process.as_ref().map(|process| process.pid);
        // First of all: the process may be about to end.
        let opened = pid.and_then(|pid| Executable::open(pid).ok());
        // A number is given to another process sooner or later: what was opened must be of this container.
        let executable = opened.filter(|opened| is_of(opened.pid, id));
        if pid.is_some() {
            let caught = executable.is_some();
            self.metrics.evidence(if caught { "process_caught" } else { "process_gone" });
        }
        let first = self.drifted.insert(id.clone());
        let upper = if first {
            // Its first process before the one that drifted: a process that makes itself a mount namespace may mount there what it likes.
            let alive = executable.as_ref().map(|executable| executable.pid);
            let own = member.identity.pid.filter(|pid| is_of(*pid, id));
            own.into_iter().chain(alive).find_map(|pid| Upper::of(pid).ok())
        } else {
            None
        };
        let line = serde_json::to_string(event).unwrap_or_default();
        let event = event.id.to_string();
        self.send(Job::Drift(Box::new(Drift { member, event, line, executable, upper })));
    }

    fn send(&mut self, job: Job) {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.queue.try_send(job)
        {
            self.metrics.evidence("queue_full");
            if self.lost == 0 {
                eprintln!(
                    "driftline: drift comes faster than evidence of it can be kept; see \
                     driftline_evidence_captures_total"
                );
            }
            self.lost += 1;
        }
    }

    /// Waits for what is in the queue, for 12 s at most: what is not done by then the next agent goes on with.
    pub(crate) fn close(self) {
        let Self { queue, ended, hurry, .. } = self;
        drop(queue);
        let is_late = |patience| ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout);
        if !is_late(CLOSE) {
            return;
        }
        hurry.store(true, Ordering::Relaxed);
        if is_late(LAST) {
            eprintln!(
                "driftline: evidence is still being kept after {} s; what is not done the next agent \
                 goes on with",
                (CLOSE + LAST).as_secs()
            );
        }
    }
}

fn is_of(pid: u32, container: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/cgroup"))
        .is_ok_and(|text| text.contains(container))
}
