//! The thread that keeps evidence: one job after another.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::store::{self, Caught};
use super::{Config, Drift, Job, Member, Place};
use crate::attest::SigningKey;
use crate::container::Identity;
use crate::evidence::bundle::{self, Spool, Why};
use crate::evidence::collect::{self, Executable, Upper};
use crate::evidence::runtime::{self, Sources};
use crate::evidence::{Collected, DIRECTORY};
use crate::runtime::Discovery;

/// Bundles of the node within an hour.
const BUNDLES_MAX: usize = 120;
/// Of one container.
const EXECUTABLES_MAX: usize = 512;
const LINES_MAX: usize = 1000;
const HOUR: Duration = Duration::from_hours(1);

pub(super) struct Worker {
    place: Place,
    directory: PathBuf,
    key: SigningKey,
    size: u64,
    /// Of the runtimes' daemons.
    logs: Vec<PathBuf>,
    cases: HashMap<String, Case>,
    /// When the last bundles were made.
    made: VecDeque<Instant>,
}

/// A container that drifted.
#[derive(Default)]
struct Case {
    first: String,
    lines: Vec<String>,
    /// Drifts whose line was not kept.
    more: u64,
    executables: Vec<Caught>,
    seen: HashSet<(u32, String)>,
    upper: Option<Upper>,
}

impl Worker {
    pub(super) fn open(place: Place, key: SigningKey, config: &Config) -> Result<Self, String> {
        let directory = place.store.join(DIRECTORY);
        let executables = directory.join(store::EXECUTABLES);
        fs::create_dir_all(&executables)
            .map_err(|error| format!("cannot make {}: {error}", executables.display()))?;
        store::sweep(&directory);
        let (size, logs) = (config.size, config.runtime_logs.clone());
        let (cases, made) = (HashMap::new(), VecDeque::new());
        Ok(Self { place, directory, key, size, logs, cases, made })
    }

    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Drift(drift) => self.drift(*drift),
                Job::End(member) => self.end(&member),
            }
        }
    }

    fn drift(&mut self, drift: Drift) {
        let id = drift.member.identity.id.to_string();
        let is_first = !self.cases.contains_key(&id);
        let case = self.cases.entry(id.clone()).or_default();
        if is_first {
            case.first.clone_from(&drift.event);
            case.upper = drift.upper;
        }
        if case.lines.len() < LINES_MAX {
            case.lines.push(drift.line);
        } else {
            case.more += 1;
        }
        if let Some(mut executable) = drift.executable
            && case.executables.len() < EXECUTABLES_MAX
            && case.seen.insert((executable.pid, executable.path.clone()))
        {
            match store::keep(&self.directory, &mut executable) {
                Ok(caught) => {
                    case.executables.push(caught);
                    self.place.metrics.evidence("executable");
                }
                Err(error) => self.failed(&format!("the executable {}", executable.path), &error),
            }
        }
        if is_first {
            self.bundle(&drift.member, Why::Drift { event: drift.event });
        }
    }

    fn end(&mut self, member: &Member) {
        let id = member.identity.id.to_string();
        if let Some(case) = self.cases.get(&id) {
            let event = case.first.clone();
            self.bundle(member, Why::End { event });
            self.cases.remove(&id);
        }
    }

    fn bundle(&mut self, member: &Member, why: Why) {
        let now = Instant::now();
        while self.made.front().is_some_and(|at| now.duration_since(*at) > HOUR) {
            self.made.pop_front();
        }
        if self.made.len() >= BUNDLES_MAX {
            self.place.metrics.evidence("limited");
            return;
        }
        self.made.push_back(now);
        match self.pack(member, why) {
            Ok(path) => {
                self.place.metrics.evidence("bundle");
                eprintln!(
                    "driftline: evidence of the container {} is in {}",
                    member.identity.id.short(),
                    path.display()
                );
            }
            Err(error) => self.failed("a bundle", &error),
        }
        for removed in store::bound(&self.directory, self.size) {
            self.place.metrics.evidence("removed");
            eprintln!(
                "driftline: the evidence {} was removed: there is more than --evidence-size",
                removed.display()
            );
        }
    }

    fn pack(&self, member: &Member, why: Why) -> std::io::Result<PathBuf> {
        let mut spool = Spool::new(&self.directory)?;
        let case = &self.cases[member.identity.id.as_str()];
        let mut collected = Collected::default();
        collected.piece("events.ndjson", case.lines.join("\n") + "\n");
        if case.more > 0 {
            collected.missing("events.ndjson", format!("{} more are in the history", case.more));
        }
        spool.add(collected)?;
        let held = case.executables.iter().map(|caught| caught.open(&self.directory));
        let mut held: Vec<Executable> = held.collect::<Result<_, _>>()?;
        let cgroup = member.cgroup.as_ref().map(|path| path.trim_start_matches('/'));
        let pids =
            cgroup.map(|path| collect::pids(&self.place.hierarchy.join(path))).unwrap_or_default();
        let redactor = &self.place.redactor;
        collect::container(&mut spool, &pids, &mut held, case.upper.as_ref(), redactor)?;
        spool.add(self.told_of(&member.identity)?)?;
        let identity = Some(member.identity.clone());
        bundle::write(&self.directory, spool, why, &self.place.node, identity, &self.key)
    }

    /// After everything else: it may take half a minute, and nothing of it goes away sooner than what was taken before.
    fn told_of(&self, identity: &Identity) -> std::io::Result<Collected> {
        let given = self.place.runtimes.clone();
        let endpoints = if given.is_empty() { Discovery::usual().look() } else { given };
        let sources = Sources { endpoints, logs: self.logs.clone() };
        runtime::ask_now(&sources, Some(identity), &self.place.redactor)
    }

    fn failed(&self, what: &str, error: &std::io::Error) {
        self.place.metrics.evidence("failed");
        eprintln!(
            "driftline: {} could not be kept as evidence in {}: {error}; everything else goes on",
            crate::drift::clean(what),
            self.directory.display()
        );
    }
}
