//! Events to observations: who did it, in which line of descent.
//!
//! The process table follows fork, exec and exit in the order of the stream. A process changes at exec only, so
//! observations share it.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    behaviour::{
        ANCESTRY_MAX, Accept, Ancestor, Behaviour, Connect, Exec, File, Listen, Observation,
        Process, Syscall,
    },
    sensor::{Event, EventBody},
};

/// What turns the stream into observations; one per stream.
pub struct Observer {
    clock: Clock,
    processes: HashMap<u32, Entry>,
    /// Who listens, by container and local port; port 0 is one that the kernel picks only after saying so.
    listeners: HashMap<(u64, u16), Vec<Listener>>,
}

struct Entry {
    process: Arc<Process>,
    /// It ran a program of its own; otherwise it is still a copy of its parent.
    executed: bool,
}

struct Listener {
    address: IpAddr,
    process: Arc<Process>,
    port_chosen: bool,
}

/// Wall-clock time of boot-time stamps.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    boot: Timestamp,
}

impl Clock {
    /// Reads both clocks; their distance is constant but for adjustments of the wall clock.
    pub fn now() -> anyhow::Result<Self> {
        let since_boot = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME)?;
        let uptime = SignedDuration::new(since_boot.tv_sec(), since_boot.tv_nsec().try_into()?);
        Ok(Self { boot: Timestamp::now().checked_sub(uptime)? })
    }

    /// The time at `nanoseconds` since boot.
    pub fn at(&self, nanoseconds: u64) -> Timestamp {
        let since = SignedDuration::from_nanos(nanoseconds.cast_signed());
        self.boot.checked_add(since).unwrap_or(self.boot)
    }
}

impl Observer {
    pub fn new(clock: Clock) -> Self {
        Self { clock, processes: HashMap::new(), listeners: HashMap::new() }
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
            EventBody::Connect(connect) => {
                let port_chosen = self.port_chosen(event.container, connect.peer);
                let connect = Connect { port_chosen, ..connect };
                (self.process(event.pid, event.uid), Behaviour::Connect(connect))
            }
            EventBody::Listen(listen) => self.listen(event.container, event.pid, event.uid, listen),
            EventBody::Accept(accept) => self.accept(event.container, accept),
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
            fileless,
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
            _ if first => (None, Vec::new()),
            None => (Some(UNKNOWN.to_owned()), Vec::new()),
            Some(Entry { process, executed }) => {
                let ancestry = if *executed { descent(process) } else { process.ancestry.clone() };
                (Some(process.executable.clone()), ancestry)
            }
        };
        let process = Arc::new(Process {
            pid: event.pid,
            vpid: (vpid != 0).then_some(vpid),
            parent_pid,
            uid: event.uid,
            executable,
            args,
            args_cut,
            ancestry,
        });
        let entry = Entry { process: Arc::clone(&process), executed: true };
        self.processes.insert(event.pid, entry);
        Some((process, Behaviour::Exec(Exec { given, parent, fileless, cwd })))
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
        self.processes.insert(child, Entry { process: Arc::new(process), executed: false });
    }

    fn listen(
        &mut self,
        container: u64,
        pid: u32,
        uid: u32,
        listen: Listen,
    ) -> (Arc<Process>, Behaviour) {
        let process = self.process(pid, uid);
        // Without a bind the kernel picks the port, right after this event.
        let port_chosen = listen.port_chosen && listen.local.port() != 0;
        let listen = Listen { port_chosen, ..listen };
        let address = listen.local.ip();
        let listener = Listener { address, process: Arc::clone(&process), port_chosen };
        let same_port = self.listeners.entry((container, listen.local.port())).or_default();
        same_port.retain(|other| other.address != address);
        same_port.push(listener);
        (process, Behaviour::Listen(listen))
    }

    /// The handshake completes in no process: the listening one stands for it.
    fn accept(&mut self, container: u64, accept: Accept) -> (Arc<Process>, Behaviour) {
        let (process, port_chosen) = match self.listener(container, accept.local) {
            Some(listener) => (Arc::clone(&listener.process), listener.port_chosen),
            None => (self.process(0, 0), true),
        };
        (process, Behaviour::Accept(Accept { port_chosen, ..accept }))
    }

    /// Whether the far end of a connection is anything but an own listener on a port that the kernel picked.
    fn port_chosen(&self, container: u64, peer: SocketAddr) -> bool {
        let here = peer.ip().is_loopback() || peer.ip().is_unspecified();
        !here || self.listener(container, peer).is_none_or(|listener| listener.port_chosen)
    }

    /// The listener that takes connections to this address: on the very address, else on any, else on a port unknown.
    fn listener(&self, container: u64, local: SocketAddr) -> Option<&Listener> {
        let on = |port| self.listeners.get(&(container, port)).into_iter().flatten();
        on(local.port())
            .find(|listener| listener.address == local.ip())
            .or_else(|| on(local.port()).find(|listener| listener.address.is_unspecified()))
            .or_else(|| on(0).next())
    }

    /// The process behind a pid; one whose start was lost is known by nothing but its pid.
    fn process(&mut self, pid: u32, uid: u32) -> Arc<Process> {
        let unknown = || {
            let process = Process {
                pid,
                vpid: None,
                parent_pid: 0,
                uid,
                executable: UNKNOWN.to_owned(),
                args: Vec::new(),
                args_cut: false,
                ancestry: Vec::new(),
            };
            Entry { process: Arc::new(process), executed: false }
        };
        Arc::clone(&self.processes.entry(pid).or_insert_with(unknown).process)
    }
}

/// A process's line of descent, itself first, as its children see it.
fn descent(process: &Process) -> Vec<Ancestor> {
    let own = Ancestor {
        pid: process.pid,
        executable: process.executable.clone(),
        args: process.args.clone(),
    };
    std::iter::once(own).chain(process.ancestry.iter().cloned()).take(ANCESTRY_MAX).collect()
}

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
mod tests {
    use super::*;
    use crate::behaviour::Protocol;

    fn event(pid: u32, body: EventBody) -> Event {
        Event { container: 1, time: 0, pid, uid: 0, body }
    }

    fn exec(pid: u32, executable: &str, first: bool) -> Event {
        event(
            pid,
            EventBody::Exec {
                first,
                fileless: false,
                parent_pid: 1,
                vpid: pid - 90,
                executable: executable.to_owned(),
                given: executable.to_owned(),
                cwd: "/".to_owned(),
                args: vec![executable.to_owned()],
                args_cut: false,
            },
        )
    }

    fn observer() -> Observer {
        Observer::new(Clock { boot: Timestamp::UNIX_EPOCH })
    }

    #[test]
    fn descent_survives_a_parents_end() {
        let mut observer = observer();
        observer.observe(exec(100, "/bin/a", true)).unwrap();
        observer.observe(event(100, EventBody::Fork { child_pid: 101, child_vpid: 11 }));
        observer.observe(event(100, EventBody::Exit { status: 0 }));
        let observation = observer.observe(exec(101, "/bin/b", false)).unwrap();
        assert_eq!(observation.process.ancestry[0].executable, "/bin/a");
        let Behaviour::Exec(exec) = observation.behaviour else { panic!("not an exec") };
        assert_eq!(exec.parent.as_deref(), Some("/bin/a"));
    }

    #[test]
    fn a_program_that_replaced_itself_stays_in_the_descent() {
        let mut observer = observer();
        observer.observe(exec(100, "/bin/a", true)).unwrap();
        let observation = observer.observe(exec(100, "/bin/b", false)).unwrap();
        assert_eq!(observation.process.ancestry[0].executable, "/bin/a");
        let Behaviour::Exec(exec) = observation.behaviour else { panic!("not an exec") };
        assert_eq!(exec.parent.as_deref(), Some("/bin/a"));
    }

    #[test]
    fn an_own_listener_on_a_port_that_the_kernel_picked_is_known_as_such() {
        let mut observer = observer();
        observer.observe(exec(100, "/bin/a", true)).unwrap();
        let listen = |local: &str, port_chosen| {
            let local = local.parse().unwrap();
            event(100, EventBody::Listen(Listen { protocol: Protocol::Tcp, local, port_chosen }))
        };
        observer.observe(listen("127.0.0.1:40000", false));
        observer.observe(listen("127.0.0.2:80", true));
        let mut chosen = |peer: &str| {
            let peer = peer.parse().unwrap();
            let connect =
                Connect { protocol: Protocol::Tcp, peer, datagram: false, port_chosen: true };
            match observer.observe(event(100, EventBody::Connect(connect))).unwrap().behaviour {
                Behaviour::Connect(connect) => connect.port_chosen,
                other => panic!("{other:?}"),
            }
        };
        assert!(!chosen("127.0.0.1:40000"));
        assert!(chosen("127.0.0.2:80") && chosen("127.0.0.1:40001") && chosen("10.0.0.1:40000"));
        // Without a bind the port is not known yet: whatever is taken then is that listener's.
        observer.observe(listen("0.0.0.0:0", true));
        let (local, peer) = ("127.0.0.1:45417".parse().unwrap(), "127.0.0.1:1".parse().unwrap());
        let accept = Accept { protocol: Protocol::Tcp, local, port_chosen: true, peer };
        let observation = observer.observe(event(0, EventBody::Accept(accept))).unwrap();
        assert_eq!(observation.process.executable, "/bin/a");
        let Behaviour::Accept(accept) = observation.behaviour else { panic!("not an accept") };
        assert!(!accept.port_chosen);
    }

    #[test]
    fn only_the_own_proc_directory_is_self() {
        let mut observer = observer();
        let process = observer.observe(exec(100, "/bin/a", true)).unwrap().process;
        let own = |path: &str| own_proc(path.to_owned(), &process);
        assert_eq!(own("/proc/10/maps"), "/proc/self/maps");
        assert_eq!(own("/proc/100"), "/proc/self");
        assert_eq!(own("/proc/11/environ"), "/proc/11/environ");
        assert_eq!(own("/proc/sys/vm/overcommit_memory"), "/proc/sys/vm/overcommit_memory");
    }
}
