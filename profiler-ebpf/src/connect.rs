//! A connection was asked for, or a datagram sent to an address without one.

use aya_ebpf::{macros::cgroup_sock_addr, programs::SockAddrContext};
use profiler_common::event::{AF_INET, AF_INET6, CONNECT_DATAGRAM, Connect, Endpoint, Kind};

use crate::{
    container::Container,
    record::submit,
    seen::{Class, Fingerprint, Scope},
};

/// Let the call go on: these programs only look.
const ALLOW: i32 = 1;

#[cgroup_sock_addr(connect4)]
pub(crate) fn connect4(ctx: SockAddrContext) -> i32 {
    record(&ctx, AF_INET, 0)
}

#[cgroup_sock_addr(connect6)]
pub(crate) fn connect6(ctx: SockAddrContext) -> i32 {
    record(&ctx, AF_INET6, 0)
}

#[cgroup_sock_addr(sendmsg4)]
pub(crate) fn sendmsg4(ctx: SockAddrContext) -> i32 {
    record(&ctx, AF_INET, CONNECT_DATAGRAM)
}

#[cgroup_sock_addr(sendmsg6)]
pub(crate) fn sendmsg6(ctx: SockAddrContext) -> i32 {
    record(&ctx, AF_INET6, CONNECT_DATAGRAM)
}

#[inline(always)]
fn record(ctx: &SockAddrContext, family: u32, flags: u32) -> i32 {
    let Some(container) = Container::current_started() else { return ALLOW };
    let sock_addr = ctx.sock_addr;
    // SAFETY: the context's own fields; the verifier wants each loaded by its width, not merged.
    let (port, protocol, words) = unsafe {
        let port = (&raw const (*sock_addr).user_port).read_volatile();
        let protocol = (&raw const (*sock_addr).protocol).read_volatile();
        let words = if family == AF_INET {
            [(&raw const (*sock_addr).user_ip4).read_volatile(), 0, 0, 0]
        } else {
            [
                (&raw const (*sock_addr).user_ip6[0]).read_volatile(),
                (&raw const (*sock_addr).user_ip6[1]).read_volatile(),
                (&raw const (*sock_addr).user_ip6[2]).read_volatile(),
                (&raw const (*sock_addr).user_ip6[3]).read_volatile(),
            ]
        };
        (port, protocol, words)
    };
    let mut address = [0; 16];
    for (bytes, word) in address.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *bytes = word.to_ne_bytes();
    }
    let peer = Endpoint { address, family, port: u32::from(u16::from_be(port as u16)) };
    let known = Fingerprint::of_executable(&Scope::of(&container), Class::Connect, flags)
        .map(|known| known.with(u64::from(protocol)).with_endpoint(&peer, peer.port));
    if known.is_some_and(Fingerprint::is_known) || !container.may_send(Kind::Connect) {
        return ALLOW;
    }
    let header = container.header(Kind::Connect, flags);
    if submit(&container, Kind::Connect, Connect { header, peer, protocol, padding: 0 })
        && let Some(known) = known
    {
        known.keep();
    }
    ALLOW
}
