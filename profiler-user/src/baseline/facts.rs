//! What an observation says about its executable, in the words of a baseline.

use super::model::ENTRYPOINT;
use super::names::{Name, Set};
use crate::behaviour::{
    Behaviour, Change, DELETED, Exec, File, Observation, Operation, Process, Syscall,
};
use crate::drift::DriftKind;
use crate::generalise::{
    Changed, Peer, accept, change, connect, generalise_args, generalise_path, host, join_args,
    listen, socket, unix_peer,
};
use crate::observe::INJECTED;

/// One statement: this executable has this in that set.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub(super) kind: DriftKind,
    pub(super) set: Set,
    /// As seen.
    pub(super) object: String,
    pub(super) name: Name,
    /// What else it may be known by.
    pub(super) others: Vec<Name>,
}

impl Fact {
    /// The best first: where it is new it is learned by that.
    pub(super) fn names(&self) -> impl Iterator<Item = &Name> {
        std::iter::once(&self.name).chain(&self.others)
    }
}

/// System calls need no executable; that a program has no file, or is not the image's, needs no object: they are not
/// among these.
pub(super) fn facts(observation: &Observation) -> Vec<Fact> {
    match &observation.behaviour {
        Behaviour::Exec(exec) => of_exec(exec, &observation.process).into(),
        Behaviour::File(file) => of_file(file),
        Behaviour::Change(change) => vec![of_change(change)],
        Behaviour::Map(map) => vec![Fact {
            kind: DriftKind::FileMapExec,
            set: Set::MapExec,
            object: map.path.clone(),
            name: path_name(&map.path),
            others: Vec::new(),
        }],
        Behaviour::Connect(to) => vec![of_peer(DriftKind::NetConnect, Set::Connect, connect(to))],
        Behaviour::Listen(on) => vec![of_peer(DriftKind::NetListen, Set::Listen, listen(on))],
        Behaviour::Accept(from) => vec![of_peer(DriftKind::NetAccept, Set::Accept, accept(from))],
        Behaviour::Socket(sort) => {
            vec![of_peer(DriftKind::NetSocket, Set::Socket, socket(*sort))]
        }
        Behaviour::Unix(unix) => vec![Fact {
            kind: DriftKind::NetUnix,
            set: Set::Unix,
            object: unix.peer.clone(),
            name: Name { key: unix_peer(&unix.peer), values: vec![unix.peer.clone()] },
            others: Vec::new(),
        }],
        Behaviour::Identity(change) => vec![Fact {
            kind: DriftKind::Identity,
            set: Set::Identity,
            object: change.to_string(),
            name: literal(&change.to_string()),
            others: Vec::new(),
        }],
        Behaviour::Escape(escape) => vec![Fact {
            kind: DriftKind::ContainerEscape,
            set: Set::Escape,
            object: escape.cgroup.clone(),
            name: path_name(&escape.cgroup),
            others: Vec::new(),
        }],
        Behaviour::Dns(answer) => vec![Fact {
            kind: DriftKind::Dns,
            set: Set::Dns,
            object: answer.name.clone(),
            name: Name { key: host(&answer.name), values: vec![answer.name.clone()] },
            others: Vec::new(),
        }],
        Behaviour::Capability(capability) => vec![Fact {
            kind: DriftKind::Capability,
            set: Set::Capability,
            object: capability.to_string(),
            name: literal(&capability.to_string()),
            others: Vec::new(),
        }],
        Behaviour::Syscall(_) => Vec::new(),
    }
}

/// A name that is no pattern.
fn literal(key: &str) -> Name {
    Name { key: key.to_owned(), values: Vec::new() }
}

/// An executable's own name, or any path.
pub(super) fn path_name(path: &str) -> Name {
    Name { key: generalise_path(path), values: vec![path.to_owned()] }
}

pub(super) fn syscall_name(syscall: &Syscall) -> String {
    let Syscall { name, denied, foreign } = syscall;
    match (foreign, denied) {
        (false, false) => name.clone(),
        (false, true) => format!("{name} (denied)"),
        (true, false) => format!("{name} (foreign)"),
        (true, true) => format!("{name} (foreign, denied)"),
    }
}

fn of_exec(exec: &Exec, process: &Process) -> [Fact; 2] {
    let parent = exec.parent.as_deref();
    let injected = parent == Some(INJECTED);
    let mut values = process.args.to_vec();
    if process.args_cut {
        values.push("…".to_owned());
    }
    [
        Fact {
            kind: if injected { DriftKind::ExecInjected } else { DriftKind::ExecParent },
            set: Set::Parents,
            object: if injected { &process.executable } else { parent.unwrap_or(ENTRYPOINT) }
                .to_owned(),
            name: match parent {
                None => literal(ENTRYPOINT),
                Some(INJECTED) => literal(INJECTED),
                Some(parent) => path_name(parent),
            },
            others: Vec::new(),
        },
        Fact {
            kind: if injected { DriftKind::ExecInjected } else { DriftKind::ExecArgs },
            set: Set::Args,
            object: join_args(&values),
            name: Name { key: generalise_args(&process.args, process.args_cut), values },
            others: Vec::new(),
        },
    ]
}

fn of_file(file: &File) -> Vec<Fact> {
    let fact = |kind, allowed, denied| Fact {
        kind,
        set: if file.denied { denied } else { allowed },
        object: file.path.clone(),
        name: path_name(&file.path),
        others: with_its_name(&file.path).into_iter().collect(),
    };
    let read = file.read.then(|| fact(DriftKind::FileRead, Set::Read, Set::ReadDenied));
    let write = file.write.then(|| fact(DriftKind::FileWrite, Set::Write, Set::WriteDenied));
    read.into_iter().chain(write).collect()
}

/// Between a file's being opened and its name's being read another process may put a new one in its place. Whoever does that
/// to a file by its name may do it to the one that just lost it.
fn with_its_name(path: &str) -> Option<Name> {
    path.strip_suffix(DELETED).map(path_name)
}

/// What a new change of a file is called.
pub(crate) fn kind_of(operation: &Operation) -> DriftKind {
    match operation {
        Operation::Delete => DriftKind::FileDelete,
        Operation::Rename(_) | Operation::HardLink(_) | Operation::SymbolicLink(_) => {
            DriftKind::FileLink
        }
        Operation::Mode(_) | Operation::Owner => DriftKind::FileMeta,
    }
}

fn of_change(changed: &Change) -> Fact {
    let kind = kind_of(&changed.operation);
    let set = match kind {
        DriftKind::FileDelete => Set::Delete,
        DriftKind::FileLink => Set::Link,
        _ => Set::Meta,
    };
    let named = change(changed);
    let object = named.object();
    let Changed { values, pattern } = named;
    Fact { kind, set, object, name: Name { key: pattern, values }, others: Vec::new() }
}

fn of_peer(kind: DriftKind, set: Set, peer: Peer) -> Fact {
    let name = |(key, value)| Name { key, values: vec![value] };
    let Peer { object, pattern, value, others } = peer;
    let (name, others) = (name((pattern, value)), others.into_iter().map(name).collect());
    Fact { kind, set, object, name, others }
}
