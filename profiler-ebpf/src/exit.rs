//! A process ended.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use profiler_common::event::{Exit, Kind};

use crate::{
    container::Container,
    escape, join,
    kernel::{load, offset},
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
    let container = Container::current();
    // Also of those whose cgroup was a container's only until its path was known.
    escape::ended();
    let Some(container) = container else { return 0 };
    if join::ended(&container) || !container.started() {
        return 0;
    }
    let header = container.header(Kind::Exit, 0);
    submit(&container, Kind::Exit, Exit { header, status, padding: 0 });
    0
}
