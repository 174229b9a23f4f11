//! Whose a record is: what that takes, without the container's state, which costs a look-up.

use aya_ebpf::helpers::{bpf_get_current_pid_tgid, bpf_get_current_uid_gid, bpf_ktime_get_boot_ns};
use profiler_common::event::{Header, Kind};

use crate::{container::Container, seen::Scope};

/// A container, as records and fingerprints know it.
pub(crate) trait Owner {
    fn id(&self) -> u64;

    /// The root directory that paths are told from: its mount's and its dentry's address.
    fn root(&self) -> (u64, u64);

    /// Counts an event that did not get through.
    fn count_lost(&self, kind: Kind);

    /// A record's header for the current task.
    #[inline(always)]
    fn header(&self, kind: Kind, flags: u32) -> Header {
        let pid_tgid = bpf_get_current_pid_tgid();
        let uid_gid = bpf_get_current_uid_gid();
        Header {
            kind: kind as u32,
            flags,
            container: self.id(),
            // SAFETY: the helper has no preconditions.
            time: unsafe { bpf_ktime_get_boot_ns() },
            pid: (pid_tgid >> 32) as u32,
            tid: pid_tgid as u32,
            uid: uid_gid as u32,
            gid: (uid_gid >> 32) as u32,
        }
    }
}

impl Owner for Container {
    #[inline(always)]
    fn id(&self) -> u64 {
        self.id
    }

    #[inline(always)]
    fn root(&self) -> (u64, u64) {
        Self::root(self)
    }

    #[inline(always)]
    fn count_lost(&self, kind: Kind) {
        Self::count_lost(self, kind);
    }
}

impl Owner for Scope {
    #[inline(always)]
    fn id(&self) -> u64 {
        self.container
    }

    #[inline(always)]
    fn root(&self) -> (u64, u64) {
        self.root
    }

    #[inline(always)]
    fn count_lost(&self, kind: Kind) {
        Named(self.container).count_lost(kind);
    }
}

/// A container of which nothing but the id is at hand.
#[derive(Clone, Copy)]
pub(crate) struct Named(pub(crate) u64);

impl Owner for Named {
    #[inline(always)]
    fn id(&self) -> u64 {
        self.0
    }

    #[inline(always)]
    fn root(&self) -> (u64, u64) {
        Container::of_id(self.0).map_or((0, 0), |container| container.root())
    }

    #[inline(always)]
    fn count_lost(&self, kind: Kind) {
        // One that is tracked no more has nobody left who would ask.
        if let Some(container) = Container::of_id(self.0) {
            container.count_lost(kind);
        }
    }
}
