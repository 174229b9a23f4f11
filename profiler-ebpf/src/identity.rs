//! A process acts as another user: it asked for it, or ran a program that is another user's (set-user-ID).

use aya_ebpf::{
    helpers::bpf_get_current_task_btf,
    macros::{btf_tracepoint, fentry},
    programs::{BtfTracePointContext, FEntryContext},
};
use profiler_common::event::{Identity, Kind};

use crate::{
    container::Container,
    follow,
    kernel::{load, offset},
    owner::Owner,
    record::submit,
};

/// `int security_task_fix_setuid(struct cred *new, const struct cred *old, int flags)`: allowed, and about to happen.
#[fentry(function = "security_task_fix_setuid")]
pub(crate) fn setuid(ctx: FEntryContext) -> i32 {
    // SAFETY: the hook's arguments are BTF-typed.
    let (new, old) = unsafe { (user_ids(ctx.arg(0)), user_ids(ctx.arg(1))) };
    if new != old
        && let Some(container) = Container::current_started()
    {
        report(&container, new);
    }
    0
}

/// `void sys_exit(struct pt_regs *regs, long ret)`, of calls that set user ids: the process is as they left it.
#[btf_tracepoint(function = "sys_exit")]
pub(crate) fn setuid_exit(ctx: BtfTracePointContext) -> i32 {
    if let Some((_, container)) = follow::of_own_abi(&ctx) {
        report(&container, own());
    }
    0
}

/// The current process, as it is after an exec: told where it acts as another user than the one whose it is.
#[inline(always)]
pub(crate) fn executed(owner: &impl Owner) {
    let (real, effective) = own();
    if real != effective {
        report(owner, (real, effective));
    }
}

#[inline(always)]
fn own() -> (u32, u32) {
    // SAFETY: the helper returns a BTF-typed pointer.
    unsafe {
        let task = bpf_get_current_task_btf().cast::<u8>().cast_const();
        user_ids(load::<*const u8>(task, &offset::TASK_CRED))
    }
}

/// Real and effective.
///
/// # Safety
/// `credentials` must be BTF-typed.
#[inline(always)]
unsafe fn user_ids(credentials: *const u8) -> (u32, u32) {
    // SAFETY: the caller's promise.
    unsafe { (load(credentials, &offset::CRED_UID), load(credentials, &offset::CRED_EUID)) }
}

#[inline(always)]
fn report(owner: &impl Owner, (real, effective): (u32, u32)) {
    let header = owner.header(Kind::Identity, 0);
    submit(owner, Kind::Identity, Identity { header, real, effective });
}
