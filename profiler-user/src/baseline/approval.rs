//! What somebody allows although no recording did it: beside what was observed, never among it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::facts::path_name;
use super::model::{Baseline, ENTRYPOINT};
use super::names::Set;
use super::scope::{Scope, Whereabouts};
use super::seen::{Phases, Seen, to_second};
use crate::drift::DriftKind;
use crate::generalise::generalise_args;
use crate::observe::INJECTED;

/// One drift, allowed from now on.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Approval {
    pub approved: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    pub reason: String,
    /// From then on it is drift again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// For which containers of the image.
    #[serde(default, skip_serializing_if = "Scope::is_image")]
    pub scope: Scope,
    /// The pattern of the executable's path; none for a system call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executable: Option<String>,
    /// By the executable's lists, the patterns that it may have there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    allows: BTreeMap<Set, BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    syscalls: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    fileless: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    not_in_image: bool,
}

/// Why, for how long and for whom.
#[derive(Clone, Debug)]
pub struct Grant {
    pub approved: Timestamp,
    pub by: Option<String>,
    pub reason: String,
    pub expires: Option<Timestamp>,
    pub scope: Scope,
}

/// A drift event, as far as it says what would have to be allowed.
#[derive(Clone, Debug, Deserialize)]
pub struct Drifted {
    #[serde(rename = "drift.kind")]
    pub kind: DriftKind,
    #[serde(rename = "drift.object")]
    pub object: String,
    /// None where it is the object.
    #[serde(rename = "drift.pattern")]
    pattern: Option<String>,
    #[serde(rename = "process.executable.path")]
    executable: Option<String>,
    #[serde(default, rename = "process.command_args")]
    args: Vec<String>,
    #[serde(default, rename = "process.args_cut")]
    args_cut: bool,
    #[serde(default, rename = "process.ancestry")]
    ancestry: Vec<Parent>,
    #[serde(default, rename = "file.denied")]
    denied: bool,
    /// It tells of so many.
    #[serde(rename = "drift.group.objects")]
    objects: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
struct Parent {
    executable: String,
}

impl Approval {
    /// The error says why nothing can be allowed.
    pub fn of(event: &Drifted, grant: Grant) -> Result<Self, &'static str> {
        let pattern = || event.pattern.clone().unwrap_or_else(|| event.object.clone());
        if event.objects.is_some() {
            return Err(
                "it tells of many, and each of them is in the node agent's store alone: give that with --store",
            );
        }
        let Grant { approved, by, reason, expires, scope } = grant;
        let mut approval = Self {
            approved: to_second(approved),
            by,
            reason,
            expires: expires.map(to_second),
            scope,
            executable: None,
            allows: BTreeMap::new(),
            syscalls: BTreeSet::new(),
            fileless: false,
            not_in_image: false,
        };
        if matches!(event.kind, DriftKind::Syscall | DriftKind::SyscallAbi) {
            approval.syscalls.insert(pattern());
            return Ok(approval);
        }
        let path = event.executable.as_deref().ok_or("it is about no process")?;
        approval.executable = Some(path_name(path).key);
        let parent = || match event.ancestry.first() {
            _ if event.kind == DriftKind::ExecInjected => INJECTED.to_owned(),
            Some(parent) => path_name(&parent.executable).key,
            None => ENTRYPOINT.to_owned(),
        };
        let args = || generalise_args(&event.args, event.args_cut);
        let set = match event.kind {
            DriftKind::Exec | DriftKind::ExecInjected => {
                approval.allow(Set::Parents, parent());
                approval.allow(Set::Args, args());
                return Ok(approval);
            }
            DriftKind::ExecFileless => {
                approval.fileless = true;
                return Ok(approval);
            }
            DriftKind::ExecNotInImage => {
                approval.not_in_image = true;
                return Ok(approval);
            }
            DriftKind::ExecParent => Set::Parents,
            DriftKind::ExecArgs => Set::Args,
            DriftKind::FileRead if event.denied => Set::ReadDenied,
            DriftKind::FileRead => Set::Read,
            DriftKind::FileWrite if event.denied => Set::WriteDenied,
            DriftKind::FileWrite => Set::Write,
            DriftKind::FileDelete => Set::Delete,
            DriftKind::FileLink => Set::Link,
            DriftKind::FileMeta => Set::Meta,
            DriftKind::FileMapExec => Set::MapExec,
            DriftKind::NetConnect => Set::Connect,
            DriftKind::NetListen => Set::Listen,
            DriftKind::NetAccept => Set::Accept,
            DriftKind::NetUnix => Set::Unix,
            DriftKind::NetSocket => Set::Socket,
            DriftKind::Dns => Set::Dns,
            DriftKind::Capability => Set::Capability,
            DriftKind::Identity => Set::Identity,
            DriftKind::ContainerEscape => Set::Escape,
            _ => return Err("it is not about what a container does"),
        };
        let pattern = pattern();
        let key = match set {
            Set::ReadDenied | Set::WriteDenied => {
                pattern.strip_suffix(" (denied)").unwrap_or(&pattern).to_owned()
            }
            _ => pattern,
        };
        approval.allow(set, key);
        Ok(approval)
    }

    fn allow(&mut self, set: Set, key: String) {
        self.allows.entry(set).or_default().insert(key);
    }

    /// Each thing that it allows: of which list, and which.
    pub fn entries(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let path = self.executable.as_deref().unwrap_or_default();
        let flags = [("fileless", self.fileless), ("not_in_image", self.not_in_image)];
        let flags = flags.into_iter().filter(|(_, is_so)| *is_so);
        let keys = self
            .allows
            .iter()
            .flat_map(|(set, keys)| keys.iter().map(|key| (set.name(), key.as_str())));
        let calls = self.syscalls.iter().map(|call| ("syscalls", call.as_str()));
        calls.chain(keys).chain(flags.map(move |(list, _)| (list, path)))
    }

    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    fn apply(&self, baseline: &mut Baseline) {
        let time = self.approved;
        let (phase, siblings, runs) = (Phases::default(), BTreeSet::new(), BTreeMap::new());
        let seen = Seen { first: time, last: time, phase, siblings, runs };
        for call in &self.syscalls {
            baseline.syscalls.entry(call.clone()).or_insert_with(|| seen.clone());
        }
        let Some(path) = &self.executable else { return };
        let executable = baseline.executables.entry(path.clone()).or_default();
        for (set, keys) in &self.allows {
            for key in keys {
                executable.set_mut(*set).entry(key.clone()).or_insert_with(|| seen.clone());
            }
        }
        if self.fileless {
            executable.fileless.get_or_insert_with(|| seen.clone());
        }
        if self.not_in_image {
            executable.not_in_image.get_or_insert(seen);
        }
    }
}

impl Baseline {
    /// What may be done at a place: what was recorded, and what is approved there now.
    pub fn with_approved(&self, at: Whereabouts<'_>, now: Timestamp) -> Cow<'_, Self> {
        let holds = |approval: &&Approval| approval.scope.holds(at) && !approval.is_over(now);
        let approvals: Vec<_> = self.approvals.values().filter(holds).collect();
        if approvals.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut allowed = self.clone();
        for approval in approvals {
            approval.apply(&mut allowed);
        }
        Cow::Owned(allowed)
    }

    /// When the next of its approvals ends.
    pub fn next_expiry(&self, now: Timestamp) -> Option<Timestamp> {
        let ends = self.approvals.values().filter_map(|approval| approval.expires);
        ends.filter(|end| *end > now).min()
    }
}

#[cfg(test)]
mod tests;
