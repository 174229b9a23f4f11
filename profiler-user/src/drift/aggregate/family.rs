//! What drifts have in common that are told together, and how many of them are told on their own first.
//!
//! A family never mixes grades: whatever another rule, another severity, another kind or another outcome tells apart is a family
//! of its own. So an attack inside a flood of something else stays an event of its own.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use ulid::Ulid;

use crate::behaviour::{Behaviour, Observation};
use crate::drift::kind::{DriftKind, Finding};
use crate::drift::severity::{Severity, Verdict};

/// The value of `drift.group.by`: what the members share beside their kind and grade.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// One program, one address: its ports are scanned.
    Address,
    /// One program, one port: addresses are scanned.
    Port,
    /// One program; of execs, who started them.
    Executable,
    /// Nothing more: many programs of one container do it.
    Kind,
}

impl By {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Port => "port",
            Self::Executable => "executable",
            Self::Kind => "kind",
        }
    }

    /// So many are told on their own, and one more each time that has passed.
    const fn allowance(self) -> (usize, SignedDuration) {
        match self {
            Self::Address => (2, SignedDuration::from_secs(10)),
            Self::Port => (4, SignedDuration::from_secs(10)),
            Self::Executable => (8, SignedDuration::from_secs(2)),
            Self::Kind => (32, SignedDuration::from_secs(1)),
        }
    }
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Family {
    pub(super) by: By,
    pub(super) kind: DriftKind,
    pub(super) severity: Severity,
    rule: Box<str>,
    outcome: Outcome,
    /// None where there are many.
    pub(super) executable: Option<Arc<str>>,
    /// Of an address or a port: `tcp 10.0.0.7:*`, `tcp *:443`.
    pub(super) place: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Outcome {
    Done,
    Refused,
}

impl Family {
    /// Those that a drift belongs to, the closest first; none where its kind has few objects by nature, or where each is
    /// asked for: what is learned anew.
    pub(super) fn of(observation: &Observation, finding: &Finding, verdict: &Verdict) -> Vec<Self> {
        if !has_many(finding.kind) || finding.relearn.is_some() {
            return Vec::new();
        }
        let (executable, denied) = match &observation.behaviour {
            Behaviour::Exec(exec) => (exec.parent.clone(), false),
            Behaviour::File(file) => {
                (Some(Arc::clone(&observation.process.executable)), file.denied)
            }
            _ => (Some(Arc::clone(&observation.process.executable)), false),
        };
        let kind = Self {
            by: By::Kind,
            kind: finding.kind,
            severity: verdict.severity,
            rule: verdict.rule.clone(),
            outcome: if denied { Outcome::Refused } else { Outcome::Done },
            executable: None,
            place: None,
        };
        let own = Self { by: By::Executable, executable, ..kind.clone() };
        let mut families = Vec::with_capacity(4);
        if let Behaviour::Connect(connect) = &observation.behaviour {
            let (protocol, peer) = (connect.protocol, connect.peer);
            let address = match peer.ip() {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            };
            for (by, place) in [
                (By::Address, format!("{protocol} {address}:*")),
                (By::Port, format!("{protocol} *:{}", peer.port())),
            ] {
                families.push(Self { by, place: Some(place), ..own.clone() });
            }
        }
        families.extend([own, kind]);
        families
    }

    /// What makes one fingerprint of it.
    pub(super) fn parts(&self) -> [&str; 7] {
        let outcome = match self.outcome {
            Outcome::Done => "",
            Outcome::Refused => "denied",
        };
        [
            self.kind.name(),
            self.by.name(),
            self.severity.name(),
            &self.rule,
            outcome,
            self.executable.as_deref().unwrap_or_default(),
            self.place.as_deref().unwrap_or_default(),
        ]
    }
}

/// Names and addresses are without number; system calls, capabilities and the like are not.
const fn has_many(kind: DriftKind) -> bool {
    match kind {
        DriftKind::Exec
        | DriftKind::ExecParent
        | DriftKind::ExecArgs
        | DriftKind::ExecFileless
        | DriftKind::ExecInjected
        | DriftKind::ExecNotInImage
        | DriftKind::FileRead
        | DriftKind::FileWrite
        | DriftKind::FileDelete
        | DriftKind::FileLink
        | DriftKind::FileMeta
        | DriftKind::FileMapExec
        | DriftKind::NetConnect
        | DriftKind::NetListen
        | DriftKind::NetAccept
        | DriftKind::NetUnix
        | DriftKind::Dns => true,
        DriftKind::NetSocket
        | DriftKind::Identity
        | DriftKind::Capability
        | DriftKind::ContainerEscape
        | DriftKind::Syscall
        | DriftKind::SyscallAbi
        | DriftKind::ImageUnprofiled
        | DriftKind::SensorGap
        | DriftKind::IncidentLateral => false,
    }
}

/// How many of a family may still be told on their own.
#[derive(Debug)]
pub(super) struct Allowance {
    left: usize,
    /// Up to when it was refilled.
    since: Timestamp,
    /// The newest that were told on their own.
    pub(super) told: VecDeque<Ulid>,
}

impl Allowance {
    pub(super) fn new(by: By, now: Timestamp) -> Self {
        Self { left: by.allowance().0, since: now, told: VecDeque::new() }
    }

    /// False where it is used up.
    pub(super) fn take(&mut self, by: By, now: Timestamp) -> bool {
        let (most, every) = by.allowance();
        let passed = now.duration_since(self.since).as_nanos() / every.as_nanos();
        if let Ok(more) = usize::try_from(passed)
            && more > 0
        {
            self.left = self.left.saturating_add(more).min(most);
            self.since = now;
        }
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        true
    }

    pub(super) fn note(&mut self, by: By, id: Ulid) {
        if self.told.len() >= by.allowance().0 {
            self.told.pop_front();
        }
        self.told.push_back(id);
    }

    /// Whether forgetting it would change nothing.
    pub(super) fn is_full(&self, by: By, now: Timestamp) -> bool {
        let (most, every) = by.allowance();
        let passed = now.duration_since(self.since).as_nanos() / every.as_nanos();
        passed >= i128::try_from(most).unwrap_or(i128::MAX)
    }
}
