//! A drift in one line that somebody understands who has never seen Driftline: who, did what, why
//! that matters, and what was recorded instead.

mod files;
mod many;
mod network;
mod never;
mod process;
mod programs;

use std::fmt::Write as _;

use self::files::{changed, mapped, opened};
pub(super) use self::many::{Many, group};
use self::network::{accepted, connected, listened, made, reached, resolved};
use self::never::{never_did, never_injected, never_like_this, never_started, nobody};
use self::process::{became, called, escaped};
use self::programs::{ran, ran_fileless, ran_foreign};
use super::event::Context;
use super::kind::{DriftKind, Finding};
use super::show::{clean, cut};
use crate::behaviour::{Behaviour, Observation, Process};

/// Characters of the nearest baseline entry that a sentence shows.
const NEAREST_MAX: usize = 120;

/// `why` comes from the severity table. Arguments are redacted before they get here.
pub fn sentence(
    context: &Context,
    observation: &Observation,
    finding: &Finding,
    why: Option<&str>,
) -> String {
    let process = &*observation.process;
    let runs = runs(context);
    let (did, never) = match &observation.behaviour {
        Behaviour::Exec(exec) => match finding.kind {
            DriftKind::ExecInjected => (ran(process, exec), never_injected(process)),
            DriftKind::ExecParent => (ran(process, exec), never_started(process, exec)),
            DriftKind::ExecArgs => (ran(process, exec), never_like_this(process)),
            DriftKind::ExecNotInImage => (ran_foreign(process, exec), nobody("did that")),
            DriftKind::ExecFileless => (ran_fileless(process, exec), nobody("did that")),
            _ => (ran(process, exec), nobody("ran it")),
        },
        Behaviour::File(file) if finding.kind == DriftKind::FileWrite => {
            (opened(process, file, "write", "wrote"), never_did(process, finding, "wrote it"))
        }
        Behaviour::File(file) => {
            (opened(process, file, "read", "read"), never_did(process, finding, "read it"))
        }
        Behaviour::Change(change) => {
            let (did, never) = changed(process, change);
            (did, never_did(process, finding, never))
        }
        Behaviour::Map(map) => (mapped(process, map), never_did(process, finding, "did that")),
        Behaviour::Connect(connect) => {
            (connected(process, connect), never_did(process, finding, "talked to it"))
        }
        Behaviour::Listen(listen) => {
            (listened(process, listen), never_did(process, finding, "listened there"))
        }
        Behaviour::Accept(accept) => {
            (accepted(process, accept), never_did(process, finding, "took one from there"))
        }
        Behaviour::Syscall(syscall) => {
            (called(process, syscall), never_did(process, finding, "made that call"))
        }
        Behaviour::Socket(_) => {
            (made(process, finding), never_did(process, finding, "made such a socket"))
        }
        Behaviour::Capability(capability) => {
            let did = format!("{} used the capability {capability}", who(process));
            (did, never_did(process, finding, "used it"))
        }
        Behaviour::Unix(unix) => {
            (reached(process, unix), never_did(process, finding, "talked to it"))
        }
        Behaviour::Identity(change) => {
            (became(process, change), never_did(process, finding, "did that"))
        }
        Behaviour::Dns(answer) => {
            (resolved(process, answer), never_did(process, finding, "asked for it"))
        }
        Behaviour::Escape(escape) => {
            (escaped(process, escape), never_did(process, finding, "was moved there"))
        }
    };
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    let mut sentence = format!("{did}{why}; {never} in {runs}");
    if let Some(nearest) = &finding.nearest {
        let _ = write!(sentence, "; {}", cut(clean(nearest), NEAREST_MAX));
    }
    if finding.relearn.is_some() {
        sentence.push_str("; here such are learned anew: driftline baseline accept takes it in");
    }
    sentence
}

fn who(process: &Process) -> String {
    numbered(&process.executable, process.pid)
}

/// A behaviour log does not keep the numbers of parents: what is not known is not shown.
fn numbered(executable: &str, pid: u32) -> String {
    let name = clean(executable);
    if pid == 0 { name } else { format!("{name} (pid {pid})") }
}

fn runs(context: &Context) -> String {
    match context.recorded_runs {
        0 => "what was recorded".to_owned(),
        1 => "1 recorded run".to_owned(),
        runs => format!("{runs} recorded runs"),
    }
}

#[cfg(test)]
mod tests;
