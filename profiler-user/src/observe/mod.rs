//! Events to observations: who did it, in which line of descent.
//!
//! The process table follows fork, exec and exit in the order of the stream. A process changes at exec only, so
//! observations share it.

mod clock;
mod hosts;
mod listeners;

use std::{collections::BTreeMap, sync::Arc};

use hashbrown::HashMap;
use jiff::Timestamp;

pub use self::clock::Clock;
use self::hosts::Hosts;
use self::listeners::Listeners;
use crate::{
    behaviour::{
        ANCESTRY_MAX, Accept, Ancestor, Behaviour, Change, Connect, Exec, File, Identity, Listen,
        Map, Named, Observation, Operation, Process, Protocol, Syscall, UserIds,
    },
    sensor::{Event, EventBody},
};

/// What turns the stream into observations; one per stream.
pub struct Observer {
    clock: Clock,
    processes: HashMap<u32, Entry>,
    listeners: Listeners,
    hosts: Hosts,
}

struct Entry {
    process: Arc<Process>,
    /// It ran a program of its own; otherwise it is still a copy of its parent.
    executed: bool,
    /// None until something tells.
    users: Option<UserIds>,
}

impl Observer {
    pub fn new(clock: Clock) -> Self {
        let (listeners, hosts) = (Listeners::default(), Hosts::default());
        Self { clock, processes: HashMap::new(), listeners, hosts }
    }

    /// Takes in a process that ran before anybody looked; its parent should be known before it.
    pub fn adopt(&mut self, process: Process) {
        let ancestry =
            self.processes.get(&process.parent_pid).map(|parent| descent(&parent.process));
        let process = Process { ancestry: ancestry.unwrap_or_else(nobody), ..process };
        // It may act as another user than the one whose it is: its first change is then told from the wrong one.
        let users = Some(UserIds { real: process.uid, effective: process.uid });
        let entry = Entry { process: Arc::new(process), executed: true, users };
        self.processes.insert(entry.process.pid, entry);
    }

    /// The same for a socket that already listens.
    pub fn adopt_listener(&mut self, container: u64, pid: u32, listen: Listen) {
        let process = self.process(pid, 0);
        self.listeners.add(container, &process, listen);
    }

    /// What an event says of behaviour; forks and exits only change the table.
    pub fn observe(&mut self, event: Event) -> Option<Observation> {
        let time = self.clock.at(event.time);
        let (process, behaviour) = match event.body {
            EventBody::Exec { .. } => self.exec(event)?,
            EventBody::Fork { child_pid, child_vpid } => {
                self.fork(event.pid, event.uid, child_pid, child_vpid);
                return None;
            }
            EventBody::Exit { .. } => {
                self.processes.remove(&event.pid);
                return None;
            }
            EventBody::File(file) => {
                let process = self.process(event.pid, event.uid);
                let path = own_proc(file.path, &process);
                (process, Behaviour::File(File { path, ..file }))
            }
            EventBody::Change(change) => {
                let process = self.process(event.pid, event.uid);
                let change = of_process(change, &process);
                (process, Behaviour::Change(change))
            }
            EventBody::Map(map) => {
                let process = self.process(event.pid, event.uid);
                let path = own_proc(map.path, &process);
                (process, Behaviour::Map(Map { path }))
            }
            EventBody::Connect(connect) => {
                let port_chosen = self.listeners.port_chosen(event.container, connect.peer);
                let named = Named { names: self.hosts.names(connect.peer.ip()), pod: None };
                let connect = Connect { port_chosen, named, ..connect };
                (self.process(event.pid, event.uid), Behaviour::Connect(connect))
            }
            EventBody::Listen(listen) => self.listen(event.container, event.pid, event.uid, listen),
            EventBody::Accept(accept) => self.accept(event.container, accept),
            EventBody::Socket(socket) => {
                (self.process(event.pid, event.uid), Behaviour::Socket(socket))
            }
            EventBody::Capability(capability) => {
                (self.process(event.pid, event.uid), Behaviour::Capability(capability))
            }
            EventBody::Unix(unix) => (self.process(event.pid, event.uid), Behaviour::Unix(unix)),
            EventBody::Identity { real, effective } => {
                self.identity(event.pid, event.uid, UserIds { real, effective })?
            }
            EventBody::Escape(escape) => {
                (self.process(event.pid, event.uid), Behaviour::Escape(escape))
            }
            EventBody::Dns(answer) => {
                let answer = answer?;
                self.hosts.learn(&answer);
                (self.process(event.pid, event.uid), Behaviour::Dns(answer))
            }
            EventBody::CgroupMade { .. } | EventBody::CgroupRemoved => return None,
            EventBody::Syscall { number, denied, foreign } => {
                let behaviour = Behaviour::Syscall(syscall(number, denied, foreign));
                (self.process(event.pid, event.uid), behaviour)
            }
        };
        Some(Observation { time, process, behaviour })
    }

    /// A call that the container's set holds although its event was lost: nobody knows which process made it.
    pub fn late_syscall(&mut self, number: u32, denied: bool, foreign: bool) -> Observation {
        Observation {
            time: Timestamp::now(),
            process: self.process(0, 0),
            behaviour: Behaviour::Syscall(syscall(number.into(), denied, foreign)),
        }
    }

    fn exec(&mut self, event: Event) -> Option<(Arc<Process>, Behaviour)> {
        let EventBody::Exec {
            first,
            injected,
            fileless,
            not_in_image,
            parent_pid,
            vpid,
            executable,
            given,
            cwd,
            args,
            args_cut,
        } = event.body
        else {
            return None;
        };
        // What ran it is what the process was before: a copy of its parent, which may be gone by now, or a program of
        // its own, which then counts among the ancestors although it had the same pid.
        let (parent, ancestry) = match self.processes.get(&event.pid) {
            _ if first => (None, nobody()),
            _ if injected => (Some(INJECTED.into()), nobody()),
            // Its fork was before the agent, and it was not there to be taken in: it was a copy of its parent.
            None => match self.processes.get(&parent_pid) {
                None => (Some(UNKNOWN.into()), nobody()),
                Some(Entry { process, .. }) => {
                    (Some(Arc::clone(&process.executable)), descent(process))
                }
            },
            Some(Entry { process, executed, .. }) => {
                let ancestry =
                    if *executed { descent(process) } else { Arc::clone(&process.ancestry) };
                (Some(Arc::clone(&process.executable)), ancestry)
            }
        };
        let process = Arc::new(Process {
            pid: event.pid,
            vpid: (vpid != 0).then_some(vpid),
            parent_pid,
            uid: event.uid,
            executable: executable.into(),
            args: args.into(),
            args_cut,
            ancestry,
        });
        // Should the program be another user's, the next record says so.
        let known = self.processes.get(&event.pid).and_then(|entry| entry.users);
        let users = known.or(Some(UserIds { real: event.uid, effective: event.uid }));
        let entry = Entry { process: Arc::clone(&process), executed: true, users };
        self.processes.insert(event.pid, entry);
        Some((process, Behaviour::Exec(Exec { given, parent, fileless, not_in_image, cwd })))
    }

    fn fork(&mut self, parent: u32, uid: u32, child: u32, child_vpid: u32) {
        let parent = self.process(parent, uid);
        let process = Process {
            pid: child,
            vpid: (child_vpid != 0).then_some(child_vpid),
            parent_pid: parent.pid,
            ancestry: descent(&parent),
            ..(*parent).clone()
        };
        let users = self.processes.get(&parent.pid).and_then(|entry| entry.users);
        let entry = Entry { process: Arc::new(process), executed: false, users };
        self.processes.insert(child, entry);
    }

    /// Only a change is worth telling: a call may set what was set before.
    fn identity(&mut self, pid: u32, uid: u32, to: UserIds) -> Option<(Arc<Process>, Behaviour)> {
        let process = self.process(pid, uid);
        let entry = self.processes.get_mut(&pid)?;
        let from = entry.users.replace(to);
        if process.uid != to.real {
            entry.process = Arc::new(Process { uid: to.real, ..(*process).clone() });
        }
        let from = from.filter(|from| *from != to)?;
        Some((Arc::clone(&entry.process), Behaviour::Identity(Identity { from, to })))
    }

    fn listen(
        &mut self,
        container: u64,
        pid: u32,
        uid: u32,
        listen: Listen,
    ) -> (Arc<Process>, Behaviour) {
        let process = self.process(pid, uid);
        // Nobody connects to a UDP socket: it is not looked up.
        let listen = match listen.protocol {
            Protocol::Udp => listen,
            _ => self.listeners.add(container, &process, listen),
        };
        (process, Behaviour::Listen(listen))
    }

    /// The handshake completes in no process: the listening one stands for it.
    fn accept(&mut self, container: u64, accept: Accept) -> (Arc<Process>, Behaviour) {
        let (process, port_chosen) = match self.listeners.of(container, accept.local) {
            Some(listener) => (Arc::clone(&listener.process), listener.port_chosen),
            None => (self.process(0, 0), true),
        };
        (process, Behaviour::Accept(Accept { port_chosen, ..accept }))
    }

    /// The process that an end is the end of, before it is observed; one whose start was lost is none.
    pub(crate) fn ending(&self, pid: u32) -> Option<Arc<Process>> {
        self.processes.get(&pid).map(|entry| Arc::clone(&entry.process))
    }

    /// The process behind a pid; one whose start was lost is known by nothing but its pid.
    fn process(&mut self, pid: u32, uid: u32) -> Arc<Process> {
        let unknown = || {
            let process = Process {
                pid,
                vpid: None,
                parent_pid: 0,
                uid,
                executable: UNKNOWN.into(),
                args: Arc::default(),
                args_cut: false,
                ancestry: nobody(),
            };
            Entry { process: Arc::new(process), executed: false, users: None }
        };
        Arc::clone(&self.processes.entry(pid).or_insert_with(unknown).process)
    }
}

/// A process's line of descent, itself first, as its children see it.
fn descent(process: &Process) -> Arc<[Ancestor]> {
    let own = Ancestor {
        pid: process.pid,
        executable: Arc::clone(&process.executable),
        args: Arc::clone(&process.args),
    };
    std::iter::once(own).chain(process.ancestry.iter().cloned()).take(ANCESTRY_MAX).collect()
}

/// The line of descent of a process that has none.
fn nobody() -> Arc<[Ancestor]> {
    Arc::default()
}

/// The parent of a process that came into the container from outside: by `kubectl exec`, a probe, `nsenter`.
pub const INJECTED: &str = "(injected)";

/// The executable of a process whose start was lost.
pub const UNKNOWN: &str = "(unknown)";

/// `/proc/PID` of the process itself is `/proc/self`, as programs write it: another process's is another matter.
fn own_proc(path: String, process: &Process) -> String {
    let Some(below) = path.strip_prefix("/proc/") else { return path };
    let (number, rest) = below.split_once('/').map_or((below, ""), |(number, rest)| (number, rest));
    let own = number
        .parse::<u32>()
        .is_ok_and(|number| Some(number) == process.vpid || number == process.pid);
    match (own, rest.is_empty()) {
        (false, _) => path,
        (true, true) => "/proc/self".to_owned(),
        (true, false) => format!("/proc/self/{rest}"),
    }
}

/// The same of every path that a change names; what a symbolic link says is no path of this process.
fn of_process(change: Change, process: &Process) -> Change {
    let operation = match change.operation {
        Operation::Rename(old) => Operation::Rename(own_proc(old, process)),
        Operation::HardLink(existing) => Operation::HardLink(own_proc(existing, process)),
        other => other,
    };
    Change { path: own_proc(change.path, process), operation }
}

/// The kernel's name for a system call.
pub fn syscall(number: u64, denied: bool, foreign: bool) -> Syscall {
    let name = if foreign {
        format!("foreign_{number}")
    } else {
        usize::try_from(number)
            .ok()
            .and_then(syscalls::Sysno::new)
            .map_or_else(|| format!("syscall_{number}"), |sysno| sysno.name().to_owned())
    };
    Syscall { name, denied, foreign }
}

/// Counts of lost events by kind, as reports show them; kinds without loss are left out.
pub fn losses(lost: &[u64]) -> BTreeMap<String, u64> {
    profiler_common::event::Kind::ALL
        .into_iter()
        .zip(lost)
        .filter(|(_, lost)| **lost > 0)
        .map(|(kind, lost)| (kind.name().to_owned(), *lost))
        .collect()
}

#[cfg(test)]
mod tests;
