//! Which probe sees which behaviour: candidates in order, each tried by loading and attaching it.

mod files;

use std::os::fd::BorrowedFd;

use anyhow::{Context, bail, ensure};
use aya::{
    Btf, Ebpf,
    programs::{BtfTracePoint, CgroupAttachMode, CgroupSockAddr, FEntry, FExit, Program},
};
use serde::Serialize;

/// What a probe reports.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Behaviour {
    Exec,
    Process,
    Open,
    /// Names made and removed, modes, owners, lengths by path.
    Change,
    /// Executable mappings of files.
    Map,
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
    /// The kernel fields they read, by the beginning of their names in [`profiler_common::offset`].
    fields: &'static [&'static str],
}

/// What a dentry walk reads.
const WALK: [&str; 6] = ["PATH_", "DENTRY_", "VFSMOUNT_", "MOUNT_", "FS_", "TASK_FS"];

const CANDIDATES: &[(Behaviour, &[Candidate])] = &[
    (
        Behaviour::Exec,
        &[Candidate {
            name: "tp_btf/sched_process_exec",
            programs: &[("exec", "sched_process_exec")],
            fields: &[
                WALK[0], WALK[1], WALK[2], WALK[3], WALK[4], WALK[5], "BPRM_", "FILE_", "INODE_",
                "SB_", "MM_", "TASK_", "PID_", "UPID_",
            ],
        }],
    ),
    (
        Behaviour::Process,
        &[Candidate {
            name: "tp_btf/sched_process_fork, sched_process_exit",
            programs: &[("fork", "sched_process_fork"), ("exit", "sched_process_exit")],
            fields: &["TASK_", "PID_", "UPID_", "SIGNAL_", "CGROUP_", "KN_", "CSS_SET", "NSPROXY_"],
        }],
    ),
    (
        Behaviour::Open,
        &[
            Candidate {
                name: "fentry/security_file_open",
                programs: &[("open_file", "security_file_open")],
                fields: &[
                    WALK[0], WALK[1], WALK[2], WALK[3], WALK[4], WALK[5], "FILE_", "INODE_", "SB_",
                ],
            },
            Candidate {
                name: "tp_btf/sys_exit (open)",
                programs: &[("open_exit", "sys_exit")],
                fields: &[
                    WALK[0], WALK[1], WALK[2], WALK[3], WALK[4], WALK[5], "FILE_", "FILES_",
                    "FDT_", "INODE_", "SB_", "PT_REGS_",
                ],
            },
        ],
    ),
    (Behaviour::Change, files::CHANGE),
    (Behaviour::Map, files::MAP),
    (
        Behaviour::Connect,
        &[Candidate {
            name: "cgroup/connect4, connect6",
            programs: &[("connect4", ""), ("connect6", "")],
            fields: &[],
        }],
    ),
    (
        Behaviour::Datagram,
        &[Candidate {
            name: "cgroup/sendmsg4, sendmsg6",
            programs: &[("sendmsg4", ""), ("sendmsg6", "")],
            fields: &[],
        }],
    ),
    (
        Behaviour::Listen,
        &[Candidate {
            name: "tp_btf/inet_sock_set_state",
            programs: &[("sock_state", "inet_sock_set_state")],
            fields: &["SOCK_", "CGROUP_KN", "KN_"],
        }],
    ),
    (
        Behaviour::Syscall,
        &[Candidate {
            name: "tp_btf/sys_exit",
            programs: &[("syscall", "sys_exit")],
            fields: &["PT_REGS_", "TASK_STATUS", "TASK_SECCOMP"],
        }],
    ),
    (
        Behaviour::Cgroup,
        &[Candidate {
            name: "tp_btf/cgroup_mkdir, cgroup_rmdir, cgroup_attach_task",
            programs: &[
                ("cgroup_mkdir", "cgroup_mkdir"),
                ("cgroup_rmdir", "cgroup_rmdir"),
                ("cgroup_attach", "cgroup_attach_task"),
            ],
            fields: &["CGROUP_", "CSS_", "KN_", "NSPROXY_", "TASK_NSPROXY", "TASK_TGID"],
        }],
    ),
];

/// Attaches the first candidate of every behaviour that this kernel takes.
///
/// `absent` names the fields that this kernel does not have. A load through a typed pointer would fail its trial anyway; one
/// through the reading helper would not, and find nothing later.
pub(super) fn attach(
    ebpf: &mut Ebpf,
    btf: &Btf,
    cgroup: BorrowedFd<'_>,
    absent: &[&str],
) -> Vec<Status> {
    let mut attach_candidate = |candidate: &Candidate| {
        let lacking: Vec<_> = absent
            .iter()
            .filter(|name| candidate.fields.iter().any(|field| name.starts_with(field)))
            .copied()
            .collect();
        ensure!(lacking.is_empty(), "this kernel lacks the fields {}", lacking.join(", "));
        let attached = candidate
            .programs
            .iter()
            .try_for_each(|(program, target)| attach_program(ebpf, btf, cgroup, program, target));
        if attached.is_err() {
            detach(ebpf, candidate);
        }
        attached
    };
    CANDIDATES
        .iter()
        .map(|(behaviour, candidates)| first(*behaviour, candidates, &mut attach_candidate))
        .collect()
}

fn first(
    behaviour: Behaviour,
    candidates: &[Candidate],
    mut attach: impl FnMut(&Candidate) -> anyhow::Result<()>,
) -> Status {
    let mut refused = Vec::new();
    for (index, candidate) in candidates.iter().enumerate() {
        match attach(candidate) {
            Ok(()) => {
                let tier = if index == 0 { Tier::Full } else { Tier::Restricted };
                return Status { behaviour, tier, probe: Some(candidate.name), refused };
            }
            Err(error) => refused.push(format!("{}: {}", candidate.name, reason(&error))),
        }
    }
    Status { behaviour, tier: Tier::Blind, probe: None, refused }
}

/// What of a candidate was attached before one of its programs was refused would report beside the next candidate.
fn detach(ebpf: &mut Ebpf, candidate: &Candidate) {
    for (name, _) in candidate.programs {
        let _not_loaded = match ebpf.program_mut(name) {
            Some(Program::FEntry(program)) => program.unload(),
            Some(Program::FExit(program)) => program.unload(),
            Some(Program::BtfTracePoint(program)) => program.unload(),
            Some(Program::CgroupSockAddr(program)) => program.unload(),
            _ => Ok(()),
        };
    }
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
        Program::FExit(program) => {
            FExit::load(program, target, btf)?;
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

#[cfg(test)]
mod tests {
    use super::{CANDIDATES, Tier, first};

    #[test]
    fn a_refused_first_choice_gives_way_and_is_named() {
        let (behaviour, candidates) =
            CANDIDATES.iter().find(|(_, candidates)| candidates.len() > 1).unwrap();
        let status = first(*behaviour, candidates, |candidate| {
            anyhow::ensure!(candidate.name == candidates[1].name, "no trampolines");
            Ok(())
        });
        assert_eq!((status.tier, status.probe), (Tier::Restricted, Some(candidates[1].name)));
        assert!(status.refused[0].contains("no trampolines"));
        let blind = first(*behaviour, candidates, |_| anyhow::bail!("nothing"));
        assert_eq!((blind.tier, blind.refused.len()), (Tier::Blind, 2));
    }

    #[test]
    fn every_field_belongs_to_a_probe() {
        macro_rules! names {
            ($($name:ident = $structure:literal, $member:literal;)*) => { [$(stringify!($name)),*] };
        }
        let fields: Vec<_> =
            CANDIDATES.iter().flat_map(|(_, all)| all.iter().flat_map(|one| one.fields)).collect();
        for name in profiler_common::for_each_offset!(names) {
            assert!(fields.iter().any(|field| name.starts_with(*field)), "{name}");
        }
    }
}
