//! What a container did, as the user side speaks of it: decoded, with secrets removed, not yet generalised.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::capability::Capability;

/// One behaviour of one process.
#[derive(Clone, Debug)]
pub struct Observation {
    pub time: Timestamp,
    /// Who did it. For [`Behaviour::Exec`] the process as it is after the exec; for [`Behaviour::Accept`] the process that
    /// listens.
    pub process: Arc<Process>,
    pub behaviour: Behaviour,
}

/// A process at a point in time: it changes at exec only, so events share it, and its children its texts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Process {
    /// In the initial pid namespace.
    pub pid: u32,
    /// In its own pid namespace, where known.
    pub vpid: Option<u32>,
    pub parent_pid: u32,
    pub uid: u32,
    /// Absolute, as the container sees it; a non-UTF-8 byte is written `\xNN`.
    pub executable: Arc<str>,
    /// argv, redacted.
    pub args: Arc<[String]>,
    /// argv was longer than what is kept.
    pub args_cut: bool,
    /// Parent first, at most [`ANCESTRY_MAX`], ending where the container ends.
    pub ancestry: Arc<[Ancestor]>,
}

impl Process {
    /// Nobody knows which it is.
    pub(crate) fn unknown(executable: &str) -> Self {
        Self {
            pid: 0,
            vpid: None,
            parent_pid: 0,
            uid: 0,
            executable: executable.into(),
            args: Arc::default(),
            args_cut: false,
            ancestry: Arc::default(),
        }
    }
}

/// Ancestors that an event names.
pub const ANCESTRY_MAX: usize = 16;

#[derive(Clone, Debug, Deserialize, Hash, PartialEq, Serialize)]
pub struct Ancestor {
    pub pid: u32,
    pub executable: Arc<str>,
    pub args: Arc<[String]>,
}

#[derive(Clone, Debug, Deserialize, Hash, PartialEq, Serialize)]
pub enum Behaviour {
    Exec(Exec),
    File(File),
    Change(Change),
    Map(Map),
    Connect(Connect),
    Listen(Listen),
    Accept(Accept),
    Syscall(Syscall),
    Socket(Socket),
    Unix(Unix),
    Identity(Identity),
    Escape(Escape),
    Dns(Dns),
    Capability(Capability),
}

/// The process's own `executable` and `args` say what was run.
#[derive(Clone, Debug, Deserialize, Hash, PartialEq, Serialize)]
pub struct Exec {
    /// As the caller wrote it: a symbolic link, a relative path, or for a script the script.
    pub given: String,
    /// The parent's executable; none for a container's entrypoint.
    pub parent: Option<Arc<str>>,
    /// The file has no name any more: a memfd, or deleted.
    pub fileless: bool,
    /// The file was written after the image: it lies in the upper layer of an overlay.
    pub not_in_image: bool,
    pub cwd: String,
}

/// Ends the path of a file that has lost its name, as the kernel prints it.
pub(crate) const DELETED: &str = " (deleted)";

#[derive(Clone, Debug, Deserialize, Hash, PartialEq, Serialize)]
pub struct File {
    /// Absolute and resolved. `/proc/PID` of the process itself is already `/proc/self`. One that has lost its name ends in
    /// ` (deleted)`.
    pub path: String,
    pub read: bool,
    /// Written, created or truncated.
    pub write: bool,
    /// Refused for want of permission.
    pub denied: bool,
}

/// A file changed otherwise than through an open descriptor.
#[derive(Clone, Debug, Deserialize, Hash, PartialEq, Serialize)]
pub struct Change {
    /// As of [`File`]; of a rename the new name.
    pub path: String,
    pub operation: Operation,
}

#[derive(Clone, Debug, Deserialize, Hash, PartialEq, Serialize)]
pub enum Operation {
    /// The name was removed; with the last one the file.
    Delete,
    /// The old name.
    Rename(String),
    /// The file that has got one more name.
    HardLink(String),
    /// What the link says, as it was written.
    SymbolicLink(String),
    /// The new permission bits, `S_ISUID` and its like among them.
    Mode(u32),
    Owner,
}

/// A file mapped executable, other than the program itself.
#[derive(Clone, Debug, Deserialize, Hash, PartialEq, Serialize)]
pub struct Map {
    /// As of [`File`].
    pub path: String,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Protocol {
    Tcp,
    Udp,
    /// Any other `IPPROTO_*`.
    Other(u32),
}

#[derive(Clone, Debug, Deserialize, Hash, PartialEq, Serialize)]
pub struct Connect {
    pub protocol: Protocol,
    /// An IPv4-mapped address is already IPv4.
    pub peer: SocketAddr,
    /// A datagram on a socket that was never connected.
    pub datagram: bool,
    /// False where the peer is a listener of the same container whose port the kernel picked.
    pub port_chosen: bool,
    pub named: Named,
}

/// What an address is known as, beside itself.
#[derive(Clone, Debug, Default, Deserialize, Hash, PartialEq, Serialize)]
pub struct Named {
    /// As name servers called it when this container asked, the newest first.
    pub names: Arc<[Arc<str>]>,
    /// The pod of this node that has it: `NAMESPACE/WORKLOAD`.
    pub pod: Option<Arc<str>>,
}

#[derive(Clone, Copy, Debug, Deserialize, Hash, PartialEq, Serialize)]
pub struct Listen {
    pub protocol: Protocol,
    pub local: SocketAddr,
    /// False where the kernel picked a free port.
    pub port_chosen: bool,
}

#[derive(Clone, Debug, Deserialize, Hash, PartialEq, Serialize)]
pub struct Accept {
    pub protocol: Protocol,
    pub local: SocketAddr,
    /// Whether the local port was chosen by the program, see [`Listen::port_chosen`].
    pub port_chosen: bool,
    pub peer: SocketAddr,
    /// See [`Named::pod`].
    pub pod: Option<Arc<str>>,
}

#[derive(Clone, Debug, Deserialize, Hash, PartialEq, Serialize)]
pub struct Syscall {
    /// The kernel's name, `syscall_NNN` for a number without one.
    pub name: String,
    /// Refused by a seccomp filter.
    pub denied: bool,
    /// Through the i386 or x32 ABI; `name` is then that ABI's number, as `foreign_NNN`.
    pub foreign: bool,
}

/// A sort of socket, as the kernel numbers it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Socket {
    /// `AF_*`.
    pub family: u32,
    /// `SOCK_*`.
    pub kind: u32,
    /// As asked for: 0 is the family's default.
    pub protocol: u32,
}

#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Unix {
    /// The name that the peer bound itself: a path, or `@name` for an abstract one.
    pub peer: String,
    pub datagram: bool,
}

/// A process's user ids before and after.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Identity {
    pub from: UserIds,
    pub to: UserIds,
}

/// Whose a process is and as whom it acts, in the initial user namespace.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct UserIds {
    pub real: u32,
    pub effective: u32,
}

/// A process was moved out of its container's cgroups.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Escape {
    /// Where to: a path from the hierarchy's root.
    pub cgroup: String,
}

/// A name was resolved.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Dns {
    /// As asked for, in lower case and without the last dot.
    pub name: String,
    pub addresses: Vec<IpAddr>,
}

impl Named {
    /// As a name server last called it.
    pub fn name(&self) -> Option<&str> {
        self.names.first().map(|name| &**name)
    }
}

impl std::fmt::Display for UserIds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.real)?;
        if self.effective != self.real {
            write!(f, " (effective {})", self.effective)?;
        }
        Ok(())
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "uid {} -> {}", self.from, self.to)
    }
}

impl Protocol {
    pub fn from_number(number: u32) -> Self {
        match number {
            6 => Self::Tcp,
            17 => Self::Udp,
            other => Self::Other(other),
        }
    }
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp => f.write_str("tcp"),
            Self::Udp => f.write_str("udp"),
            Self::Other(number) => write!(f, "ip-{number}"),
        }
    }
}

/// The address a person would write: an IPv4-mapped IPv6 address is IPv4.
pub fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}
