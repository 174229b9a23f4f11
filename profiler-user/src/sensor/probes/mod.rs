//! Which probe sees which behaviour: candidates in order, each tried by loading, attaching and firing it.

mod attach;
mod candidate;
mod choice;
mod files;
mod follow;
mod table;

use aya::Ebpf;
use serde::Serialize;

pub(super) use self::{attach::Kernel, choice::Choice};

/// What a probe reports.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Behaviour {
    Exec,
    Process,
    Open,
    /// Opens that the kernel refused.
    Denied,
    /// Names made and removed, modes, owners, lengths by path.
    Change,
    /// Executable mappings of files.
    Map,
    Connect,
    Datagram,
    Listen,
    Syscall,
    Cgroup,
    Bind,
    Socket,
    Unix,
    Identity,
    /// Capabilities used.
    Capability,
    Escape,
    Dns,
}

/// How well a behaviour is seen; a worse one is greater.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// By the first choice.
    Full,
    /// By a fallback.
    Restricted,
    /// By nothing.
    Blind,
}

/// The outcome for one behaviour.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    pub behaviour: Behaviour,
    pub tier: Tier,
    /// The probe that is attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<&'static str>,
    /// Why better candidates are not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
}

/// Attaches the first candidate of every behaviour that this kernel takes.
pub(super) fn attach(ebpf: &mut Ebpf, kernel: &Kernel<'_>) -> Vec<Choice> {
    let choose = |(behaviour, candidates): &(Behaviour, &'static [candidate::Candidate])| {
        Choice::of(*behaviour, candidates, ebpf, kernel)
    };
    table::CANDIDATES.iter().map(choose).collect()
}

/// Whether everything is to be told that the verifier says.
fn is_verbose() -> bool {
    std::env::var_os("DRIFTLINE_VERIFIER_LOG").is_some()
}
