//! A process ended.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use profiler_common::event::{Exit, Kind};

use crate::{
    container::Container,
    escape, join,
    kernel::{load, offset},
    near::{self, Asker, Near, Whereabouts},
    owner::Owner,
    record::submit,
};

/// `void sched_process_exit(struct task_struct *p, …)`: fires per thread, after the process's live count went down.
#[btf_tracepoint(function = "sched_process_exit")]
pub(crate) fn exit(ctx: BtfTracePointContext) -> i32 {
    let task: *const u8 = ctx.arg(0);
    // SAFETY: the hook's argument is BTF-typed.
    let (signal, status) = unsafe {
        (load::<*const u8>(task, &offset::TASK_SIGNAL), load::<u32>(task, &offset::TASK_EXIT_CODE))
    };
    // Two last threads that end at once may both see 0: the record is then repeated, never missing.
    // SAFETY: BTF-typed, one step further.
    if unsafe { load::<u32>(signal, &offset::SIGNAL_LIVE) } != 0 {
        return 0;
    }
    let near = match near::current(Asker::Exit) {
        Whereabouts::Outside => None,
        Whereabouts::Inside(near) => Some(near),
        Whereabouts::Unclear(near) => left(near),
    };
    // Also of those whose cgroup was a container's only until its path was known.
    escape::ended();
    let Some(near) = near else { return 0 };
    // SAFETY: this program's own.
    let scope = unsafe { near::scope(near) };
    let header = scope.header(Kind::Exit, 0);
    submit(&scope, Kind::Exit, Exit { header, status, padding: 0 });
    0
}

/// Of a container in which not everything is its own: some for a process that is.
#[inline(always)]
fn left(near: *mut Near) -> Option<*mut Near> {
    let container = Container::current()?;
    if join::ended(&container) || !container.started() {
        return None;
    }
    // SAFETY: this program's own.
    unsafe { near::keep(near, &container) };
    Some(near)
}
