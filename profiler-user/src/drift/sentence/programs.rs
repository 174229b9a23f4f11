//! What was run, and by whom.

use super::super::show::{clean, command};
use super::numbered;
use crate::behaviour::{Exec, Process};
use crate::observe::INJECTED;

pub(super) fn ran(process: &Process, exec: &Exec) -> String {
    let program = program(process);
    match (process.ancestry.first(), exec.parent.as_deref()) {
        (Some(parent), _) => {
            format!("{} ran {program}", numbered(&parent.executable, parent.pid))
        }
        (None, Some(INJECTED)) => format!("{program} was run from outside the container"),
        (None, Some(parent)) => format!("{} ran {program}", clean(parent)),
        (None, None) => format!("the container started with {program}"),
    }
}

pub(super) fn ran_fileless(process: &Process, exec: &Exec) -> String {
    format!("{}, a program without a file", ran(process, exec))
}

pub(super) fn ran_foreign(process: &Process, exec: &Exec) -> String {
    format!("{}, which is not the image's but was written since", ran(process, exec))
}

/// What was run: as it would be typed, then the file that it really is.
fn program(process: &Process) -> String {
    let executable = clean(&process.executable);
    if process.args.is_empty() {
        return format!("{executable} (pid {})", process.pid);
    }
    let more = if process.args_cut { " …" } else { "" };
    format!("`{}{more}` ({executable}, pid {})", command(&process.args), process.pid)
}
