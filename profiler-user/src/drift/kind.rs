//! The closed list of drift kinds.

use crate::bind::Accepted;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What sort of behaviour is new. The serialised name is the value of `drift.kind`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum DriftKind {
    /// An executable that the baseline does not hold.
    #[serde(rename = "exec")]
    Exec,
    /// A known executable, started by one that never started it.
    #[serde(rename = "exec.parent")]
    ExecParent,
    /// A known executable with new arguments.
    #[serde(rename = "exec.args")]
    ExecArgs,
    /// A memfd or a deleted file was run.
    #[serde(rename = "exec.fileless")]
    ExecFileless,
    /// Run by a process that came from outside the container: `kubectl exec`, a probe.
    #[serde(rename = "exec.injected")]
    ExecInjected,
    /// The file was written after the image: it lies in the upper layer of an overlay.
    #[serde(rename = "exec.not_in_image")]
    ExecNotInImage,
    #[serde(rename = "file.read")]
    FileRead,
    /// Written, created or truncated.
    #[serde(rename = "file.write")]
    FileWrite,
    /// A name was removed.
    #[serde(rename = "file.delete")]
    FileDelete,
    /// A name was made: by a hard or a symbolic link, or by renaming.
    #[serde(rename = "file.link")]
    FileLink,
    /// A mode or an owner was changed.
    #[serde(rename = "file.meta")]
    FileMeta,
    /// A file was mapped executable: a library, or a program that the dynamic loader runs.
    #[serde(rename = "file.map_exec")]
    FileMapExec,
    #[serde(rename = "net.connect")]
    NetConnect,
    #[serde(rename = "net.listen")]
    NetListen,
    #[serde(rename = "net.accept")]
    NetAccept,
    /// A name was resolved.
    #[serde(rename = "dns")]
    Dns,
    /// A Unix socket was talked to.
    #[serde(rename = "net.unix")]
    NetUnix,
    /// A sort of socket.
    #[serde(rename = "net.socket")]
    NetSocket,
    /// A process acts as another user.
    #[serde(rename = "identity")]
    Identity,
    /// A capability was used.
    #[serde(rename = "capability")]
    Capability,
    /// A process was moved out of its container's cgroups.
    #[serde(rename = "container.escape")]
    ContainerEscape,
    #[serde(rename = "syscall")]
    Syscall,
    /// A system call through another ABI (i386, x32).
    #[serde(rename = "syscall.abi")]
    SyscallAbi,
    /// There is no baseline of this image.
    #[serde(rename = "image.unprofiled")]
    ImageUnprofiled,
    /// A container was not seen for a while, or not from its start.
    #[serde(rename = "sensor.gap")]
    SensorGap,
    /// Drift went from one pod to another: a chain of hops.
    #[serde(rename = "incident.lateral")]
    IncidentLateral,
}

impl DriftKind {
    pub const ALL: [Self; 26] = [
        Self::Exec,
        Self::ExecParent,
        Self::ExecArgs,
        Self::ExecFileless,
        Self::ExecInjected,
        Self::ExecNotInImage,
        Self::FileRead,
        Self::FileWrite,
        Self::FileDelete,
        Self::FileLink,
        Self::FileMeta,
        Self::FileMapExec,
        Self::NetConnect,
        Self::NetListen,
        Self::NetAccept,
        Self::Dns,
        Self::NetUnix,
        Self::NetSocket,
        Self::Identity,
        Self::Capability,
        Self::ContainerEscape,
        Self::Syscall,
        Self::SyscallAbi,
        Self::ImageUnprofiled,
        Self::SensorGap,
        Self::IncidentLateral,
    ];

    /// The value of `drift.kind`; the same as the serialised name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::ExecParent => "exec.parent",
            Self::ExecArgs => "exec.args",
            Self::ExecFileless => "exec.fileless",
            Self::ExecInjected => "exec.injected",
            Self::ExecNotInImage => "exec.not_in_image",
            Self::FileRead => "file.read",
            Self::FileWrite => "file.write",
            Self::FileDelete => "file.delete",
            Self::FileLink => "file.link",
            Self::FileMeta => "file.meta",
            Self::FileMapExec => "file.map_exec",
            Self::NetConnect => "net.connect",
            Self::NetListen => "net.listen",
            Self::NetAccept => "net.accept",
            Self::Dns => "dns",
            Self::NetUnix => "net.unix",
            Self::NetSocket => "net.socket",
            Self::Identity => "identity",
            Self::Capability => "capability",
            Self::ContainerEscape => "container.escape",
            Self::Syscall => "syscall",
            Self::SyscallAbi => "syscall.abi",
            Self::ImageUnprofiled => "image.unprofiled",
            Self::SensorGap => "sensor.gap",
            Self::IncidentLateral => "incident.lateral",
        }
    }
}

impl fmt::Display for DriftKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How new: to the whole container, or only to the executable that did it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Novelty {
    Executable,
    Container,
}

/// One thing that a baseline does not hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub kind: DriftKind,
    /// What it was done to, as seen: a path, `tcp 10.0.0.7:5432`, a system call.
    pub object: String,
    /// The same, generalised by the baseline's generaliser: what repeats have in common.
    pub pattern: String,
    pub novelty: Novelty,
    /// The nearest entry that the baseline does hold, as a phrase: `nginx ran only /usr/sbin/nginx`. Looked for at the
    /// first occurrence.
    pub nearest: Option<String>,
    /// The entry that would hold it, where this environment's are learned anew.
    pub relearn: Option<Box<Accepted>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_serialised_by_its_name() {
        for kind in DriftKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
