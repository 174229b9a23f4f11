//! A baseline's entries as a list.

use super::aspect::Aspect;
use super::model::{Baseline, ENTRYPOINT, Executable};
use super::names::{self, Name, Set};
use super::portable::is_bound;
use super::seen::Seen;
use crate::drift::DriftKind;
use crate::generalise::split_args;
use crate::observe::INJECTED;

/// One thing that the image does.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// None for system calls.
    pub executable: Option<&'a str>,
    /// The list that holds it, as the file names it: `read`, `connect`, `syscalls`.
    pub list: &'static str,
    pub key: &'a str,
    pub seen: &'a Seen,
    /// What it would be as drift.
    pub kind: DriftKind,
    /// Bound to where it was recorded: a peer, a mount, the name of a host.
    pub bound: bool,
    set: Option<Set>,
}

impl Entry<'_> {
    /// The kind of behaviour that its completeness is told with.
    pub fn aspect(&self) -> Aspect {
        match (self.set, self.executable) {
            (Some(set), _) => Aspect::of(set),
            (None, Some(_)) => Aspect::Programs,
            (None, None) => Aspect::Syscalls,
        }
    }
}

impl Baseline {
    /// Every entry, in the order of the file.
    pub fn list(&self) -> Vec<Entry<'_>> {
        let calls = self.syscalls.iter().map(|(key, seen)| {
            let kind =
                if key.contains("(foreign") { DriftKind::SyscallAbi } else { DriftKind::Syscall };
            let (executable, list, set) = (None, "syscalls", None);
            Entry { executable, list, key, seen, kind, bound: false, set }
        });
        let of_executables = self.executables.iter().flat_map(|(path, executable)| {
            let sets = Set::ALL.into_iter().flat_map(move |set| {
                executable.set(set).iter().map(move |(key, seen)| Entry {
                    executable: Some(path),
                    list: set.name(),
                    key,
                    seen,
                    kind: kind(set, key),
                    bound: is_bound(set, key),
                    set: Some(set),
                })
            });
            sets.chain(flags(path, executable))
        });
        calls.chain(of_executables).collect()
    }

    /// The same entry of this baseline; of an entry that another one learned literally, the pattern that holds it.
    pub fn counterpart(&self, entry: &Entry<'_>) -> Option<&Seen> {
        let Some(executable) = entry.executable else { return self.syscalls.get(entry.key) };
        let executable = self.executables.get(executable)?;
        let Some(set) = entry.set else {
            return match entry.kind {
                DriftKind::ExecFileless => executable.fileless.as_ref(),
                _ => executable.not_in_image.as_ref(),
            };
        };
        let literal = set.patterns(entry.key).filter(|_| !entry.key.contains('{'));
        let values = match (set, literal) {
            (_, None) => Vec::new(),
            (Set::Args | Set::Link | Set::Meta, _) => split_args(entry.key).unwrap_or_default(),
            _ => vec![entry.key.to_owned()],
        };
        let name = Name { key: entry.key.to_owned(), values };
        let all = executable.set(set);
        names::find(all, set, &name).and_then(|key| all.get(key))
    }
}

fn flags<'a>(path: &'a str, executable: &'a Executable) -> impl Iterator<Item = Entry<'a>> {
    let flags = [
        ("fileless", DriftKind::ExecFileless, &executable.fileless),
        ("not_in_image", DriftKind::ExecNotInImage, &executable.not_in_image),
    ];
    flags.into_iter().filter_map(move |(list, kind, seen)| {
        let seen = seen.as_ref()?;
        Some(Entry { executable: Some(path), list, key: path, seen, kind, bound: false, set: None })
    })
}

fn kind(set: Set, key: &str) -> DriftKind {
    match set {
        Set::Parents if key == INJECTED => DriftKind::ExecInjected,
        Set::Parents if key == ENTRYPOINT => DriftKind::Exec,
        Set::Parents => DriftKind::ExecParent,
        Set::Args => DriftKind::ExecArgs,
        Set::Read | Set::ReadDenied => DriftKind::FileRead,
        Set::Write | Set::WriteDenied => DriftKind::FileWrite,
        Set::Delete => DriftKind::FileDelete,
        Set::Link => DriftKind::FileLink,
        Set::Meta => DriftKind::FileMeta,
        Set::MapExec => DriftKind::FileMapExec,
        Set::Connect => DriftKind::NetConnect,
        Set::Listen => DriftKind::NetListen,
        Set::Accept => DriftKind::NetAccept,
        Set::Socket => DriftKind::NetSocket,
        Set::Unix => DriftKind::NetUnix,
        Set::Identity => DriftKind::Identity,
        Set::Escape => DriftKind::ContainerEscape,
        Set::Dns => DriftKind::Dns,
        Set::Capability => DriftKind::Capability,
    }
}
