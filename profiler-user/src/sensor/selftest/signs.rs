//! What the probes are to show of the child, as a set.

use bytes::Bytes;
use profiler_common::event::{
    self, AF_INET, CONNECT_DATAGRAM, Header, Kind, OPEN_CLAIMED, OPEN_DENIED, PathForm,
};
use zerocopy::FromBytes;

use crate::sensor::Behaviour;

const IPPROTO_UDP: u32 = 17;

/// A set of signs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Signs(u32);

impl Signs {
    pub(super) const NONE: Self = Self(0);
    pub(super) const EXEC: Self = Self(1);
    pub(super) const FORK: Self = Self(1 << 1);
    pub(super) const EXIT: Self = Self(1 << 2);
    pub(super) const OPEN: Self = Self(1 << 3);
    pub(super) const CONNECT4: Self = Self(1 << 4);
    pub(super) const CONNECT6: Self = Self(1 << 5);
    pub(super) const DATAGRAM4: Self = Self(1 << 6);
    pub(super) const DATAGRAM6: Self = Self(1 << 7);
    pub(super) const LISTEN: Self = Self(1 << 8);
    pub(super) const ACCEPT: Self = Self(1 << 9);
    pub(super) const SYSCALL: Self = Self(1 << 10);
    /// A cgroup inside a container was taken for the container's.
    pub(super) const CHILD_MADE: Self = Self(1 << 11);
    pub(super) const CHILD_REMOVED: Self = Self(1 << 12);
    /// A process that came in from outside was marked.
    pub(super) const JOINED: Self = Self(1 << 13);
    pub(super) const CGROUP_MADE: Self = Self(1 << 14);
    pub(super) const CGROUP_REMOVED: Self = Self(1 << 15);

    pub(super) const MAP: Self = Self(1 << 16);
    /// Every [`event::Operation`] that the child performs.
    pub(super) const CHANGES: Self = Self(0x7f << Self::FIRST_CHANGE);
    const FIRST_CHANGE: u32 = 17;
    pub(super) const SOCKET: Self = Self(1 << 24);
    pub(super) const UNIX: Self = Self(1 << 25);
    pub(super) const BIND: Self = Self(1 << 26);
    pub(super) const IDENTITY: Self = Self(1 << 27);
    pub(super) const DENIED: Self = Self(1 << 28);
    pub(super) const ESCAPE: Self = Self(1 << 29);
    pub(super) const DNS: Self = Self(1 << 30);
    pub(super) const CAPABILITY: Self = Self(1 << 31);

    pub(super) const IPV6: Self = Self(Self::CONNECT6.0 | Self::DATAGRAM6.0);
    pub(super) const LISTENING: Self = Self(Self::LISTEN.0 | Self::ACCEPT.0);

    pub(super) fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    pub(super) fn add(&mut self, others: Self) {
        self.0 |= others.0;
    }

    /// As the child passes it on, and back.
    pub(super) fn to_bytes(self) -> [u8; 4] {
        self.0.to_ne_bytes()
    }

    pub(super) fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(u32::from_ne_bytes(bytes))
    }

    /// Everything that the probes of a behaviour have to show.
    pub(super) fn of(behaviour: Behaviour, every_cgroup: bool) -> Self {
        let all: &[Self] = match behaviour {
            Behaviour::Exec => &[Self::EXEC],
            Behaviour::Process => &[Self::FORK, Self::EXIT],
            Behaviour::Open => &[Self::OPEN],
            Behaviour::Connect => &[Self::CONNECT4, Self::CONNECT6],
            Behaviour::Datagram => &[Self::DATAGRAM4, Self::DATAGRAM6],
            Behaviour::Listen => &[Self::LISTENING],
            Behaviour::Syscall => &[Self::SYSCALL],
            Behaviour::Change => &[Self::CHANGES],
            Behaviour::Map => &[Self::MAP],
            Behaviour::Socket => &[Self::SOCKET],
            Behaviour::Unix => &[Self::UNIX],
            Behaviour::Bind => &[Self::BIND],
            Behaviour::Identity => &[Self::IDENTITY],
            Behaviour::Denied => &[Self::DENIED],
            Behaviour::Escape => &[Self::ESCAPE],
            Behaviour::Dns => &[Self::DNS],
            Behaviour::Capability => &[Self::CAPABILITY],
            // Where one cgroup is watched, only those inside it matter.
            Behaviour::Cgroup if !every_cgroup => &[Self::CHILD_MADE, Self::CHILD_REMOVED],
            Behaviour::Cgroup => &[
                Self::CHILD_MADE,
                Self::CHILD_REMOVED,
                Self::JOINED,
                Self::CGROUP_MADE,
                Self::CGROUP_REMOVED,
            ],
        };
        let mut signs = Self::NONE;
        for sign in all {
            signs.add(*sign);
        }
        signs
    }

    /// What a record of the child's cgroup shows. A record that lacks what it is there for shows nothing.
    pub(super) fn in_record(record: &Bytes) -> Self {
        Self::found(record).unwrap_or(Self::NONE)
    }

    fn found(record: &[u8]) -> Option<Self> {
        let (header, _) = Header::read_from_prefix(record).ok()?;
        let has_path = |form: u32| form != PathForm::None as u32;
        Some(match Kind::from_value(header.kind)? {
            Kind::Exec => {
                let (exec, _) = event::Exec::read_from_prefix(record).ok()?;
                if !has_path(exec.executable.form) || exec.args == 0 {
                    return None;
                }
                Self::EXEC
            }
            Kind::Fork => Self::FORK,
            Kind::Exit => Self::EXIT,
            Kind::Open => {
                let (open, _) = event::Open::read_from_prefix(record).ok()?;
                match header.flags & (OPEN_CLAIMED | OPEN_DENIED) {
                    _ if !has_path(open.path.form) => return None,
                    0 => Self::OPEN,
                    flags if flags & OPEN_DENIED != 0 => Self::DENIED,
                    _ => return None,
                }
            }
            Kind::Connect => {
                let (connect, _) = event::Connect::read_from_prefix(record).ok()?;
                match (connect.peer.family == AF_INET, header.flags & CONNECT_DATAGRAM != 0) {
                    (true, false) => Self::CONNECT4,
                    (false, false) => Self::CONNECT6,
                    (true, true) => Self::DATAGRAM4,
                    (false, true) => Self::DATAGRAM6,
                }
            }
            Kind::Listen => {
                let (listen, _) = event::Listen::read_from_prefix(record).ok()?;
                if listen.protocol == IPPROTO_UDP { Self::BIND } else { Self::LISTEN }
            }
            Kind::Accept => Self::ACCEPT,
            Kind::Syscall => Self::SYSCALL,
            Kind::Change => {
                let (change, _) = event::Change::read_from_prefix(record).ok()?;
                // By a descriptor alone, it is the base that says it.
                if !has_path(change.path.form) && !has_path(change.base.form) {
                    return None;
                }
                let sign = 1_u32.checked_shl(Self::FIRST_CHANGE + change.operation)?;
                Self(sign & Self::CHANGES.0)
            }
            Kind::Map => {
                let (map, _) = event::Map::read_from_prefix(record).ok()?;
                if !has_path(map.path.form) {
                    return None;
                }
                Self::MAP
            }
            Kind::Socket => Self::SOCKET,
            Kind::Unix => Self::UNIX,
            Kind::Identity => Self::IDENTITY,
            Kind::Escape => Self::ESCAPE,
            Kind::Dns => Self::DNS,
            Kind::Capability => Self::CAPABILITY,
            Kind::CgroupMade => Self::CGROUP_MADE,
            Kind::CgroupRemoved => Self::CGROUP_REMOVED,
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use profiler_common::event::{self, Header, Kind, PathForm, PathPart};
    use zerocopy::IntoBytes;

    use super::Signs;
    use crate::sensor::Behaviour;

    fn exec(executable: PathPart, args: u32) -> Bytes {
        let header = Header {
            kind: Kind::Exec as u32,
            flags: 0,
            container: 1,
            time: 2,
            pid: 3,
            tid: 3,
            uid: 0,
            gid: 0,
        };
        let exec = event::Exec {
            header,
            inode: 9,
            parent_pid: 1,
            vpid: 3,
            device: 0,
            args,
            args_total: 5,
            padding: 0,
            executable,
            given: PathPart::NONE,
            cwd: PathPart::NONE,
        };
        Bytes::copy_from_slice(exec.as_bytes())
    }

    #[test]
    fn an_exec_without_its_path_or_arguments_shows_nothing() {
        let path = PathPart { len: 3, form: PathForm::Names as u32 };
        assert_eq!(Signs::in_record(&exec(path, 5)), Signs::EXEC);
        assert_eq!(Signs::in_record(&exec(PathPart::NONE, 5)), Signs::NONE);
        assert_eq!(Signs::in_record(&exec(path, 0)), Signs::NONE);
        assert_eq!(Signs::in_record(&Bytes::from_static(b"short")), Signs::NONE);
    }

    #[test]
    fn both_halves_of_a_behaviour_have_to_show() {
        let listens = Signs::of(Behaviour::Listen, false);
        assert!(!Signs::LISTEN.contains(listens) && !Signs::ACCEPT.contains(listens));
        assert!(Signs::LISTENING.contains(listens));
        let cgroups = Signs::of(Behaviour::Cgroup, true);
        assert!(!Signs::of(Behaviour::Cgroup, false).contains(cgroups));
    }
}
