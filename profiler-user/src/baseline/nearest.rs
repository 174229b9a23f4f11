//! What a baseline holds that comes nearest to a finding, as a phrase.

use super::facts::{Fact, path_name, syscall_name};
use super::judge::{Judge, Known};
use super::keys::{Keys, Sought};
use super::model::ENTRYPOINT;
use super::names::Set;
use crate::behaviour::Syscall;
use crate::observe::INJECTED;

/// Entries that a phrase names before it only counts them.
const NAMED: usize = 3;

/// Characters of an argument list that a phrase shows.
const SHOWN: usize = 160;

pub(super) fn executable(judge: &Judge, parent: Option<&str>) -> Option<String> {
    let Some(parent) = parent else {
        let paths = judge.those(|known| known.set(Set::Parents).has(ENTRYPOINT));
        return (!paths.is_empty())
            .then(|| format!("the container was started only with {}", some(&paths)));
    };
    if parent == INJECTED {
        let paths = judge.those(|known| known.set(Set::Parents).has(INJECTED));
        return Some(match paths.as_slice() {
            [] => "nothing was ever run from outside".to_owned(),
            paths => format!("run from outside were only {}", some(paths)),
        });
    }
    let children = judge.holders(Set::Parents, &Sought::new(&path_name(parent)));
    Some(match (children.is_empty(), judge.executable(parent)) {
        (false, _) => format!("{} ran only {}", short(parent), some(&children)),
        (true, Some(_)) => format!("{} never ran anything", short(parent)),
        (true, None) => never_run(parent),
    })
}

pub(super) fn fileless(judge: &Judge) -> String {
    let paths = judge.those(Known::is_fileless);
    match paths.as_slice() {
        [] => "nothing without a file was ever run".to_owned(),
        paths => format!("run without a file were only {}", some(paths)),
    }
}

pub(super) fn not_in_image(judge: &Judge) -> String {
    let paths = judge.those(Known::is_not_in_image);
    match paths.as_slice() {
        [] => "only programs of the image were ever run".to_owned(),
        paths => format!("run without being in the image were only {}", some(paths)),
    }
}

pub(super) fn syscall(judge: &Judge, syscall: &Syscall) -> String {
    let other = Syscall { denied: !syscall.denied, ..syscall.clone() };
    match (judge.syscalls.contains(&syscall_name(&other)), syscall.denied) {
        (true, true) => format!("{} was never refused", syscall.name),
        (true, false) => format!("{} was only ever refused", syscall.name),
        (false, _) => format!(
            "{} is not among the {} system calls recorded",
            syscall.name,
            judge.syscalls.len()
        ),
    }
}

/// `holders`: the executables that hold the fact.
pub(super) fn fact(
    path: &str,
    known: Option<&Known>,
    fact: &Fact,
    holders: &[&str],
) -> Option<String> {
    let program = short(path);
    if let Some(known) = known {
        match fact.set {
            Set::Parents => {
                let parents: Vec<_> = known.set(Set::Parents).iter().collect();
                return (!parents.is_empty())
                    .then(|| format!("{program} was run only by {}", some(&parents)));
            }
            Set::Args => return arguments(known.set(Set::Args), &fact.name.key),
            _ => {}
        }
        if let Some(phrase) = other_access(known, fact, program) {
            return Some(phrase);
        }
    }
    if !holders.is_empty() {
        return Some(format!("only {} {}", some(holders), verb(fact.set, holders.len() > 1)));
    }
    let Some(known) = known else { return Some(never_run(path)) };
    let keys = known.set(fact.set);
    Some(match fact.set {
        _ if keys.is_empty() => format!("{program} never {}", ever(fact.set)),
        Set::Connect => format!("{program} connects only to {}", some(&known.spelled(fact.set))),
        Set::Listen => format!("{program} listens only on {}", some(&known.spelled(fact.set))),
        Set::Accept => {
            format!("{program} is connected to only as {}", some(&known.spelled(fact.set)))
        }
        Set::Link | Set::Meta => deed(keys, &fact.name.key, program),
        Set::Socket => {
            format!("{program} makes only sockets of {}", some(&keys.iter().collect::<Vec<_>>()))
        }
        Set::Unix => {
            format!("{program} talks only to {}", some(&keys.iter().collect::<Vec<_>>()))
        }
        Set::Capability => {
            format!("{program} uses only {}", some(&keys.iter().collect::<Vec<_>>()))
        }
        Set::Identity => {
            format!("{program} changes only {}", some(&keys.iter().collect::<Vec<_>>()))
        }
        Set::Escape => {
            format!("{program} was moved only to {}", some(&keys.iter().collect::<Vec<_>>()))
        }
        Set::Dns => format!("{program} resolves only {}", some(&known.spelled(fact.set))),
        _ => file(keys, fact, program),
    })
}

/// The same file in another way.
fn other_access(known: &Known, fact: &Fact, program: &str) -> Option<String> {
    let has = |set: Set| known.set(set).has(&fact.name.key);
    if fact.set.counterpart().is_some_and(has) {
        return Some(match fact.set {
            Set::Read | Set::Write => format!("{program} was always refused it"),
            _ => format!("{program} was never refused it"),
        });
    }
    match fact.set {
        Set::Read if has(Set::Write) => Some(format!("{program} only writes it")),
        Set::Write if has(Set::Read) => Some(format!("{program} only reads it")),
        _ => None,
    }
}

fn file(keys: &Keys, fact: &Fact, program: &str) -> String {
    let does = verb(fact.set, false);
    let does = match fact.set {
        Set::MapExec => "maps executable",
        _ => does.strip_suffix(" it").unwrap_or(does),
    };
    let path = &fact.name.key;
    let nearest = keys.neighbours(path).max_by_key(|key| common(key, path));
    let directory = |path: &str| path.rfind('/').map_or(0, |slash| slash);
    match nearest {
        Some(key) if directory(key) == directory(path) && common(key, path) > directory(path) => {
            format!("{program} {does} {key} there")
        }
        // More than the root in common.
        Some(key) if path[..common(key, path)].rfind('/').is_some_and(|slash| slash > 0) => {
            format!("the nearest that {program} {does} is {key}")
        }
        _ => {
            let top =
                path[1.min(path.len())..].find('/').map_or(path.as_str(), |slash| &path[..=slash]);
            format!("{program} {does} nothing under {top}")
        }
    }
}

/// A change of another name, or of another sort.
fn deed(keys: &Keys, line: &str, program: &str) -> String {
    let alike = |key: &&str| (common_end(key, line), common(key, line));
    let nearest = keys.iter().max_by_key(alike).unwrap_or_default();
    match keys.len() {
        1 => format!("the only such change by {program}: {nearest}"),
        deeds => format!("the nearest of {deeds} such changes by {program}: {nearest}"),
    }
}

/// Length of what two texts end with alike: where a line of words ends is the name that it is about.
fn common_end(one: &str, other: &str) -> usize {
    one.bytes().rev().zip(other.bytes().rev()).take_while(|(a, b)| a == b).count()
}

fn arguments(keys: &Keys, line: &str) -> Option<String> {
    let nearest = keys.iter().max_by_key(|key| common(key, line))?;
    let shown = match nearest.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &nearest[..end]),
        None => nearest.to_owned(),
    };
    Some(match keys.len() {
        1 => format!("it was run only as: {shown}"),
        lists => format!("the nearest of {lists} argument lists: {shown}"),
    })
}

/// Length of what two texts begin with alike.
fn common(one: &str, other: &str) -> usize {
    let alike = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    one.floor_char_boundary(alike)
}

fn never_run(path: &str) -> String {
    format!("{} itself was never run", short(path))
}

fn verb(set: Set, plural: bool) -> &'static str {
    match (set, plural) {
        (Set::Parents, false) => "is run by it",
        (Set::Parents, true) => "are run by it",
        (Set::Args, false) => "is run so",
        (Set::Args, true) => "are run so",
        (Set::Read, false) => "reads it",
        (Set::Read, true) => "read it",
        (Set::Write, false) => "writes it",
        (Set::Write, true) => "write it",
        (Set::ReadDenied, false) => "is refused reading it",
        (Set::ReadDenied, true) => "are refused reading it",
        (Set::WriteDenied, false) => "is refused writing it",
        (Set::WriteDenied, true) => "are refused writing it",
        (Set::Delete, false) => "deletes it",
        (Set::Delete, true) => "delete it",
        (Set::Link | Set::Meta, false) => "does that",
        (Set::Link | Set::Meta, true) => "do that",
        (Set::MapExec, false) => "maps it executable",
        (Set::MapExec, true) => "map it executable",
        (Set::Connect, false) => "connects to it",
        (Set::Connect, true) => "connect to it",
        (Set::Listen, false) => "listens there",
        (Set::Listen, true) => "listen there",
        (Set::Accept, false) => "is connected to so",
        (Set::Accept, true) => "are connected to so",
        (Set::Socket, false) => "makes such a socket",
        (Set::Socket, true) => "make such a socket",
        (Set::Unix, false) => "talks to it",
        (Set::Unix, true) => "talk to it",
        (Set::Capability, false) => "uses it",
        (Set::Capability, true) => "use it",
        (Set::Identity, false) => "changes its user so",
        (Set::Identity, true) => "change their user so",
        (Set::Escape, false) => "was moved there",
        (Set::Escape, true) => "were moved there",
        (Set::Dns, false) => "resolves it",
        (Set::Dns, true) => "resolve it",
    }
}

fn ever(set: Set) -> &'static str {
    match set {
        Set::Parents | Set::Args => "ran",
        Set::Read => "reads a file",
        Set::Write => "writes a file",
        Set::ReadDenied | Set::WriteDenied => "is refused a file",
        Set::Delete => "deletes a file",
        Set::Link => "renames or links a file",
        Set::Meta => "changes a mode or an owner",
        Set::MapExec => "maps a file executable",
        Set::Connect => "connects to anything",
        Set::Listen => "listens",
        Set::Accept => "is connected to",
        Set::Socket => "makes a socket",
        Set::Unix => "talks to a Unix socket",
        Set::Capability => "uses a capability",
        Set::Identity => "changes its user",
        Set::Escape => "was moved out of the container",
        Set::Dns => "resolves a name",
    }
}

fn some<T: AsRef<str>>(items: &[T]) -> String {
    let named: Vec<_> = items.iter().take(NAMED).map(AsRef::as_ref).collect();
    let named = named.join(", ");
    match items.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn short(path: &str) -> &str {
    path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(path)
}
