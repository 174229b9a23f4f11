//! Which probe sees which behaviour: candidates in order, each tried by loading and attaching it.

use std::os::fd::BorrowedFd;

use anyhow::{Context, bail};
use aya::{
    Btf, Ebpf,
    programs::{BtfTracePoint, CgroupAttachMode, CgroupSockAddr, FEntry, Program},
};
use serde::Serialize;

/// What a probe reports.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Behaviour {
    Exec,
    Process,
    Open,
    Connect,
    Datagram,
    Listen,
    Syscall,
    Cgroup,
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

/// One way to see a behaviour.
struct Candidate {
    /// How reports name it.
    name: &'static str,
    /// The programs it needs, all of them, with the kernel function or tracepoint each hooks.
    programs: &'static [(&'static str, &'static str)],
}

const CANDIDATES: &[(Behaviour, &[Candidate])] = &[
    (
        Behaviour::Exec,
        &[Candidate {
            name: "tp_btf/sched_process_exec",
            programs: &[("exec", "sched_process_exec")],
        }],
    ),
    (
        Behaviour::Process,
        &[Candidate {
            name: "tp_btf/sched_process_fork, sched_process_exit",
            programs: &[("fork", "sched_process_fork"), ("exit", "sched_process_exit")],
        }],
    ),
    (
        Behaviour::Open,
        &[
            Candidate {
                name: "fentry/security_file_open",
                programs: &[("open_file", "security_file_open")],
            },
            Candidate { name: "tp_btf/sys_exit (open)", programs: &[("open_exit", "sys_exit")] },
        ],
    ),
    (
        Behaviour::Connect,
        &[Candidate {
            name: "cgroup/connect4, connect6",
            programs: &[("connect4", ""), ("connect6", "")],
        }],
    ),
    (
        Behaviour::Datagram,
        &[Candidate {
            name: "cgroup/sendmsg4, sendmsg6",
            programs: &[("sendmsg4", ""), ("sendmsg6", "")],
        }],
    ),
    (
        Behaviour::Listen,
        &[Candidate {
            name: "tp_btf/inet_sock_set_state",
            programs: &[("sock_state", "inet_sock_set_state")],
        }],
    ),
    (
        Behaviour::Syscall,
        &[Candidate { name: "tp_btf/sys_exit", programs: &[("syscall", "sys_exit")] }],
    ),
    (
        Behaviour::Cgroup,
        &[Candidate {
            name: "tp_btf/cgroup_mkdir, cgroup_rmdir",
            programs: &[("cgroup_mkdir", "cgroup_mkdir"), ("cgroup_rmdir", "cgroup_rmdir")],
        }],
    ),
];

/// Attaches the first candidate of every behaviour that this kernel takes.
pub(super) fn attach(ebpf: &mut Ebpf, btf: &Btf, cgroup: BorrowedFd<'_>) -> Vec<Status> {
    CANDIDATES
        .iter()
        .map(|(behaviour, candidates)| attach_first(ebpf, btf, cgroup, *behaviour, candidates))
        .collect()
}

fn attach_first(
    ebpf: &mut Ebpf,
    btf: &Btf,
    cgroup: BorrowedFd<'_>,
    behaviour: Behaviour,
    candidates: &[Candidate],
) -> Status {
    let mut refused = Vec::new();
    for (index, candidate) in candidates.iter().enumerate() {
        let attached = candidate
            .programs
            .iter()
            .try_for_each(|(program, target)| attach_program(ebpf, btf, cgroup, program, target));
        match attached {
            Ok(()) => {
                let tier = if index == 0 { Tier::Full } else { Tier::Restricted };
                return Status { behaviour, tier, probe: Some(candidate.name), refused };
            }
            Err(error) => refused.push(format!("{}: {}", candidate.name, reason(&error))),
        }
    }
    Status { behaviour, tier: Tier::Blind, probe: None, refused }
}

fn attach_program(
    ebpf: &mut Ebpf,
    btf: &Btf,
    cgroup: BorrowedFd<'_>,
    name: &str,
    target: &str,
) -> anyhow::Result<()> {
    let program = ebpf.program_mut(name).context("not in the eBPF object")?;
    match program {
        Program::BtfTracePoint(program) => {
            BtfTracePoint::load(program, target, btf)?;
            program.attach()?;
        }
        Program::FEntry(program) => {
            FEntry::load(program, target, btf)?;
            program.attach()?;
        }
        Program::CgroupSockAddr(program) => {
            CgroupSockAddr::load(program)?;
            // A link is always shared with other users' programs; asking for it explicitly is refused by aya 0.14.
            program.attach(cgroup, CgroupAttachMode::Single)?;
        }
        _ => bail!("an unexpected program type"),
    }
    Ok(())
}

/// The last cause, without the verifier's log behind it: what a person can act on.
fn reason(error: &anyhow::Error) -> String {
    let verbose = std::env::var_os("DRIFTLINE_VERIFIER_LOG").is_some();
    if verbose {
        return format!("{error:#}");
    }
    let root = error.root_cause().to_string();
    root.lines().next().unwrap_or_default().to_owned()
}
