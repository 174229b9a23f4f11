//! A socket was made, of any family.
//!
//! First choice a hook of the kernel's own sockets; where the kernel takes no trampolines, the return of the call.

use aya_ebpf::{
    macros::{btf_tracepoint, fentry},
    programs::{BtfTracePointContext, FEntryContext},
};
use profiler_common::event::{Kind, Socket};

use crate::{
    follow,
    near::{self, Asker},
    novel::Novelty,
    owner::Owner,
    record::submit,
};

/// `SOCK_TYPE_MASK`: what else `socket` takes with the type are flags.
const TYPE_MASK: u32 = 0xf;

/// `int security_socket_post_create(struct socket *sock, int family, int type, int protocol, int kern)`: also of
/// `io_uring`'s sockets.
#[fentry(function = "security_socket_post_create")]
pub(crate) fn socket_create(ctx: FEntryContext) -> i32 {
    let for_the_kernel: u32 = ctx.arg(4);
    if for_the_kernel == 0
        && let Some(near) = near::current_started(Asker::Socket)
    {
        // SAFETY: this program's own.
        let scope = unsafe { near::scope(near) };
        let _known = made(&scope, ctx.arg(1), ctx.arg(2), ctx.arg(3));
    }
    0
}

/// `void sys_exit(struct pt_regs *regs, long ret)`, of `socket` and `socketpair`.
#[btf_tracepoint(function = "sys_exit")]
pub(crate) fn socket_exit(ctx: BtfTracePointContext) -> i32 {
    if let Some((call, container)) = follow::of_own_abi(&ctx) {
        let (family, kind, protocol) = call.arguments();
        let _known = made(&container, family as u32, kind as u32, protocol as u32);
    }
    0
}

#[inline(always)]
fn made(owner: &impl Owner, family: u32, kind: u32, protocol: u32) -> Option<()> {
    let kind = kind & TYPE_MASK;
    let sort = u64::from(family) << 36 | u64::from(kind) << 32 | u64::from(protocol);
    let novelty = Novelty::of(owner, Kind::Socket as u64, sort)?;
    let header = owner.header(Kind::Socket, 0);
    if submit(owner, Kind::Socket, Socket { header, family, kind, protocol, padding: 0 }) {
        novelty.reported();
    }
    Some(())
}
