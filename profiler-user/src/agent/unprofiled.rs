//! What is worth telling of a container without a baseline: what hardly any image does, whatever it is for.

use crate::{
    baseline::kind_of,
    behaviour::{Behaviour, Observation},
    drift::{DriftKind, Finding, Novelty, severity::Table},
    generalise::{change, connect, generalise_path, socket, unix_peer},
    observe::INJECTED,
};

/// The findings that need no baseline: programs without a file or from outside the image, ways out, and the table's rules
/// that say so of themselves.
pub(super) fn judge(observation: &Observation, rules: &Table) -> Vec<Finding> {
    let path = &*observation.process.executable;
    let finding = |kind, object: &str, pattern: String| Finding {
        kind,
        object: object.to_owned(),
        pattern,
        novelty: Novelty::Container,
        nearest: None,
        relearn: None,
    };
    let candidates = match &observation.behaviour {
        Behaviour::Exec(exec) => {
            let injected = exec.parent.as_deref() == Some(INJECTED);
            let kind = if injected { DriftKind::ExecInjected } else { DriftKind::Exec };
            let mut all = vec![finding(kind, path, generalise_path(path))];
            if exec.fileless {
                all.push(finding(DriftKind::ExecFileless, path, generalise_path(path)));
            }
            if exec.not_in_image {
                all.push(finding(DriftKind::ExecNotInImage, path, generalise_path(path)));
            }
            all
        }
        Behaviour::File(file) => {
            let of = |kind| finding(kind, &file.path, generalise_path(&file.path));
            let read = file.read.then(|| of(DriftKind::FileRead));
            read.into_iter().chain(file.write.then(|| of(DriftKind::FileWrite))).collect()
        }
        Behaviour::Change(changed) => {
            let named = change(changed);
            vec![finding(kind_of(&changed.operation), &named.object(), named.pattern)]
        }
        Behaviour::Map(map) => {
            vec![finding(DriftKind::FileMapExec, &map.path, generalise_path(&map.path))]
        }
        Behaviour::Connect(to) => {
            let peer = connect(to);
            vec![finding(DriftKind::NetConnect, &peer.object, peer.pattern)]
        }
        Behaviour::Syscall(syscall) => {
            let kind = if syscall.foreign { DriftKind::SyscallAbi } else { DriftKind::Syscall };
            vec![finding(kind, &syscall.name, syscall.name.clone())]
        }
        Behaviour::Socket(sort) => {
            let sort = socket(*sort);
            vec![finding(DriftKind::NetSocket, &sort.object, sort.pattern)]
        }
        Behaviour::Unix(unix) => {
            vec![finding(DriftKind::NetUnix, &unix.peer, unix_peer(&unix.peer))]
        }
        Behaviour::Capability(capability) => {
            let name = capability.to_string();
            vec![finding(DriftKind::Capability, &name, name.clone())]
        }
        Behaviour::Escape(escape) => {
            let pattern = generalise_path(&escape.cgroup);
            vec![finding(DriftKind::ContainerEscape, &escape.cgroup, pattern)]
        }
        Behaviour::Listen(_)
        | Behaviour::Accept(_)
        | Behaviour::Identity(_)
        | Behaviour::Dns(_) => Vec::new(),
    };
    candidates
        .into_iter()
        .filter(|finding| {
            matches!(
                finding.kind,
                DriftKind::ExecFileless | DriftKind::ExecNotInImage | DriftKind::ContainerEscape
            ) || rules.is_always_told(observation, finding)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{behaviour::Operation, drift::sample};

    #[test]
    fn what_hardly_any_image_does_is_told_and_nothing_else() {
        let kinds = |observation: &Observation| {
            judge(observation, Table::builtin())
                .iter()
                .map(|finding| finding.kind)
                .collect::<Vec<_>>()
        };
        assert_eq!(kinds(&sample::read("/etc/shadow")), [DriftKind::FileRead]);
        assert_eq!(kinds(&sample::write("/usr/bin/ls")), [DriftKind::FileWrite]);
        assert_eq!(kinds(&sample::syscall("init_module")), [DriftKind::Syscall]);
        assert_eq!(
            kinds(&sample::exec("/usr/bin/dash", &["sh"], Some(INJECTED))),
            [DriftKind::ExecInjected]
        );
        assert_eq!(
            kinds(&sample::exec("memfd:x", &["x"], Some("/bin/sh"))),
            [DriftKind::ExecFileless]
        );
        assert_eq!(
            kinds(&sample::exec("/dropped/x", &["x"], Some("/bin/app"))),
            [DriftKind::ExecNotInImage]
        );
        let setuid = sample::change(Operation::Mode(0o4755), "/srv/x");
        assert_eq!(kinds(&setuid), [DriftKind::FileMeta]);
        assert_eq!(kinds(&sample::change(Operation::Mode(0o755), "/srv/x")), []);
        assert_eq!(kinds(&sample::change(Operation::Delete, "/srv/x")), []);
        assert_eq!(kinds(&sample::escape("/")), [DriftKind::ContainerEscape]);
        assert_eq!(kinds(&sample::unix("/run/docker.sock")), [DriftKind::NetUnix]);
        assert_eq!(kinds(&sample::socket(17, 3, 768)), [DriftKind::NetSocket]);
        assert_eq!(kinds(&sample::capability(16)), [DriftKind::Capability]);
        assert_eq!(kinds(&sample::capability(0)), []);
        assert_eq!(kinds(&sample::unix("/run/app.sock")), []);
        assert_eq!(kinds(&sample::socket(2, 1, 0)), []);
        assert_eq!(kinds(&sample::read("/etc/hosts")), []);
        assert_eq!(kinds(&sample::exec("/bin/ls", &["ls"], Some("/bin/sh"))), []);
        assert_eq!(kinds(&sample::connect("/usr/bin/app", "10.0.0.7:5432")), []);
        assert_eq!(kinds(&sample::syscall("read")), []);
    }
}
