//! How grave an entry would be as drift, by the same table.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    baseline::{ENTRYPOINT, Entry},
    behaviour::{
        Accept, Behaviour, Change, Connect, Dns, Exec, File, Listen, Map, Named, Observation,
        Operation, Process, Protocol, Syscall, Unix,
    },
    drift::{
        DriftKind, Finding, Novelty,
        severity::{Table, Verdict},
    },
    generalise::split_args,
};

/// The table judges what was observed; so it is shown the entry as if it had just been.
pub(super) fn of(entry: &Entry<'_>, novelty: Novelty) -> &'static Verdict {
    let table = Table::builtin();
    let object = match entry.kind {
        DriftKind::Exec | DriftKind::ExecInjected => entry.executable.unwrap_or(entry.key),
        _ => entry.key,
    };
    let finding = Finding {
        kind: entry.kind,
        object: object.to_owned(),
        pattern: entry.key.to_owned(),
        novelty,
        nearest: None,
        relearn: None,
    };
    match behaviour(entry) {
        Some(behaviour) => table.verdict(&observation(entry, behaviour), &finding),
        None => table.default_of(entry.kind),
    }
}

/// The entry as it may have been observed.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn observed(entry: &Entry<'_>) -> Option<Observation> {
    Some(observation(entry, behaviour(entry)?))
}

fn observation(entry: &Entry<'_>, behaviour: Behaviour) -> Observation {
    let executable = entry.executable.unwrap_or_default();
    let args = if entry.kind == DriftKind::ExecArgs { split_args(entry.key) } else { None };
    Observation {
        time: Timestamp::UNIX_EPOCH,
        process: Arc::new(Process {
            pid: 0,
            vpid: None,
            parent_pid: 0,
            uid: 0,
            executable: executable.into(),
            args: args.unwrap_or_default().into(),
            args_cut: false,
            ancestry: Arc::default(),
        }),
        behaviour,
    }
}

/// None where the name does not say enough.
fn behaviour(entry: &Entry<'_>) -> Option<Behaviour> {
    let path = || entry.key.to_owned();
    let exec = |parent: Option<&str>| {
        Behaviour::Exec(Exec {
            given: entry.executable.unwrap_or_default().to_owned(),
            parent: parent.map(Arc::from),
            fileless: entry.kind == DriftKind::ExecFileless,
            not_in_image: entry.kind == DriftKind::ExecNotInImage,
            cwd: "/".to_owned(),
        })
    };
    Some(match entry.kind {
        DriftKind::ExecParent | DriftKind::ExecInjected => {
            exec(Some(entry.key).filter(|key| *key != ENTRYPOINT))
        }
        DriftKind::Exec
        | DriftKind::ExecArgs
        | DriftKind::ExecFileless
        | DriftKind::ExecNotInImage => exec(None),
        DriftKind::FileRead | DriftKind::FileWrite => {
            let read = entry.kind == DriftKind::FileRead;
            let denied = entry.list.ends_with("_denied");
            Behaviour::File(File { path: path(), read, write: !read, denied })
        }
        DriftKind::FileDelete => {
            Behaviour::Change(Change { path: path(), operation: Operation::Delete })
        }
        DriftKind::FileLink | DriftKind::FileMeta => Behaviour::Change(change(entry.key)?),
        DriftKind::FileMapExec => Behaviour::Map(Map { path: path() }),
        DriftKind::NetConnect => {
            let (protocol, peer) = address(entry.key)?;
            let (datagram, port_chosen, named) = (false, true, Named::default());
            Behaviour::Connect(Connect { protocol, peer, datagram, port_chosen, named })
        }
        DriftKind::NetListen => {
            let (protocol, local) = address(entry.key)?;
            Behaviour::Listen(Listen { protocol, local, port_chosen: true })
        }
        DriftKind::NetAccept => {
            let (protocol, peer) = address(entry.key)?;
            Behaviour::Accept(Accept { protocol, local: peer, port_chosen: true, peer, pod: None })
        }
        DriftKind::NetUnix => Behaviour::Unix(Unix { peer: path(), datagram: false }),
        DriftKind::Syscall | DriftKind::SyscallAbi => {
            let name = entry.key.split(' ').next()?.to_owned();
            let denied = entry.key.contains("denied");
            let foreign = entry.kind == DriftKind::SyscallAbi;
            Behaviour::Syscall(Syscall { name, denied, foreign })
        }
        // Rules look at the object alone.
        _ => Behaviour::Dns(Dns { name: path(), addresses: Vec::new() }),
    })
}

/// `rename OLD NEW`, `mode 0755 PATH`
fn change(key: &str) -> Option<Change> {
    let words = split_args(key)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (operation, path) = match words.as_slice() {
        ["rename", old, new] => (Operation::Rename((*old).to_owned()), new),
        ["link", old, new] => (Operation::HardLink((*old).to_owned()), new),
        ["symlink", text, new] => (Operation::SymbolicLink((*text).to_owned()), new),
        ["mode", mode, path] => (Operation::Mode(u32::from_str_radix(mode, 8).ok()?), path),
        ["owner", path] => (Operation::Owner, path),
        _ => return None,
    };
    Some(Change { path: (*path).to_owned(), operation })
}

/// `tcp 10.0.0.7:5432`
fn address(key: &str) -> Option<(Protocol, std::net::SocketAddr)> {
    let (protocol, rest) = key.split_once(' ')?;
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return None,
    };
    Some((protocol, rest.split_whitespace().find_map(|word| word.parse().ok())?))
}
