//! Whether a baseline holds what was observed.

mod held;

use std::collections::BTreeSet;

use profiler_common::container::{KnownCalls, SET_OTHER, SET_WORDS};

use super::bound::Bound;
use super::facts::{Fact, facts, path_name, syscall_name};
use super::holders::Holders;
use super::keys::{Keys, Place, Sought};
use super::model::{Baseline, ENTRYPOINT, Executable};
use super::names::Set;
use super::nearest;
use crate::behaviour::{Behaviour, Change, Exec, File, Observation, Operation, Process, Syscall};
use crate::bind::Accepted;
use crate::drift::{DriftKind, Finding, Novelty};
use crate::generalise::{Secrets, join_args};

pub(super) use self::held::Slot;
use crate::observe::{self, INJECTED};

/// These calls end a process or go back to where it was: they never come through `sys_exit`, or with a number that is no
/// longer theirs, so a recording cannot be relied on to hold them. Nothing can be done with them that no process does.
const ALWAYS_KNOWN: &[&str] = &["exit", "exit_group", "rt_sigreturn", "restart_syscall"];

/// What programs ask the vDSO, which answers without a call for as long as it can read the machine's clock. Where the kernel stops
/// trusting that clock, which may be at any moment, the same program makes the call: that says something of the machine alone.
const ASKED_OF_VDSO: &[&str] = &["clock_gettime", "gettimeofday"];

/// A baseline made ready for judging. It keeps the keys only: what was seen when stays with the baseline.
#[derive(Debug)]
pub struct Judge {
    /// Of the executables, one for one.
    paths: Keys,
    known: Vec<Known>,
    holders: Holders,
    pub(super) syscalls: BTreeSet<String>,
    calls: KnownCalls,
    /// Whether the recording could see capabilities at all.
    capabilities: bool,
    secrets: Secrets,
}

/// What one executable is known to do.
#[derive(Debug)]
pub(super) struct Known {
    /// None where the set is empty, as most are.
    sets: [Option<Box<Keys>>; Set::ALL.len()],
    fileless: bool,
    not_in_image: bool,
    /// Where it is judged in another environment's words.
    pub(super) bound: Option<Box<Bound>>,
}

impl Judge {
    /// `key_id` names the key that secrets in the observations are hashed with. Unless the baseline was made with that key
    /// alone, one secret is as good as another.
    pub fn new(baseline: &Baseline, key_id: &str) -> Self {
        let same_key = baseline.redaction_key.iter().all(|key| key == key_id);
        let known: Vec<_> = baseline.executables.values().map(Known::new).collect();
        let mut judge = Self {
            paths: Keys::new(Set::Parents, baseline.executables.keys()),
            holders: Holders::new(&known),
            known,
            syscalls: baseline.syscalls.keys().cloned().collect(),
            calls: [0; SET_WORDS],
            capabilities: sees_capabilities(baseline),
            secrets: if same_key { Secrets::Exact } else { Secrets::Any },
        };
        // The last bit stands for every number beyond the set: those are judged each by itself.
        for number in 0..SET_OTHER {
            let call = observe::syscall(u64::from(number), false, false);
            if judge.judge_syscall(&call).is_none() {
                judge.calls[(number / 64) as usize] |= 1 << (number % 64);
            }
        }
        judge
    }

    /// What binding did, of the executables one for one.
    pub(super) fn set_bound(&mut self, all: Vec<Bound>) {
        for (known, bound) in self.known.iter_mut().zip(all) {
            known.bound = Some(Box::new(bound));
        }
    }

    /// What of it is new; nothing when the baseline holds all of it. What comes nearest to it is not looked for: a repeat
    /// needs no explanation.
    pub fn judge(&self, observation: &Observation) -> Vec<Finding> {
        let path = &*observation.process.executable;
        let known = self.executable(path);
        match &observation.behaviour {
            Behaviour::Syscall(syscall) => self.judge_syscall(syscall).into_iter().collect(),
            Behaviour::Exec(exec) => self.judge_exec(exec, observation, known),
            Behaviour::Capability(_) if !self.capabilities => Vec::new(),
            behaviour if known.is_some_and(|known| known.has_literally(behaviour)) => Vec::new(),
            _ => self.judge_facts(observation, known),
        }
    }

    /// What the baseline holds that comes nearest to one of the observation's findings, as a phrase.
    pub fn nearest(&self, observation: &Observation, finding: &Finding) -> Option<String> {
        let path = &*observation.process.executable;
        let known = self.executable(path);
        match (finding.kind, &observation.behaviour) {
            (_, Behaviour::Syscall(syscall)) => Some(nearest::syscall(self, syscall)),
            (DriftKind::ExecNotInImage, _) => Some(nearest::not_in_image(self)),
            (DriftKind::ExecFileless, _) => Some(nearest::fileless(self)),
            (_, Behaviour::Exec(exec)) if known.is_none() => {
                nearest::executable(self, exec.parent.as_deref())
            }
            _ => {
                let is_it =
                    |fact: &Fact| fact.kind == finding.kind && fact.object == finding.object;
                let fact = facts(observation).into_iter().find(is_it)?;
                nearest::fact(path, known, &fact, &self.holders_of(&fact))
            }
        }
    }

    /// The native calls, let through by every filter, that are no drift.
    pub fn known_calls(&self) -> &KnownCalls {
        &self.calls
    }

    /// Drift or no drift, without saying which.
    pub fn is_known(&self, observation: &Observation) -> bool {
        self.judge(observation).is_empty()
    }

    pub(super) fn executable(&self, path: &str) -> Option<&Known> {
        self.place(path).map(|place| &self.known[place])
    }

    fn place(&self, path: &str) -> Option<Place> {
        let find = || self.paths.find(&Sought::new(&path_name(path)), self.secrets);
        self.paths.literal(path).or_else(find)
    }

    /// The entry that would hold it, where such are learned anew.
    fn relearned(&self, path: &str, fact: &Fact) -> Option<Accepted> {
        let place = self.place(path)?;
        self.known[place].bound.as_ref()?.relearned(self.paths.key(place), fact)
    }

    /// The executables of which this holds.
    pub(super) fn those(&self, holds: impl Fn(&Known) -> bool) -> Vec<&str> {
        let known = self.known.iter().enumerate().filter(|(_, known)| holds(known));
        known.map(|(place, _)| self.paths.key(place)).collect()
    }

    /// The executables that hold a fact by one of its names.
    fn holders_of(&self, fact: &Fact) -> Vec<&str> {
        let holders = |name| self.holders(fact.set, &Sought::new(name));
        fact.names().map(holders).find(|holders| !holders.is_empty()).unwrap_or_default()
    }

    /// The executables that hold a name in `set`.
    pub(super) fn holders(&self, set: Set, name: &Sought<'_>) -> Vec<&str> {
        let candidates = self.holders.candidates(set, name, self.known.len());
        let holders = candidates.filter(|at| self.known[*at].holds(set, name, self.secrets));
        holders.map(|at| self.paths.key(at)).collect()
    }

    fn judge_syscall(&self, syscall: &Syscall) -> Option<Finding> {
        let name = syscall_name(syscall);
        let mut always = ALWAYS_KNOWN.iter().chain(ASKED_OF_VDSO);
        if self.syscalls.contains(&name) || always.any(|known| *known == name) {
            return None;
        }
        Some(Finding {
            kind: if syscall.foreign { DriftKind::SyscallAbi } else { DriftKind::Syscall },
            nearest: None,
            relearn: None,
            object: name.clone(),
            pattern: name,
            novelty: Novelty::Container,
        })
    }

    fn judge_exec(
        &self,
        exec: &Exec,
        observation: &Observation,
        known: Option<&Known>,
    ) -> Vec<Finding> {
        let path = &*observation.process.executable;
        let finding = |kind| Finding {
            kind,
            object: path.to_owned(),
            pattern: path_name(path).key,
            novelty: Novelty::Container,
            nearest: None,
            relearn: None,
        };
        // A new executable is one finding; that its arguments are new as well says nothing more.
        let mut findings = match known {
            None => {
                let injected = exec.parent.as_deref() == Some(INJECTED);
                let kind = if injected { DriftKind::ExecInjected } else { DriftKind::Exec };
                vec![finding(kind)]
            }
            Some(known) if known.has_exec(exec, &observation.process) => Vec::new(),
            Some(_) => self.judge_facts(observation, known),
        };
        // That both the way and the arguments of a program from outside are new is one finding, too.
        if let Some(last) = findings.iter().rposition(|one| one.kind == DriftKind::ExecInjected) {
            findings.swap(0, last);
            findings.truncate(1);
        }
        if exec.not_in_image && !known.is_some_and(|known| known.not_in_image) {
            findings.push(finding(DriftKind::ExecNotInImage));
        }
        if exec.fileless && !known.is_some_and(|known| known.fileless) {
            findings.push(finding(DriftKind::ExecFileless));
        }
        findings
    }

    fn judge_facts(&self, observation: &Observation, known: Option<&Known>) -> Vec<Finding> {
        let path = &*observation.process.executable;
        let finding = |fact: Fact| {
            let holds = |known: &Known| {
                let holds = |name| known.holds(fact.set, &Sought::new(name), self.secrets);
                fact.names().any(holds)
            };
            if known.is_some_and(holds) {
                return None;
            }
            let holders = self.holders_of(&fact);
            Some(Finding {
                kind: fact.kind,
                novelty: if holders.is_empty() { Novelty::Container } else { Novelty::Executable },
                nearest: None,
                relearn: self.relearned(path, &fact).map(Box::new),
                pattern: match fact.set {
                    Set::ReadDenied | Set::WriteDenied => format!("{} (denied)", fact.name.key),
                    _ => fact.name.key,
                },
                object: fact.object,
            })
        };
        facts(observation).into_iter().filter_map(finding).collect()
    }
}

/// Whether whoever recorded this could see capabilities used. In the restricted tier the system calls stand in for them.
fn sees_capabilities(baseline: &Baseline) -> bool {
    baseline.runs.values().any(|run| run.tier == "full")
        || baseline.executables.values().any(|executable| !executable.capability.is_empty())
}

impl Known {
    fn new(executable: &Executable) -> Self {
        let keys = |set| {
            let keys = executable.set(set);
            (!keys.is_empty()).then(|| Box::new(Keys::new(set, keys.keys())))
        };
        Self {
            sets: Set::ALL.map(keys),
            fileless: executable.fileless.is_some(),
            not_in_image: executable.not_in_image.is_some(),
            bound: None,
        }
    }

    pub(super) fn set(&self, set: Set) -> &Keys {
        self.sets[set as usize].as_deref().unwrap_or(Keys::NONE)
    }

    fn holds(&self, set: Set, name: &Sought<'_>, secrets: Secrets) -> bool {
        self.set(set).find(name, secrets).is_some()
    }

    pub(super) fn is_fileless(&self) -> bool {
        self.fileless
    }

    pub(super) fn is_not_in_image(&self) -> bool {
        self.not_in_image
    }

    /// The common case, decided without making a pattern of the path.
    fn has_literally(&self, behaviour: &Behaviour) -> bool {
        match behaviour {
            Behaviour::File(file) => self.has_file(file),
            Behaviour::Map(map) => self.set(Set::MapExec).has_literal(&map.path),
            Behaviour::Change(Change { path, operation: Operation::Delete }) => {
                self.set(Set::Delete).has_literal(path)
            }
            _ => false,
        }
    }

    /// The same of a program's start.
    fn has_exec(&self, exec: &Exec, process: &Process) -> bool {
        let parent = exec.parent.as_deref().unwrap_or(ENTRYPOINT);
        !process.args_cut
            && self.set(Set::Parents).has_literal(parent)
            && self.set(Set::Args).has_literal(&join_args(&process.args))
    }

    fn has_file(&self, file: &File) -> bool {
        let has = |allowed, denied| {
            self.set(if file.denied { denied } else { allowed }).has_literal(&file.path)
        };
        (!file.read || has(Set::Read, Set::ReadDenied))
            && (!file.write || has(Set::Write, Set::WriteDenied))
    }
}

#[cfg(test)]
mod changes;
#[cfg(test)]
mod tests;
