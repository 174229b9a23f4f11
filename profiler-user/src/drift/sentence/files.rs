//! What was done to a file.

use super::super::show::clean;
use super::who;
use crate::behaviour::{Change, File, Map, Operation, Process};

pub(super) fn opened(process: &Process, file: &File, verb: &str, past: &str) -> String {
    let (who, path) = (who(process), clean(&file.path));
    if file.denied {
        format!("{who} tried to {verb} {path} and was refused")
    } else {
        format!("{who} {past} {path}")
    }
}

pub(super) fn mapped(process: &Process, map: &Map) -> String {
    format!("{} mapped {} executable", who(process), clean(&map.path))
}

/// What was done, and what nobody did before.
pub(super) fn changed(process: &Process, change: &Change) -> (String, &'static str) {
    let (who, path) = (who(process), clean(&change.path));
    match &change.operation {
        Operation::Delete => (format!("{who} deleted {path}"), "deleted it"),
        Operation::Rename(old) => (format!("{who} renamed {} to {path}", clean(old)), "did that"),
        Operation::HardLink(existing) => {
            (format!("{who} gave {} the name {path} as well", clean(existing)), "did that")
        }
        Operation::SymbolicLink(text) => {
            (format!("{who} made {path} a symbolic link to {}", clean(text)), "did that")
        }
        Operation::Mode(mode) => {
            (format!("{who} changed the mode of {path} to {mode:04o}"), "did that")
        }
        Operation::Owner => (format!("{who} changed the owner of {path}"), "did that"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::kind::{DriftKind, Novelty};
    use crate::{behaviour::Observation, drift::sample};

    fn new(kind: DriftKind, observation: &Observation) -> String {
        let finding = sample::finding(kind, Novelty::Container, observation);
        super::super::sentence(&sample::context(), observation, &finding, None)
    }

    #[test]
    fn a_change_is_told_with_both_names() {
        let change = |operation| sample::change(operation, "/srv/x");
        for (kind, operation, told) in [
            (
                DriftKind::FileDelete,
                Operation::Delete,
                "deleted /srv/x; nothing in this container deleted it",
            ),
            (
                DriftKind::FileLink,
                Operation::Rename("/srv/y".to_owned()),
                "renamed /srv/y to /srv/x; nothing in this container did that",
            ),
            (
                DriftKind::FileMeta,
                Operation::Mode(0o4755),
                "changed the mode of /srv/x to 4755; nothing in this container did that",
            ),
        ] {
            assert_eq!(
                new(kind, &change(operation)),
                format!("/usr/bin/busybox (pid 4711) {told} in 5 recorded runs")
            );
        }
        assert_eq!(
            new(DriftKind::FileMapExec, &sample::map("/tmp/x.so")),
            "/usr/sbin/nginx (pid 4711) mapped /tmp/x.so executable; \
             nothing in this container did that in 5 recorded runs"
        );
    }
}
