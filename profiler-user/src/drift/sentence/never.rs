//! What was not recorded: who never did that.

use super::super::kind::{Finding, Novelty};
use super::super::show::clean;
use crate::behaviour::{Exec, Process};

pub(super) fn nobody(did: &str) -> String {
    format!("nothing in this container {did}")
}

pub(super) fn never_started(process: &Process, exec: &Exec) -> String {
    match exec.parent.as_deref() {
        Some(parent) => format!(
            "{} was recorded, but {} never started it",
            clean(&process.executable),
            clean(parent)
        ),
        None => format!(
            "{} was recorded, but never as the container's first program",
            clean(&process.executable)
        ),
    }
}

pub(super) fn never_injected(process: &Process) -> String {
    format!("{} was never run from outside", clean(&process.executable))
}

pub(super) fn never_like_this(process: &Process) -> String {
    format!("{} was recorded, but never with such arguments", clean(&process.executable))
}

pub(super) fn never_did(process: &Process, finding: &Finding, did: &str) -> String {
    match finding.novelty {
        Novelty::Container => nobody(did),
        Novelty::Executable => {
            format!("others in this container {did}, {} never", clean(&process.executable))
        }
    }
}
