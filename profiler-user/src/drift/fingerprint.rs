//! What repeats of one drift have in common.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::kind::{DriftKind, Finding};
use crate::behaviour::{Behaviour, Observation};

/// A hash over the kind, the generalised object, the executable, for an exec its parent's, and
/// whether it was refused: no pids, no containers, no times. The same drift has the same
/// fingerprint everywhere.
///
/// Refused and allowed differ, because a read that succeeds at last must not vanish in the count
/// of those that failed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub fn of_notice(kind: DriftKind, object: &str) -> Self {
        Self(
            Sha256::new()
                .chain_update(kind.name())
                .chain_update([0])
                .chain_update(object)
                .finalize()
                .into(),
        )
    }

    /// Of drift that went from one workload to another: the same wherever their pods run.
    pub fn of_chain(from: &str, to: &str, port: u16) -> Self {
        Self(
            Sha256::new()
                .chain_update("chain\0")
                .chain_update(from)
                .chain_update([0])
                .chain_update(to)
                .chain_update([0])
                .chain_update(port.to_be_bytes())
                .finalize()
                .into(),
        )
    }

    /// Of what a group's members have in common.
    pub(super) fn of_group(parts: &[&str]) -> Self {
        let mut hash = Sha256::new().chain_update("group\0");
        for part in parts {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        Self(hash.finalize().into())
    }

    pub fn of(observation: &Observation, finding: &Finding) -> Self {
        let (parent, denied) = match &observation.behaviour {
            Behaviour::Exec(exec) => (exec.parent.as_deref(), false),
            Behaviour::File(file) => (None, file.denied),
            Behaviour::Syscall(syscall) => (None, syscall.denied),
            _ => (None, false),
        };
        let mut hash = Sha256::new();
        for part in [
            finding.kind.name(),
            &finding.pattern,
            &observation.process.executable,
            parent.unwrap_or_default(),
            match finding.relearn {
                // What was asked for must not hide in its count what is drift by another bind file.
                Some(_) => "relearn",
                None if denied => "denied",
                None => "",
            },
        ] {
            hash.update(part.as_bytes());
            // Neither paths nor arguments hold a NUL, so no two lists of parts run together.
            hash.update([0]);
        }
        Self(hash.finalize().into())
    }
}

/// The first 64 bits: enough to tell apart what a person compares. Repeats are found by all 256,
/// so that nobody can craft two drifts of which the second counts as a repeat of the first.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..8].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::drift::kind::Novelty;
    use crate::drift::sample;

    fn of(observation: &Observation) -> Fingerprint {
        let finding = sample::finding(DriftKind::FileRead, Novelty::Container, observation);
        Fingerprint::of(observation, &finding)
    }

    #[test]
    fn it_knows_no_pids_and_no_times() {
        let one = sample::read("/etc/shadow");
        let mut other = one.clone();
        other.time = sample::later(60);
        Arc::make_mut(&mut other.process).pid += 1;
        assert_eq!(of(&one), of(&other));
        assert_eq!(of(&one).to_string().len(), 16);
    }

    #[test]
    fn what_is_learned_anew_does_not_count_drift() {
        let one = sample::connect("/usr/bin/app", "10.9.0.7:5432");
        let drift = sample::finding(DriftKind::NetConnect, Novelty::Container, &one);
        let (executable, list) = ("/usr/bin/app".to_owned(), crate::bind::List::Peers);
        let accepted = crate::bind::Accepted { executable, list, entry: drift.pattern.clone() };
        let relearned = Finding { relearn: Some(Box::new(accepted)), ..drift.clone() };
        assert_ne!(Fingerprint::of(&one, &drift), Fingerprint::of(&one, &relearned));
    }

    #[test]
    fn a_refused_read_and_one_that_succeeds_are_two() {
        let one = sample::read("/etc/shadow");
        let mut other = one.clone();
        if let Behaviour::File(file) = &mut other.behaviour {
            file.denied = true;
        }
        assert_ne!(of(&one), of(&other));
    }
}
