//! What crosses the ring buffer: one record per behaviour, a fixed part and, behind it, variable bytes.

mod accept;
mod capability;
mod cgroup;
mod change;
mod connect;
mod dns;
mod escape;
mod exec;
mod exit;
mod fork;
mod identity;
mod listen;
mod map;
mod open;
mod path;
mod socket;
mod syscall;
mod unix;

pub use accept::Accept;
pub use capability::Capability;
pub use cgroup::{CgroupMade, CgroupRemoved};
pub use change::{CHANGE_CLAIMED, Change, Operation};
pub use connect::{CONNECT_DATAGRAM, Connect};
pub use dns::{DNS_MAX, Dns};
pub use escape::Escape;
pub use exec::{ARGS_MAX, EXEC_FILELESS, EXEC_FIRST, EXEC_INJECTED, EXEC_UPPER, Exec};
pub use exit::Exit;
pub use fork::Fork;
pub use identity::Identity;
pub use listen::{LISTEN_PORT_CHOSEN, Listen};
pub use map::{MAP_UNNAMED, Map};
pub use open::{
    OPEN_CLAIMED, OPEN_CREATED, OPEN_DENIED, OPEN_READ, OPEN_UNNAMED, OPEN_WRITE, Open,
};
pub use path::{COMPONENTS_MAX, NAME_MAX, PATH_MAX, PathForm, PathPart};
pub use socket::Socket;
pub use syscall::{SYSCALL_DENIED, SYSCALL_FOREIGN, Syscall};
pub use unix::{UNIX_DATAGRAM, UNIX_WORDS, Unix};

/// Number of event kinds, for arrays indexed by [`Kind`].
pub const KINDS: usize = 18;

/// The kind of a record; the value of [`Header::kind`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Kind {
    Exec = 0,
    Fork = 1,
    Exit = 2,
    Open = 3,
    Connect = 4,
    Listen = 5,
    Accept = 6,
    Syscall = 7,
    CgroupMade = 8,
    CgroupRemoved = 9,
    Change = 10,
    Map = 11,
    Socket = 12,
    Unix = 13,
    Identity = 14,
    Escape = 15,
    Dns = 16,
    Capability = 17,
}

impl Kind {
    pub const ALL: [Self; KINDS] = [
        Self::Exec,
        Self::Fork,
        Self::Exit,
        Self::Open,
        Self::Connect,
        Self::Listen,
        Self::Accept,
        Self::Syscall,
        Self::CgroupMade,
        Self::CgroupRemoved,
        Self::Change,
        Self::Map,
        Self::Socket,
        Self::Unix,
        Self::Identity,
        Self::Escape,
        Self::Dns,
        Self::Capability,
    ];

    /// The name that counters and reports use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Fork => "fork",
            Self::Exit => "exit",
            Self::Open => "open",
            Self::Connect => "connect",
            Self::Listen => "listen",
            Self::Accept => "accept",
            Self::Syscall => "syscall",
            Self::CgroupMade => "cgroup-made",
            Self::CgroupRemoved => "cgroup-removed",
            Self::Change => "change",
            Self::Map => "map",
            Self::Socket => "socket",
            Self::Unix => "unix",
            Self::Identity => "identity",
            Self::Escape => "escape",
            Self::Dns => "dns",
            Self::Capability => "capability",
        }
    }

    /// The kind with this value, if there is one.
    pub fn from_value(value: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u32 == value)
    }
}

/// The start of every record.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Header {
    /// A [`Kind`].
    pub kind: u32,
    /// Bits whose meaning the kind defines.
    pub flags: u32,
    /// The container: the id of its outermost cgroup.
    pub container: u64,
    /// Nanoseconds since boot, suspend included (`CLOCK_BOOTTIME`).
    pub time: u64,
    /// Process id (the kernel's tgid) in the initial pid namespace; 0 where the record belongs to no process.
    pub pid: u32,
    /// Thread id (the kernel's pid) in the initial pid namespace.
    pub tid: u32,
    /// Real user and group id in the initial user namespace.
    pub uid: u32,
    pub gid: u32,
}

const _: () = assert!(size_of::<Header>() == 40);

/// One end of a connection.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Endpoint {
    /// Network order; an IPv4 address takes the first four bytes.
    pub address: [u8; 16],
    /// `AF_INET` (2) or `AF_INET6` (10).
    pub family: u32,
    /// Host order.
    pub port: u32,
}

pub const AF_INET: u32 = 2;
pub const AF_INET6: u32 = 10;

const _: () = assert!(size_of::<Endpoint>() == 24);
