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
    atomic, cgroup,
    container::Container,
    kernel::{load, offset},
    near::{self, Asker, Near, Whereabouts},
    open,
    record::submit,
};

const EPERM: i64 = -1;
const EACCES: i64 = -13;
const ENOSYS: i64 = -38;
/// `SECCOMP_MODE_FILTER`: a filter is on.
const SECCOMP_FILTER: u32 = 2;
/// `SECCOMP_MODE_DEAD`: a filter has just killed the task.
const SECCOMP_DEAD: u32 = 3;

/// `void sys_exit(struct pt_regs *regs, long ret)`
#[btf_tracepoint(function = "sys_exit")]
pub(crate) fn syscall(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the helper has no preconditions.
    let task = unsafe { bpf_get_current_task_btf() }.cast::<u8>().cast_const();
    // SAFETY: what the helper returns is BTF-typed.
    let near = match near::of_cgroup(Asker::Syscall, unsafe { cgroup::of_task(task) }) {
        // SAFETY: the hook's arguments, the current task.
        Whereabouts::Inside(near) if unsafe { is_known(&ctx, task, near) } => return 0,
        Whereabouts::Inside(near) => Some(near),
        Whereabouts::Outside => return 0,
        Whereabouts::Unclear(_) => None,
    };
    let (regs, result) = (ctx.arg(0), ctx.arg(1));
    if let Some(container) = Container::current_started() {
        let _no_call = record(regs, result, &container);
        if let Some(near) = near {
            // SAFETY: this program's own.
            unsafe { near::keep_sent(near, &container) };
        }
    }
    0
}

/// The common case: a native call that was told of, and was not refused.
///
/// # Safety
/// `ctx` must be `sys_exit`'s, `task` the current one and BTF-typed, `near` this program's own.
#[inline(always)]
unsafe fn is_known(ctx: &BtfTracePointContext, task: *const u8, near: *const Near) -> bool {
    let (regs, result): (*const u8, i64) = (ctx.arg(0), ctx.arg(1));
    if result < 0 && matches!(result, EPERM | EACCES | ENOSYS) {
        return false;
    }
    // SAFETY: the caller's promise.
    let Some(number) = (unsafe { Call::native_number(regs, task, SET_OTHER) }) else {
        return false;
    };
    // SAFETY: the caller's promise.
    let sent = unsafe { near::was_sent(near, number) };
    // What a filter kills returns its own number.
    sent && (result != i64::from(number) || !denied_by_filter(false))
}

#[inline(always)]
fn record(regs: *const u8, result: i64, container: &Container) -> Option<()> {
    // SAFETY: the hook's argument.
    let call = unsafe { Call::new(regs) }?;
    let refused = matches!(result, EPERM | EACCES | ENOSYS);
    let denied = (refused || result == i64::from(call.number)) && denied_by_filter(refused);
    if matches!(result, EPERM | EACCES)
        && !call.foreign
        && let Some(opening) = call.opening()
    {
        open::denied(&opening, container);
    }
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
    let (word, bit) = ((index / 64) as usize & 7, 1_u64 << (index % 64));
    // SAFETY: words of a live map value, `word` is below the arrays' length.
    unsafe {
        let known = (&raw mut (*set).sent).cast::<u64>().add(word);
        if known.read_volatile() & bit != 0 {
            return Some(());
        }
        atomic::or((&raw mut (*set).called).cast::<u64>().add(word), bit);
        let header = container.header(Kind::Syscall, flags);
        if submit(
            container,
            Kind::Syscall,
            Syscall { header, number: u64::from(call.number), result },
        ) {
            atomic::or(known, bit);
        }
    }
    Some(())
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
