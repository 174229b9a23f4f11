//! The candidates of every behaviour, in the order in which they are tried.

use super::{
    Behaviour,
    candidate::{CALL, Candidate, DESCRIPTOR, EXECUTABLE, Fields, INODE, UNIX_NAME, WALK},
    files,
};

/// What an exec reads.
const EXEC: &[Fields] =
    &[WALK, INODE, &["BPRM_", "FILE_", "MM_", "TASK_", "PID_", "UPID_", "NSPROXY_"]];

pub(super) const CANDIDATES: &[(Behaviour, &[Candidate])] = &[
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
            fields: &[&[
                "TASK_", "PID_", "UPID_", "SIGNAL_", "CGROUP_", "KN_", "CSS_SET", "NSPROXY_",
            ]],
            reads: false,
        }],
    ),
    (Behaviour::Open, files::OPEN),
    (Behaviour::Denied, files::DENIED),
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
            fields: &[&["SOCK_", "CGROUP_KN", "KN_"]],
            reads: false,
        }],
    ),
    (
        Behaviour::Syscall,
        &[Candidate {
            name: "tp_btf/sys_exit",
            programs: &[("syscall", "sys_exit")],
            fields: &[CALL, &["TASK_SECCOMP"]],
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
            fields: &[&["CGROUP_", "CSS_", "KN_", "NSPROXY_", "TASK_NSPROXY", "TASK_TGID"]],
            reads: false,
        }],
    ),
    (
        Behaviour::Bind,
        &[Candidate {
            name: "cgroup/bind4, bind6",
            programs: &[("bind4", ""), ("bind6", "")],
            fields: &[],
            reads: false,
        }],
    ),
    (
        Behaviour::Socket,
        &[
            Candidate {
                name: "fentry/security_socket_post_create",
                programs: &[("socket_create", "security_socket_post_create")],
                fields: &[EXECUTABLE],
                reads: false,
            },
            Candidate {
                name: "tp_btf/sys_exit (socket)",
                programs: &[("socket_exit", "sys_exit")],
                fields: &[EXECUTABLE, CALL],
                reads: true,
            },
        ],
    ),
    (
        Behaviour::Unix,
        &[
            Candidate {
                name: "fentry/security_unix_stream_connect, security_unix_may_send",
                programs: &[
                    ("unix_stream", "security_unix_stream_connect"),
                    ("unix_datagram", "security_unix_may_send"),
                ],
                fields: &[EXECUTABLE, UNIX_NAME],
                reads: false,
            },
            Candidate {
                name: "tp_btf/sys_exit (connect)",
                programs: &[("unix_exit", "sys_exit")],
                fields: &[
                    UNIX_NAME,
                    CALL,
                    DESCRIPTOR,
                    &["FILE_PRIVATE", "SOCK_FAMILY", "SOCK_TYPE", "UNIX_SOCK_PEER"],
                ],
                reads: true,
            },
        ],
    ),
    (
        Behaviour::Identity,
        &[
            Candidate {
                name: "fentry/security_task_fix_setuid",
                programs: &[("setuid", "security_task_fix_setuid")],
                fields: &[&["CRED_", "TASK_CRED"]],
                reads: false,
            },
            Candidate {
                name: "tp_btf/sys_exit (set*uid)",
                programs: &[("setuid_exit", "sys_exit")],
                fields: &[CALL, &["CRED_", "TASK_CRED"]],
                reads: false,
            },
        ],
    ),
    (
        Behaviour::Capability,
        &[
            Candidate {
                name: "fexit/cap_capable",
                programs: &[("capability", "cap_capable")],
                fields: &[EXECUTABLE, &["TASK_REAL_CRED"]],
                reads: false,
            },
            Candidate { name: "the system calls that need one", ..Candidate::STAND_IN },
        ],
    ),
    (
        Behaviour::Escape,
        &[Candidate {
            name: "tp_btf/cgroup_attach_task (leaving)",
            programs: &[("cgroup_leave", "cgroup_attach_task")],
            fields: &[&["CGROUP_", "KN_", "TASK_TGID"]],
            reads: false,
        }],
    ),
    (
        Behaviour::Dns,
        &[Candidate {
            name: "cgroup_skb/ingress",
            programs: &[("dns", "")],
            fields: &[],
            reads: false,
        }],
    ),
];

#[cfg(test)]
mod tests {
    use super::CANDIDATES;

    #[test]
    fn every_field_belongs_to_a_probe() {
        macro_rules! names {
            ($($name:ident = $structure:literal, $member:literal;)*) => { [$(stringify!($name)),*] };
        }
        let all: Vec<_> = CANDIDATES.iter().flat_map(|(_, all)| *all).collect();
        for name in profiler_common::for_each_offset!(names) {
            assert!(all.iter().any(|candidate| candidate.reads_field(name)), "{name}");
        }
    }
}
