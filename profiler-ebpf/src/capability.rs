//! A process used a capability: the kernel asked whether it has it, and it has.
//!
//! The kernel asks in passing, too, to find out how generous it may be (`CAP_OPT_NOAUDIT`): that is no use of it. Nor is what
//! overlay does on its layers in the name of whoever mounted it: the credentials are then not the process's own. Those
//! have capabilities in their own user namespace and those below it only, which are the container's.

use aya_ebpf::{helpers::bpf_get_current_task_btf, macros::fexit, programs::FExitContext};
use profiler_common::event::{Capability, Kind};

use crate::{
    container::Container,
    kernel::{load, offset, same},
    near::{self, Asker, Whereabouts},
    novel::Novelty,
    record::submit,
};

/// `CAP_OPT_NOAUDIT`
const IN_PASSING: u32 = 2;

/// `int cap_capable(const struct cred *cred, struct user_namespace *target_ns, int cap, unsigned int opts)`
#[fexit(function = "cap_capable")]
pub(crate) fn capability(ctx: FExitContext) -> i32 {
    if ctx.arg::<u32>(3) & IN_PASSING != 0
        || matches!(near::current(Asker::Capability), Whereabouts::Outside)
        || ctx.ret::<i32>() != Ok(0)
        || !is_own(ctx.arg(0))
    {
        return 0;
    }
    if let Some(container) = Container::current_started() {
        let _known = used(&container, ctx.arg(2));
    }
    0
}

/// Whether these are the current task's own credentials.
#[inline(always)]
fn is_own(credentials: *const u8) -> bool {
    // SAFETY: the helper returns a BTF-typed pointer.
    let own = unsafe {
        let task = bpf_get_current_task_btf().cast::<u8>().cast_const();
        load::<*const u8>(task, &offset::TASK_REAL_CRED)
    };
    same(credentials as u64, own as u64)
}

#[inline(always)]
fn used(container: &Container, number: u32) -> Option<()> {
    let novelty = Novelty::of(container, Kind::Capability as u64, u64::from(number))?;
    let header = container.header(Kind::Capability, 0);
    if submit(container, Kind::Capability, Capability { header, number, padding: 0 }) {
        novelty.reported();
    }
    Some(())
}
