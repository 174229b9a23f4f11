//! A connection was asked for, or a datagram sent to an address without one.

use aya_ebpf::{macros::cgroup_sock_addr, programs::SockAddrContext};
use profiler_common::event::{AF_INET, AF_INET6, CONNECT_DATAGRAM, Connect, Kind};

use crate::{
    container::Container,
    dns, member, near,
    owner::Owner,
    record::submit,
    seen::{Class, Fingerprint},
    sock_addr::named,
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
    let Some(owner) = near::shared() else { return ALLOW };
    let (peer, protocol) = named(ctx, family);
    dns::asked(ctx, peer.port);
    let known = Fingerprint::of_executable(&owner, Class::Connect, flags | protocol << 8)
        .map(|known| known.with_endpoint(&peer, peer.port));
    if known.is_some_and(Fingerprint::is_known) {
        return ALLOW;
    }
    let Some(container) = Container::of_id(owner.id()) else { return ALLOW };
    if !member::is_of(&container) || !container.may_send(Kind::Connect) {
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
