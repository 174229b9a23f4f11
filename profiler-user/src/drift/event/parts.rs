//! The keys of a process, and those of what it did something to.

use std::sync::Arc;

use serde::Serialize;

use crate::behaviour::{Ancestor, Behaviour, Observation, Operation};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventProcess {
    #[serde(rename = "process.executable.path")]
    pub executable: Arc<str>,
    /// Redacted.
    #[serde(rename = "process.command_args", skip_serializing_if = "<[_]>::is_empty")]
    pub args: Arc<[String]>,
    /// There were more arguments than are kept.
    #[serde(rename = "process.args_cut", skip_serializing_if = "is_false")]
    pub args_cut: bool,
    /// Of an exec.
    #[serde(rename = "process.working_directory", skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    #[serde(rename = "process.pid")]
    pub pid: u32,
    #[serde(rename = "process.vpid", skip_serializing_if = "Option::is_none")]
    pub vpid: Option<u32>,
    #[serde(rename = "process.parent_pid")]
    pub parent_pid: u32,
    #[serde(rename = "process.user.id")]
    pub uid: u32,
    /// Parent first; none for a container's first process.
    #[serde(rename = "process.ancestry", skip_serializing_if = "<[_]>::is_empty")]
    pub ancestry: Arc<[Ancestor]>,
}

/// The object's own keys: only those of its kind are there. `None` and false are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Subject {
    #[serde(rename = "file.path", skip_serializing_if = "Option::is_none")]
    pub file_path: Option<String>,
    /// Opening it was refused.
    #[serde(rename = "file.denied", skip_serializing_if = "is_false")]
    pub file_denied: bool,
    /// What a link points to.
    #[serde(rename = "file.target_path", skip_serializing_if = "Option::is_none")]
    pub file_target_path: Option<String>,
    /// Before it was renamed.
    #[serde(rename = "file.old_path", skip_serializing_if = "Option::is_none")]
    pub file_old_path: Option<String>,
    /// The new permission bits, octal.
    #[serde(rename = "file.mode", skip_serializing_if = "Option::is_none")]
    pub file_mode: Option<String>,
    #[serde(rename = "network.transport", skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    #[serde(rename = "source.address", skip_serializing_if = "Option::is_none")]
    pub source_address: Option<String>,
    #[serde(rename = "source.port", skip_serializing_if = "Option::is_none")]
    pub source_port: Option<u16>,
    #[serde(rename = "destination.address", skip_serializing_if = "Option::is_none")]
    pub destination_address: Option<String>,
    #[serde(rename = "destination.port", skip_serializing_if = "Option::is_none")]
    pub destination_port: Option<u16>,
    #[serde(rename = "syscall.name", skip_serializing_if = "Option::is_none")]
    pub syscall_name: Option<String>,
    /// A seccomp filter refused it.
    #[serde(rename = "syscall.denied", skip_serializing_if = "is_false")]
    pub syscall_denied: bool,
    /// The name by which a name server last called the address.
    #[serde(rename = "destination.domain", skip_serializing_if = "Option::is_none")]
    pub destination_domain: Option<String>,
    #[serde(rename = "dns.question.name", skip_serializing_if = "Option::is_none")]
    pub dns_question: Option<String>,
    /// As whom the process acted before.
    #[serde(rename = "user.id", skip_serializing_if = "Option::is_none")]
    pub user_before: Option<u32>,
    /// And since.
    #[serde(rename = "user.effective.id", skip_serializing_if = "Option::is_none")]
    pub user_after: Option<u32>,
}

impl EventProcess {
    pub(super) fn of(observation: &Observation) -> Self {
        let process = &*observation.process;
        let cwd = match &observation.behaviour {
            Behaviour::Exec(exec) if !exec.cwd.is_empty() => Some(exec.cwd.clone()),
            _ => None,
        };
        Self {
            executable: Arc::clone(&process.executable),
            args: Arc::clone(&process.args),
            args_cut: process.args_cut,
            cwd,
            pid: process.pid,
            vpid: process.vpid,
            parent_pid: process.parent_pid,
            uid: process.uid,
            ancestry: Arc::clone(&process.ancestry),
        }
    }
}

impl Subject {
    pub(super) fn of(behaviour: &Behaviour) -> Self {
        let mut subject = Self::default();
        match behaviour {
            // The process itself is what was run; of the others the object says it all.
            Behaviour::Exec(_)
            | Behaviour::Socket(_)
            | Behaviour::Capability(_)
            | Behaviour::Escape(_) => {}
            Behaviour::File(file) => {
                subject.file_path = Some(file.path.clone());
                subject.file_denied = file.denied;
            }
            Behaviour::Change(change) => {
                subject.file_path = Some(change.path.clone());
                match &change.operation {
                    Operation::Rename(old) => subject.file_old_path = Some(old.clone()),
                    Operation::HardLink(target) | Operation::SymbolicLink(target) => {
                        subject.file_target_path = Some(target.clone());
                    }
                    Operation::Mode(mode) => subject.file_mode = Some(format!("{mode:04o}")),
                    Operation::Delete | Operation::Owner => {}
                }
            }
            Behaviour::Map(map) => subject.file_path = Some(map.path.clone()),
            Behaviour::Connect(connect) => {
                subject.transport = Some(connect.protocol.to_string());
                subject.destination(connect.peer);
                subject.destination_domain = connect.named.name().map(str::to_owned);
            }
            Behaviour::Listen(listen) => {
                subject.transport = Some(listen.protocol.to_string());
                subject.destination(listen.local);
            }
            Behaviour::Accept(accept) => {
                subject.transport = Some(accept.protocol.to_string());
                subject.source_address = Some(accept.peer.ip().to_string());
                subject.source_port = Some(accept.peer.port());
                subject.destination(accept.local);
            }
            Behaviour::Syscall(syscall) => {
                subject.syscall_name = Some(syscall.name.clone());
                subject.syscall_denied = syscall.denied;
            }
            Behaviour::Dns(answer) => subject.dns_question = Some(answer.name.clone()),
            Behaviour::Unix(unix) => {
                subject.transport = Some("unix".to_owned());
                subject.destination_address = Some(unix.peer.clone());
            }
            Behaviour::Identity(change) => {
                subject.user_before = Some(change.from.effective);
                subject.user_after = Some(change.to.effective);
            }
        }
        subject
    }

    fn destination(&mut self, end: std::net::SocketAddr) {
        self.destination_address = Some(end.ip().to_string());
        self.destination_port = Some(end.port());
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
pub(super) fn is_false(flag: &bool) -> bool {
    !flag
}
