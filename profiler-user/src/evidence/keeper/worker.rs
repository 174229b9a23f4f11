//! The thread that keeps evidence: one job after another.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::case::{self, Case};
use super::store;
use super::{Config, Drift, Job, Member, Place};
use crate::attest::SigningKey;
use crate::container::Identity;
use crate::evidence::bundle::{self, Spool, Why};
use crate::evidence::collect::{self, Executable};
use crate::evidence::runtime::{self, Sources};
use crate::evidence::{Collected, DIRECTORY};
use crate::runtime::Discovery;

/// Bundles of the node within an hour.
const BUNDLES_MAX: usize = 120;
const HOUR: Duration = Duration::from_hours(1);

pub(super) struct Worker {
    place: Place,
    directory: PathBuf,
    key: SigningKey,
    size: u64,
    /// Bytes of executables since it was last looked how much there is.
    kept: u64,
    /// Of the runtimes' daemons.
    logs: Vec<PathBuf>,
    cases: HashMap<String, Case>,
    /// When the last bundles were made.
    made: VecDeque<Instant>,
    /// The agent ends: what takes long is left to the next.
    hurry: Arc<AtomicBool>,
    /// Those that ended while no agent ran.
    ended: Vec<Member>,
}

impl Worker {
    pub(super) fn open(place: Place, key: SigningKey, config: &Config) -> Result<Self, String> {
        let directory = place.store.join(DIRECTORY);
        let executables = directory.join(store::EXECUTABLES);
        fs::create_dir_all(&executables)
            .map_err(|error| format!("cannot make {}: {error}", executables.display()))?;
        store::sweep(&directory);
        let (size, logs) = (config.size, config.runtime_logs.clone());
        let left = case::left(&directory).into_iter();
        let cases = left.map(|case| (case.member.identity.id.to_string(), case)).collect();
        let (made, hurry, ended) = (VecDeque::new(), Arc::default(), Vec::new());
        Ok(Self { place, directory, key, size, kept: 0, logs, cases, made, hurry, ended })
    }

    pub(super) fn hurry(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.hurry)
    }

    /// Containers that drifted under an agent before this one and still run: where their changes lie is opened. Of the others
    /// the bundle is made now, of what was kept.
    pub(super) fn go_on(&mut self) -> Vec<Member> {
        let mut running = Vec::new();
        for case in self.cases.values_mut() {
            let id = case.member.identity.id.as_str();
            let pids = case.member.pids(&self.place.hierarchy).into_iter();
            let pids = case.member.identity.pid.into_iter().chain(pids);
            let mut pids = pids.filter(|pid| super::is_of(*pid, id)).peekable();
            if pids.peek().is_some() {
                case.upper = pids.find_map(|pid| collect::Upper::of(pid).ok());
                running.push(case.member.clone());
            } else {
                self.ended.push(case.member.clone());
            }
        }
        running
    }

    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        for member in std::mem::take(&mut self.ended) {
            self.end(&member);
        }
        for id in self.cases.keys().cloned().collect::<Vec<_>>() {
            self.first_bundle(&id);
        }
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Drift(drift) => self.drift(*drift),
                Job::End(member) => self.end(&member),
            }
        }
    }

    fn drift(&mut self, drift: Drift) {
        let Drift { member, event, line, executable, upper } = drift;
        let id = member.identity.id.to_string();
        let mut noted = Ok(());
        if !self.cases.contains_key(&id) {
            let (case, begun) = Case::begin(&self.directory, member.clone(), event, upper);
            self.cases.insert(id.clone(), case);
            noted = begun;
        }
        let Some(case) = self.cases.get_mut(&id) else { return };
        noted = noted.and_then(|()| case.is_now(member)).and(case.event(line));
        if let Some(mut executable) = executable
            && case.wants(executable.pid, &executable.path)
        {
            match store::keep(&self.directory, &mut executable) {
                Ok(caught) => {
                    self.kept += caught.content().1;
                    noted = noted.and(case.executable(caught));
                    self.place.metrics.evidence("executable");
                }
                Err(error) => self.failed(&format!("the executable {}", executable.path), &error),
            }
        }
        if let Err(error) = noted {
            self.failed("what the next agent would go on with", &error);
        }
        self.first_bundle(&id);
        if self.kept > self.size / 8 {
            self.bound();
        }
    }

    /// Once of a container.
    fn first_bundle(&mut self, id: &str) {
        let Some(case) = self.cases.get(id) else { return };
        if case.bundled || self.hurries() {
            return;
        }
        let (member, event) = (case.member.clone(), case.first.clone());
        self.bundle(&member, Why::Drift { event });
        let noted = self.cases.get_mut(id).map(Case::has_its_first_bundle);
        if let Some(Err(error)) = noted {
            self.failed("what the next agent would go on with", &error);
        }
    }

    fn end(&mut self, member: &Member) {
        let id = member.identity.id.to_string();
        if let Some(case) = self.cases.get(&id)
            && !self.hurries()
        {
            let event = case.first.clone();
            let is_done = self.bundle(member, Why::End { event });
            if let Some(case) = self.cases.remove(&id)
                && is_done
            {
                case.close();
            }
        }
    }

    fn hurries(&self) -> bool {
        self.hurry.load(Ordering::Relaxed)
    }

    /// False where the next agent is to try again.
    fn bundle(&mut self, member: &Member, why: Why) -> bool {
        let now = Instant::now();
        while self.made.front().is_some_and(|at| now.duration_since(*at) > HOUR) {
            self.made.pop_front();
        }
        if self.made.len() >= BUNDLES_MAX {
            self.place.metrics.evidence("limited");
            return true;
        }
        self.made.push_back(now);
        let packed = self.pack(member, why);
        let is_done = packed.is_ok();
        match packed {
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
        self.bound();
        is_done
    }

    fn bound(&mut self) {
        self.kept = 0;
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
        let mut held: Vec<Executable> = Vec::new();
        for caught in &case.executables {
            let (pid, path) = caught.of();
            match caught.open(&self.directory) {
                Ok(executable) => held.push(executable),
                // Such as removed since, for --evidence-size.
                Err(error) => {
                    let path = self.place.redactor.redact_text(&path);
                    spool.missing(format!("exe of {pid}"), format!("{path}: {error}"));
                }
            }
        }
        let pids = member.pids(&self.place.hierarchy);
        let redactor = &self.place.redactor;
        collect::container(&mut spool, &pids, held, case.upper.as_ref(), redactor)?;
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
