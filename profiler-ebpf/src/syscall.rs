//! Which system calls a container makes.
//!
//! `sys_exit` and not `sys_enter`: a call that a seccomp filter refuses never reaches the latter.

use aya_ebpf::{
    helpers::bpf_get_current_task_btf, macros::btf_tracepoint, programs::BtfTracePointContext,
};
use profiler_common::{
    container::SET_OTHER,
    event::{Kind, SYSCALL_DENIED, SYSCALL_FOREIGN, Syscall},
};

use crate::{
    arch::Call,
    cgroup,
    container::Container,
    follow,
    kernel::{load, offset},
    near::{self, Asker, Near, Whereabouts},
    record::submit,
    told::{self, Entry},
};

const EPERM: i64 = -1;
const EACCES: i64 = -13;
const ENOSYS: i64 = -38;
/// No refusal of the call, but of the file that it was to open.
const EROFS: i64 = -30;
/// `SECCOMP_MODE_FILTER`: a filter is on.
const SECCOMP_FILTER: u32 = 2;
/// `SECCOMP_MODE_DEAD`: a filter has just killed the task.
const SECCOMP_DEAD: u32 = 3;

/// `void sys_exit(struct pt_regs *regs, long ret)`
#[btf_tracepoint(function = "sys_exit")]
pub(crate) fn syscall(ctx: BtfTracePointContext) -> i32 {
    let (regs, result): (*const u8, i64) = (ctx.arg(0), ctx.arg(1));
    // SAFETY: the helper has no preconditions.
    let task = unsafe { bpf_get_current_task_btf() }.cast::<u8>().cast_const();
    // SAFETY: what the helper returns is BTF-typed.
    let near = match near::of_cgroup(Asker::Syscall, unsafe { cgroup::of_task(task) }) {
        // SAFETY: the hook's arguments, the current task.
        Whereabouts::Inside(near) if unsafe { is_quiet(regs, result, task, near) } => return 0,
        Whereabouts::Inside(near) => Some(near),
        Whereabouts::Outside => return 0,
        Whereabouts::Unclear(_) => None,
    };
    // SAFETY: the hook's argument.
    let Some(call) = (unsafe { Call::new(regs) }) else { return 0 };
    // SAFETY: this program's own.
    if !near.is_some_and(|near| unsafe { was_sent(&call, result, near) }) {
        let Some(container) = Container::current_started() else { return 0 };
        record(&call, result, &container);
        if let Some(near) = near {
            // SAFETY: this program's own.
            unsafe { near::keep_sent(near, &container) };
        }
    }
    follow::hand_over(&ctx, &call, result);
    0
}

/// The common case: a native call that was told of, that nobody wants to see return, and that was not refused.
///
/// # Safety
/// `regs` must be `sys_exit`'s argument, `task` the current one and BTF-typed, `near` this program's own.
#[inline(always)]
unsafe fn is_quiet(regs: *const u8, result: i64, task: *const u8, near: *const Near) -> bool {
    if result < 0 && matches!(result, EPERM | EACCES | ENOSYS | EROFS) {
        return false;
    }
    // SAFETY: the caller's promise.
    let Some(number) = (unsafe { Call::native_number(regs, task, SET_OTHER) }) else {
        return false;
    };
    // SAFETY: the caller's promise.
    let quiet = unsafe { near::is_quiet(near, number) };
    // What a filter kills returns its own number.
    quiet && (result != i64::from(number) || !denied_by_filter(false))
}

/// Whether it was told of; nothing is known of what may have been refused by a filter.
///
/// # Safety
/// `near` must be this program's own.
#[inline(always)]
unsafe fn was_sent(call: &Call, result: i64, near: *const Near) -> bool {
    if matches!(result, EPERM | EACCES | ENOSYS) || call.foreign || call.number >= SET_OTHER {
        return false;
    }
    if result == i64::from(call.number) && denied_by_filter(false) {
        return false;
    }
    // SAFETY: the caller's promise.
    unsafe { near::was_sent(near, call.number) }
}

#[inline(always)]
fn record(call: &Call, result: i64, container: &Container) {
    let refused = matches!(result, EPERM | EACCES | ENOSYS);
    let denied = (refused || result == i64::from(call.number)) && denied_by_filter(refused);
    // SAFETY: pointers into a live map value.
    let (set, flags) = unsafe {
        if call.foreign {
            let denied = if denied { SYSCALL_DENIED } else { 0 };
            (&raw mut (*container.state).foreign, SYSCALL_FOREIGN | denied)
        } else if denied {
            (&raw mut (*container.state).denied, SYSCALL_DENIED)
        } else {
            (&raw mut (*container.state).native, 0)
        }
    };
    let index = if call.number > SET_OTHER { SET_OTHER } else { call.number };
    let entry = Entry { set, word: (index / 64) as usize & 7, bit: 1 << (index % 64) };
    let epoch = told::renew(container);
    if entry.is_told() {
        return;
    }
    entry.called();
    let header = container.header(Kind::Syscall, flags);
    let number = u64::from(call.number);
    if (flags == 0 && entry.is_known(container))
        || submit(container, Kind::Syscall, Syscall { header, number, result })
    {
        entry.told(epoch);
    }
}

/// Whether it was a seccomp filter that ended the call: an error under one, or the task was killed in it.
#[inline(always)]
fn denied_by_filter(refused: bool) -> bool {
    // SAFETY: the helper returns a BTF-typed pointer.
    let mode = unsafe {
        let task = bpf_get_current_task_btf().cast::<u8>().cast_const();
        load::<u32>(task, &offset::TASK_SECCOMP_MODE)
    };
    mode == SECCOMP_DEAD || (refused && mode == SECCOMP_FILTER)
}
