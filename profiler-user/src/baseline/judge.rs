//! Whether a baseline holds what was observed.

use std::collections::{BTreeMap, BTreeSet};

use profiler_common::container::{KnownCalls, SET_OTHER, SET_WORDS};

use super::facts::{Fact, facts, path_name, syscall_name};
use super::model::{Baseline, Executable};
use super::names::{Keys, Name, Set};
use super::nearest;
use crate::behaviour::{Behaviour, Change, Exec, File, Observation, Operation, Syscall};
use crate::drift::{DriftKind, Finding, Novelty};
use crate::generalise::Secrets;
use crate::observe::{self, INJECTED};

/// These calls end a process or go back to where it was: they never come through `sys_exit`, or with a number that is no
/// longer theirs, so a recording cannot be relied on to hold them. Nothing can be done with them that no process does.
const ALWAYS_KNOWN: &[&str] = &["exit", "exit_group", "rt_sigreturn", "restart_syscall"];

/// A baseline made ready for judging. It keeps the keys only: what was seen when stays with the baseline.
#[derive(Debug)]
pub struct Judge {
    pub(super) executables: BTreeMap<String, Known>,
    names: Keys,
    pub(super) syscalls: BTreeSet<String>,
    calls: KnownCalls,
    /// Whether the recording could see capabilities at all.
    capabilities: bool,
    secrets: Secrets,
}

/// What one executable is known to do.
#[derive(Debug)]
pub(super) struct Known {
    sets: [Keys; Set::ALL.len()],
    fileless: bool,
    not_in_image: bool,
}

impl Judge {
    /// `key_id` names the key that secrets in the observations are hashed with. Unless the baseline was made with that key
    /// alone, one secret is as good as another.
    pub fn new(baseline: &Baseline, key_id: &str) -> Self {
        let same_key = baseline.redaction_key.iter().all(|key| key == key_id);
        let known =
            |(path, executable): (&String, &Executable)| (path.clone(), Known::new(executable));
        let mut judge = Self {
            executables: baseline.executables.iter().map(known).collect(),
            names: Keys::new(Set::Parents, baseline.executables.keys()),
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

    /// What of it is new; nothing when the baseline holds all of it.
    pub fn judge(&self, observation: &Observation) -> Vec<Finding> {
        let path = observation.process.executable.as_str();
        let known = self.executable(path);
        match &observation.behaviour {
            Behaviour::Syscall(syscall) => self.judge_syscall(syscall).into_iter().collect(),
            Behaviour::Exec(exec) => self.judge_exec(exec, observation, known),
            Behaviour::Capability(_) if !self.capabilities => Vec::new(),
            behaviour if known.is_some_and(|known| known.has_literally(behaviour)) => Vec::new(),
            _ => self.judge_facts(observation, known),
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
        if let Some(known) = self.executables.get(path).filter(|_| !path.contains('{')) {
            return Some(known);
        }
        self.executables.get(self.names.find(&path_name(path), self.secrets)?)
    }

    /// The executables that hold `name` in `set`.
    pub(super) fn holders(&self, set: Set, name: &Name) -> Vec<&str> {
        let holds = |known: &Known| known.find(set, name, self.secrets).is_some();
        self.executables
            .iter()
            .filter(|(_, known)| holds(known))
            .map(|(path, _)| path.as_str())
            .collect()
    }

    fn judge_syscall(&self, syscall: &Syscall) -> Option<Finding> {
        let name = syscall_name(syscall);
        if self.syscalls.contains(&name) || ALWAYS_KNOWN.contains(&name.as_str()) {
            return None;
        }
        Some(Finding {
            kind: if syscall.foreign { DriftKind::SyscallAbi } else { DriftKind::Syscall },
            nearest: Some(nearest::syscall(self, syscall)),
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
        let path = observation.process.executable.as_str();
        let finding = |kind, nearest| Finding {
            kind,
            object: path.to_owned(),
            pattern: path_name(path).key,
            novelty: Novelty::Container,
            nearest,
        };
        // A new executable is one finding; that its arguments are new as well says nothing more.
        let mut findings = match known {
            None => {
                let injected = exec.parent.as_deref() == Some(INJECTED);
                let kind = if injected { DriftKind::ExecInjected } else { DriftKind::Exec };
                vec![finding(kind, nearest::executable(self, exec.parent.as_deref()))]
            }
            Some(_) => self.judge_facts(observation, known),
        };
        // That both the way and the arguments of a program from outside are new is one finding, too.
        if let Some(last) = findings.iter().rposition(|one| one.kind == DriftKind::ExecInjected) {
            findings.swap(0, last);
            findings.truncate(1);
        }
        if exec.not_in_image && !known.is_some_and(|known| known.not_in_image) {
            findings.push(finding(DriftKind::ExecNotInImage, Some(nearest::not_in_image(self))));
        }
        if exec.fileless && !known.is_some_and(|known| known.fileless) {
            findings.push(finding(DriftKind::ExecFileless, Some(nearest::fileless(self))));
        }
        findings
    }

    fn judge_facts(&self, observation: &Observation, known: Option<&Known>) -> Vec<Finding> {
        let path = observation.process.executable.as_str();
        let is_new = |fact: &Fact| {
            known.is_none_or(|known| known.find(fact.set, &fact.name, self.secrets).is_none())
        };
        let finding = |fact: Fact| {
            let holders = self.holders(fact.set, &fact.name);
            Finding {
                kind: fact.kind,
                novelty: if holders.is_empty() { Novelty::Container } else { Novelty::Executable },
                nearest: nearest::fact(path, known, &fact, &holders),
                pattern: match fact.set {
                    Set::ReadDenied | Set::WriteDenied => format!("{} (denied)", fact.name.key),
                    _ => fact.name.key,
                },
                object: fact.object,
            }
        };
        facts(observation).into_iter().filter(is_new).map(finding).collect()
    }
}

/// Whether whoever recorded this could see capabilities used. In the restricted tier the system calls stand in for them.
fn sees_capabilities(baseline: &Baseline) -> bool {
    baseline.runs.values().any(|run| run.tier == "full")
        || baseline.executables.values().any(|executable| !executable.capability.is_empty())
}

impl Known {
    fn new(executable: &Executable) -> Self {
        Self {
            sets: Set::ALL.map(|set| Keys::new(set, executable.set(set).keys())),
            fileless: executable.fileless.is_some(),
            not_in_image: executable.not_in_image.is_some(),
        }
    }

    pub(super) fn set(&self, set: Set) -> &Keys {
        &self.sets[set as usize]
    }

    pub(super) fn find(&self, set: Set, name: &Name, secrets: Secrets) -> Option<&str> {
        self.set(set).find(name, secrets)
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
