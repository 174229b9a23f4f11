//! The kinds of behaviour that a baseline's completeness is told by, and which of its entries belong to which.

use serde::Serialize;

use super::names::Set;

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Aspect {
    /// Which programs run, who starts them, with which arguments.
    Programs,
    /// What is read, written, removed, linked, mapped.
    Files,
    /// Peers, listeners, names, sorts of sockets.
    Network,
    /// Users, capabilities, ways out of the container.
    Privileges,
    Syscalls,
}

impl Aspect {
    pub const ALL: [Self; 5] =
        [Self::Programs, Self::Files, Self::Network, Self::Privileges, Self::Syscalls];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Programs => "programs",
            Self::Files => "files",
            Self::Network => "network",
            Self::Privileges => "privileges",
            Self::Syscalls => "syscalls",
        }
    }

    pub(super) fn of(set: Set) -> Self {
        match set {
            Set::Parents | Set::Args => Self::Programs,
            Set::Read
            | Set::ReadDenied
            | Set::Write
            | Set::WriteDenied
            | Set::Delete
            | Set::Link
            | Set::Meta
            | Set::MapExec => Self::Files,
            Set::Connect | Set::Listen | Set::Accept | Set::Socket | Set::Unix | Set::Dns => {
                Self::Network
            }
            Set::Identity | Set::Escape | Set::Capability => Self::Privileges,
        }
    }

    /// Whether events lost of this kind, as [`Run::lost`](super::Run::lost) names them, may have been of this aspect. What
    /// was lost of a process's start may have been anything it did.
    pub(super) fn misses(self, lost: &str) -> bool {
        match lost {
            "open" | "change" | "map" => self == Self::Files,
            "connect" | "listen" | "accept" | "socket" | "unix" | "dns" => self == Self::Network,
            "identity" | "escape" | "capability" => self == Self::Privileges,
            "syscall" => self == Self::Syscalls,
            "exit" | "cgroup-made" | "cgroup-removed" => false,
            // `exec`, `fork`, `unattributed`, `probe`, and what a later version names.
            _ => true,
        }
    }

    /// Whether it is not wholly seen without this probe, as [`Run::blind`](super::Run::blind) names it.
    pub(super) fn needs(self, probe: &str) -> bool {
        match probe {
            "open" | "denied" | "change" | "map" => self == Self::Files,
            "connect" | "datagram" | "listen" | "bind" | "socket" | "unix" | "dns" => {
                self == Self::Network
            }
            "identity" | "capability" | "escape" => self == Self::Privileges,
            "syscall" => self == Self::Syscalls,
            "cgroup" => false,
            // `exec`, `process`, and what a later version names.
            _ => true,
        }
    }
}
