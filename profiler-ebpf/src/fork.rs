//! A process was made.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use profiler_common::event::{Fork, Kind};

use crate::{
    cgroup, escape,
    exec::vpid,
    join,
    kernel::{load, offset},
    member,
    near::{self, Asker, Whereabouts},
    owner::Owner,
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
    if pid != tgid {
        return 0;
    }
    // SAFETY: as above.
    let stays = unsafe { cgroup::of_task(child) } == cgroup::current();
    let near = match near::current(Asker::Fork) {
        Whereabouts::Outside if stays => return 0,
        // SAFETY: this program's own.
        Whereabouts::Inside(near) if stays && member::is_of(&unsafe { near::scope(near) }) => near,
        _ if join::forked(child, pid).is_some() => return 0,
        _ => match near::current_started(Asker::Fork) {
            Some(near) => near,
            None => return 0,
        },
    };
    // SAFETY: this program's own.
    let scope = unsafe { near::scope(near) };
    escape::forked(&scope, pid);
    let header = scope.header(Kind::Fork, 0);
    submit(&scope, Kind::Fork, Fork { header, child_pid: pid, child_vpid: vpid(child) });
    0
}
