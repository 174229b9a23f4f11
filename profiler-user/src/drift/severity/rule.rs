//! One rule of the table, and what of a drift its conditions look at.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};

use super::Verdict;
use super::pattern::{Glob, Network};
use crate::behaviour::{Ancestor, Behaviour, Change, Exec, Observation, Operation, Process};
use crate::drift::kind::{DriftKind, Finding, Novelty};

/// Fits when every condition that it has holds; an empty list is no condition.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) kinds: Vec<DriftKind>,
    pub(super) novelty: Option<Novelty>,
    pub(super) paths: Vec<Glob>,
    pub(super) objects: Vec<Glob>,
    pub(super) names: Vec<Glob>,
    pub(super) by: Vec<Glob>,
    pub(super) syscalls: HashSet<String>,
    pub(super) operations: HashSet<String>,
    pub(super) networks: Vec<Network>,
    pub(super) ports: Vec<u16>,
    /// Worth telling also where there is no baseline.
    pub(super) always: bool,
    pub(super) verdict: Verdict,
}

impl Rule {
    pub(super) fn fits(&self, finding: &Finding, subject: &Subject<'_>) -> bool {
        self.kinds.contains(&finding.kind)
            && self.novelty.is_none_or(|novelty| novelty == finding.novelty)
            && holds(&self.paths, |glob| subject.paths.iter().any(|path| glob.matches(path)))
            && holds(&self.objects, |glob| glob.matches(&finding.object))
            && holds(&self.names, |glob| subject.name.is_some_and(|name| glob.matches(name)))
            && holds(&self.by, |glob| subject.by.is_some_and(|by| glob.matches(by)))
            && (self.syscalls.is_empty()
                || subject.syscall.is_some_and(|name| self.syscalls.contains(name)))
            && (self.operations.is_empty()
                || subject.operations.iter().any(|name| self.operations.contains(*name)))
            && holds(&self.networks, |network| {
                subject.end.is_some_and(|end| network.contains(end.ip()))
            })
            && holds(&self.ports, |port| subject.end.is_some_and(|end| end.port() == *port))
    }
}

/// `S_ISUID | S_ISGID`
const SET_ID: u32 = 0o6000;
const EXECUTABLE: u32 = 0o111;

fn holds<T>(conditions: &[T], test: impl Fn(&T) -> bool) -> bool {
    conditions.is_empty() || conditions.iter().any(test)
}

/// The parts of an observation that conditions speak of.
pub(super) struct Subject<'a> {
    /// The file; for an exec the program and, where it is another one, what the caller named.
    paths: Vec<String>,
    /// The file name of the program that an exec ran.
    name: Option<&'a str>,
    /// The file name of who did it: for an exec the parent.
    by: Option<&'a str>,
    syscall: Option<&'a str>,
    /// What a change of a file is, in words of the table.
    operations: Vec<&'a str>,
    /// The far end; of a listener its own.
    end: Option<SocketAddr>,
}

impl<'a> Subject<'a> {
    pub(super) fn of(observation: &'a Observation) -> Self {
        let process = &*observation.process;
        let mut subject = Self {
            paths: Vec::new(),
            name: None,
            by: Some(program(&process.executable, &process.args)),
            syscall: None,
            operations: Vec::new(),
            end: None,
        };
        match &observation.behaviour {
            Behaviour::Exec(exec) => {
                subject.paths = vec![process.executable.to_string(), absolute(exec)];
                subject.name = subject.by;
                subject.by = exec.parent.as_deref().map(|parent| parent_name(process, parent));
            }
            Behaviour::File(file) => subject.paths = vec![file.path.clone()],
            Behaviour::Change(change) => subject.change(change),
            Behaviour::Map(map) => subject.paths = vec![map.path.clone()],
            Behaviour::Connect(connect) => subject.end = Some(connect.peer),
            Behaviour::Listen(listen) => subject.end = Some(listen.local),
            Behaviour::Accept(accept) => subject.end = Some(accept.peer),
            Behaviour::Syscall(syscall) => subject.syscall = Some(&syscall.name),
            Behaviour::Unix(unix) => subject.paths = vec![unix.peer.clone()],
            Behaviour::Socket(_)
            | Behaviour::Capability(_)
            | Behaviour::Identity(_)
            | Behaviour::Escape(_)
            | Behaviour::Dns(_) => {}
        }
        subject
    }

    /// Of a rename and a link both names count: what is moved away or pointed to is as much concerned as what is made.
    fn change(&mut self, change: &'a Change) {
        self.paths = vec![change.path.clone()];
        match &change.operation {
            Operation::Delete => self.operations = vec!["delete"],
            Operation::Rename(other) => {
                self.operations = vec!["rename"];
                self.paths.push(other.clone());
            }
            Operation::HardLink(other) => {
                self.operations = vec!["link"];
                self.paths.push(other.clone());
            }
            Operation::SymbolicLink(other) => {
                self.operations = vec!["symlink"];
                self.paths.push(other.clone());
            }
            Operation::Mode(mode) => {
                self.operations = vec!["mode"];
                if mode & SET_ID != 0 {
                    self.operations.push("set-id");
                }
                if mode & EXECUTABLE != 0 {
                    self.operations.push("executable");
                }
            }
            Operation::Owner => self.operations = vec!["owner"],
        }
    }
}

/// The name a program goes by. One file holds all of busybox's, told apart by what it is called as, or by the word behind its
/// own name.
fn program<'a>(executable: &'a str, args: &'a [String]) -> &'a str {
    let name = file_name(executable);
    let is_box = |name: &str| matches!(name, "busybox" | "toybox");
    if !is_box(name) {
        return name;
    }
    let called = args.iter().map(|word| file_name(word.trim_start_matches('-')));
    called.take(2).find(|word| !is_box(word)).unwrap_or(name)
}

fn parent_name<'a>(process: &'a Process, parent: &'a str) -> &'a str {
    match process.ancestry.first() {
        Some(Ancestor { executable, args, .. }) if **executable == *parent => program(parent, args),
        _ => file_name(parent),
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// What the caller of an exec named, from the root. Symbolic links stay: this says under which name
/// a program or a script was called, and the resolved name is looked at as well.
fn absolute(exec: &Exec) -> String {
    let mut path = PathBuf::new();
    for part in Path::new(&exec.cwd).join(&exec.given).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            part => path.push(part),
        }
    }
    path.to_string_lossy().into_owned()
}
