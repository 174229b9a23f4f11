//! A process was made.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use profiler_common::event::{Fork, Kind};

use crate::{
    container::Container,
    escape,
    exec::vpid,
    join,
    kernel::{load, offset},
    record::submit,
};

/// `void sched_process_fork(struct task_struct *parent, struct task_struct *child)`: before the child can run.
#[btf_tracepoint(function = "sched_process_fork")]
pub(crate) fn fork(ctx: BtfTracePointContext) -> i32 {
    let child: *const u8 = ctx.arg(1);
    // SAFETY: the hook's argument is BTF-typed.
    let (pid, tgid) =
        unsafe { (load::<u32>(child, &offset::TASK_PID), load::<u32>(child, &offset::TASK_TGID)) };
    // A thread belongs to its process.
    if pid != tgid || join::forked(child, pid).is_some() {
        return 0;
    }
    let Some(container) = Container::current_started() else { return 0 };
    escape::forked(&container, pid);
    let header = container.header(Kind::Fork, 0);
    submit(&container, Kind::Fork, Fork { header, child_pid: pid, child_vpid: vpid(child) });
    0
}
