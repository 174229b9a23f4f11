//! System calls that say more than their number, where the kernel takes no trampolines: what was asked for is read when the
//! call returns.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{
    arch::{Call, number},
    container::Container,
    identity, socket, unix,
};

/// `void sys_exit(struct pt_regs *regs, long ret)`
#[btf_tracepoint(function = "sys_exit")]
pub(crate) fn calls(ctx: BtfTracePointContext) -> i32 {
    let _of_no_interest = returned(&ctx);
    0
}

#[inline(always)]
fn returned(ctx: &BtfTracePointContext) -> Option<()> {
    // SAFETY: the hook's argument.
    let call = unsafe { Call::new(ctx.arg(0)) }?;
    let result: i64 = ctx.arg(1);
    if result < 0 || call.foreign {
        return None;
    }
    match call.number {
        number::SOCKET | number::SOCKETPAIR => {
            let (family, kind, protocol) = call.arguments();
            let container = Container::current_started()?;
            socket::made(&container, family as u32, kind as u32, protocol as u32)
        }
        number::CONNECT => {
            let (descriptor, ..) = call.arguments();
            unix::returned(&Container::current_started()?, descriptor)
        }
        number::SETUID | number::SETREUID | number::SETRESUID => {
            identity::current(&Container::current_started()?);
            Some(())
        }
        _ => None,
    }
}
