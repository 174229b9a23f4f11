//! Which probe sees which behaviour: candidates in order, each tried by loading, attaching and firing it.

mod files;

use std::os::fd::BorrowedFd;

use anyhow::{Context, bail, ensure};
use aya::{
    Btf, Ebpf,
    programs::{
        BtfTracePoint, CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSockAddr, FEntry,
        FExit, Program,
    },
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
    Bind,
    Socket,
    Unix,
    Identity,
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

/// One way to see a behaviour.
struct Candidate {
    /// How reports name it.
    name: &'static str,
    /// The programs it needs, all of them, with the kernel function or tracepoint each hooks.
    programs: &'static [(&'static str, &'static str)],
    /// The kernel fields they read, by the beginning of their names in [`profiler_common::offset`].
    fields: &'static [&'static str],
    /// Whether they are of use only where the kernel's memory may be read at any address.
    reads: bool,
}

/// What a dentry walk reads.
const WALK: [&str; 6] = ["PATH_", "DENTRY_", "VFSMOUNT_", "MOUNT_", "FS_", "TASK_FS"];

/// What an exec reads.
const EXEC: &[&str] = &[
    WALK[0], WALK[1], WALK[2], WALK[3], WALK[4], WALK[5], "BPRM_", "FILE_", "INODE_", "SB_", "MM_",
    "TASK_", "PID_", "UPID_", "NSPROXY_",
];

const CANDIDATES: &[(Behaviour, &[Candidate])] = &[
    (
        Behaviour::Exec,
        &[
            Candidate {
                name: "tp_btf/sched_process_exec",
                programs: &[("exec", "sched_process_exec")],
                fields: EXEC,
                reads: true,
            },
            Candidate {
                name: "fentry/security_file_open (exec), tp_btf/sched_process_exec",
                programs: &[("exec_file", "security_file_open"), ("exec", "sched_process_exec")],
                fields: EXEC,
                reads: false,
            },
        ],
    ),
    (
        Behaviour::Process,
        &[Candidate {
            name: "tp_btf/sched_process_fork, sched_process_exit",
            programs: &[("fork", "sched_process_fork"), ("exit", "sched_process_exit")],
            fields: &["TASK_", "PID_", "UPID_", "SIGNAL_", "CGROUP_", "KN_", "CSS_SET", "NSPROXY_"],
            reads: false,
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
                reads: false,
            },
            Candidate {
                name: "tp_btf/sys_exit (open)",
                programs: &[("open_exit", "sys_exit")],
                fields: &[
                    WALK[0], WALK[1], WALK[2], WALK[3], WALK[4], WALK[5], "FILE_", "FILES_",
                    "FDT_", "INODE_", "SB_", "PT_REGS_",
                ],
                reads: true,
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
            reads: false,
        }],
    ),
    (
        Behaviour::Datagram,
        &[Candidate {
            name: "cgroup/sendmsg4, sendmsg6",
            programs: &[("sendmsg4", ""), ("sendmsg6", "")],
            fields: &[],
            reads: false,
        }],
    ),
    (
        Behaviour::Listen,
        &[Candidate {
            name: "tp_btf/inet_sock_set_state",
            programs: &[("sock_state", "inet_sock_set_state")],
            fields: &["SOCK_", "CGROUP_KN", "KN_"],
            reads: false,
        }],
    ),
    (
        Behaviour::Syscall,
        &[Candidate {
            name: "tp_btf/sys_exit",
            programs: &[("syscall", "sys_exit")],
            fields: &["PT_REGS_", "TASK_STATUS", "TASK_SECCOMP"],
            reads: false,
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
            reads: false,
        }],
    ),
    (
        Behaviour::Bind,
        &[Candidate {
            name: "cgroup/bind4, bind6",
            reads: false,
            programs: &[("bind4", ""), ("bind6", "")],
            fields: &[],
        }],
    ),
    (
        Behaviour::Socket,
        &[
            Candidate {
                name: "fentry/security_socket_post_create",
                reads: false,
                programs: &[("socket_create", "security_socket_post_create")],
                fields: EXECUTABLE,
            },
            CALLS,
        ],
    ),
    (
        Behaviour::Unix,
        &[
            Candidate {
                name: "fentry/security_unix_stream_connect, security_unix_may_send",
                reads: false,
                programs: &[
                    ("unix_stream", "security_unix_stream_connect"),
                    ("unix_datagram", "security_unix_may_send"),
                ],
                fields: &[
                    EXECUTABLE[0],
                    EXECUTABLE[1],
                    EXECUTABLE[2],
                    EXECUTABLE[3],
                    "SOCKET_SK",
                    "UNIX_SOCK_ADDR",
                    "UNIX_ADDRESS_",
                    "SOCKADDR_UN_",
                ],
            },
            CALLS,
        ],
    ),
    (
        Behaviour::Identity,
        &[
            Candidate {
                name: "fentry/security_task_fix_setuid",
                reads: false,
                programs: &[("setuid", "security_task_fix_setuid")],
                fields: &["CRED_", "TASK_CRED"],
            },
            CALLS,
        ],
    ),
    (
        Behaviour::Escape,
        &[Candidate {
            name: "tp_btf/cgroup_attach_task (leaving)",
            reads: false,
            programs: &[("cgroup_leave", "cgroup_attach_task")],
            fields: &["CGROUP_", "KN_", "TASK_TGID"],
        }],
    ),
    (
        Behaviour::Dns,
        &[Candidate {
            name: "cgroup_skb/ingress",
            reads: false,
            programs: &[("dns", "")],
            fields: &[],
        }],
    ),
];

/// The kernel, as trying a candidate needs it.
pub(super) struct Kernel<'a> {
    pub(super) btf: &'a Btf,
    /// The cgroup hierarchy's root.
    pub(super) cgroup: BorrowedFd<'a>,
    /// The fields that this kernel does not have. A load through a typed pointer would fail its trial anyway; one through
    /// the reading helper would not, and find nothing later.
    pub(super) absent: &'a [&'a str],
    /// Whether the kernel's memory may be read.
    pub(super) reads: bool,
}

/// The candidates of one behaviour, tried so far.
pub(super) struct Choice {
    pub(super) behaviour: Behaviour,
    candidates: &'static [Candidate],
    /// The candidate that is attached; past the last one there is none.
    index: usize,
    refused: Vec<String>,
}
/// What tells one executable from another.
const EXECUTABLE: &[&str] = &["TASK_MM", "MM_EXE_FILE", "INODE_", "SB_"];

/// Where there are no trampolines: one program for all calls whose arguments matter.
const CALLS: Candidate = Candidate {
    name: "tp_btf/sys_exit (calls)",
    reads: true,
    programs: &[("calls", "sys_exit")],
    fields: &[
        EXECUTABLE[0],
        EXECUTABLE[1],
        EXECUTABLE[2],
        EXECUTABLE[3],
        "PT_REGS_",
        "TASK_STATUS",
        "TASK_CRED",
        "CRED_",
        "TASK_FILES",
        "FILES_",
        "FDT_",
        "FILE_PRIVATE",
        "SOCKET_SK",
        "SOCK_FAMILY",
        "SOCK_TYPE",
        "UNIX_",
        "SOCKADDR_UN_",
    ],
};

/// Attaches the first candidate of every behaviour that this kernel takes.
pub(super) fn attach(ebpf: &mut Ebpf, kernel: &Kernel<'_>) -> Vec<Choice> {
    CANDIDATES
        .iter()
        .map(|(behaviour, candidates)| {
            let mut choice = Choice::new(*behaviour, candidates);
            choice.settle(|candidate| kernel.attach(ebpf, candidate));
            choice
        })
        .collect()
}

impl Choice {
    fn new(behaviour: Behaviour, candidates: &'static [Candidate]) -> Self {
        Self { behaviour, candidates, index: 0, refused: Vec::new() }
    }

    /// Goes on to the first candidate that can be attached.
    fn settle(&mut self, mut attach: impl FnMut(&Candidate) -> anyhow::Result<()>) {
        while let Some(candidate) = self.candidates.get(self.index) {
            match attach(candidate) {
                Ok(()) => return,
                Err(error) => self.refuse(candidate, &reason(&error)),
            }
        }
    }

    fn refuse(&mut self, candidate: &Candidate, why: &str) {
        self.refused.push(format!("{}: {why}", candidate.name));
        self.index += 1;
    }

    /// The one that is attached did not fire: the next one takes its place. Whether there is one.
    pub(super) fn replace(&mut self, ebpf: &mut Ebpf, kernel: &Kernel<'_>) -> bool {
        if let Some(silent) = self.candidates.get(self.index) {
            detach(ebpf, silent);
            self.refuse(silent, "attached, but did not fire when it was tried");
        }
        self.settle(|candidate| kernel.attach(ebpf, candidate));
        !self.is_blind()
    }

    pub(super) fn is_blind(&self) -> bool {
        self.index >= self.candidates.len()
    }

    pub(super) fn status(&self) -> Status {
        Status {
            behaviour: self.behaviour,
            tier: match self.index {
                _ if self.is_blind() => Tier::Blind,
                0 => Tier::Full,
                _ => Tier::Restricted,
            },
            probe: self.candidates.get(self.index).map(|candidate| candidate.name),
            refused: self.refused.clone(),
        }
    }
}

impl Kernel<'_> {
    fn attach(&self, ebpf: &mut Ebpf, candidate: &Candidate) -> anyhow::Result<()> {
        let is_lacking =
            |name: &&&str| candidate.fields.iter().any(|field| name.starts_with(field));
        let lacking: Vec<_> = self.absent.iter().filter(is_lacking).copied().collect();
        ensure!(lacking.is_empty(), "this kernel lacks the fields {}", lacking.join(", "));
        ensure!(self.reads || !candidate.reads, "lockdown forbids reading the kernel's memory");
        let mut programs = candidate.programs.iter();
        let attached =
            programs.try_for_each(|(program, target)| attach_program(ebpf, self, program, target));
        if attached.is_err() {
            detach(ebpf, candidate);
        }
        attached
    }
}

/// Takes a candidate's programs out of the kernel, as far as they are there.
fn detach(ebpf: &mut Ebpf, candidate: &Candidate) {
    for (name, _) in candidate.programs {
        let _may_not_be_loaded = match ebpf.program_mut(name) {
            Some(Program::BtfTracePoint(program)) => program.unload(),
            Some(Program::FEntry(program)) => program.unload(),
            Some(Program::FExit(program)) => program.unload(),
            Some(Program::CgroupSockAddr(program)) => program.unload(),
            _ => Ok(()),
        };
    }
}

fn attach_program(
    ebpf: &mut Ebpf,
    kernel: &Kernel<'_>,
    name: &str,
    target: &str,
) -> anyhow::Result<()> {
    let program = ebpf.program_mut(name).context("not in the eBPF object")?;
    match program {
        // It serves another behaviour already.
        Program::BtfTracePoint(program) if program.fd().is_ok() => {}
        Program::BtfTracePoint(program) => {
            BtfTracePoint::load(program, target, kernel.btf)?;
            if let Err(error) = program.attach() {
                program.unload()?;
                return Err(error.into());
            }
        }
        Program::FEntry(program) => {
            FEntry::load(program, target, kernel.btf)?;
            program.attach()?;
        }
        Program::FExit(program) => {
            FExit::load(program, target, kernel.btf)?;
            program.attach()?;
        }
        Program::CgroupSockAddr(program) => {
            CgroupSockAddr::load(program)?;
            // A link is always shared with other users' programs; asking for it explicitly is refused by aya 0.14.
            program.attach(kernel.cgroup, CgroupAttachMode::Single)?;
        }
        Program::CgroupSkb(program) => {
            CgroupSkb::load(program)?;
            // It runs for each packet: for good it goes to containers only.
            let (ingress, mode) = (CgroupSkbAttachType::Ingress, CgroupAttachMode::Single);
            let trial = program.attach(kernel.cgroup, ingress, mode)?;
            program.detach(trial)?;
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
    use super::{CANDIDATES, Choice, Tier};

    #[test]
    fn a_refused_first_choice_gives_way_and_is_named() {
        let (behaviour, candidates) =
            CANDIDATES.iter().find(|(_, candidates)| candidates.len() > 1).unwrap();
        let mut choice = Choice::new(*behaviour, candidates);
        choice.settle(|candidate| {
            anyhow::ensure!(candidate.name == candidates[1].name, "no trampolines");
            Ok(())
        });
        let status = choice.status();
        assert_eq!((status.tier, status.probe), (Tier::Restricted, Some(candidates[1].name)));
        assert!(status.refused[0].contains("no trampolines"));
        let mut choice = Choice::new(*behaviour, candidates);
        choice.settle(|_| anyhow::bail!("nothing"));
        let blind = choice.status();
        assert_eq!((blind.tier, blind.refused.len()), (Tier::Blind, candidates.len()));
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
