//! What a process asked of the kernel, and became.

use super::super::show::clean;
use super::who;
use crate::behaviour::{Escape, Identity, Process, Syscall};

pub(super) fn called(process: &Process, syscall: &Syscall) -> String {
    let (who, name) = (who(process), clean(&syscall.name));
    let how = if syscall.foreign { " through the i386 or x32 ABI" } else { "" };
    if syscall.denied {
        format!("{who} tried the system call {name}{how} and was refused by seccomp")
    } else {
        format!("{who} made the system call {name}{how}")
    }
}

pub(super) fn became(process: &Process, change: &Identity) -> String {
    format!("{} went from user {} to {}", who(process), change.from, change.to)
}

pub(super) fn escaped(process: &Process, escape: &Escape) -> String {
    format!(
        "{} was moved out of its container, to the cgroup {}",
        who(process),
        clean(&escape.cgroup)
    )
}
