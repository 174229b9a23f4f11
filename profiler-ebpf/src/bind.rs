//! A UDP socket was bound to a port: from here on anybody may send to it.

use aya_ebpf::{macros::cgroup_sock_addr, programs::SockAddrContext};
use profiler_common::event::{AF_INET, AF_INET6, Kind, LISTEN_PORT_CHOSEN, Listen};

use crate::{near, owner::Owner, record::submit, sock_addr::named};

/// Let the call go on: these programs only look.
const ALLOW: i32 = 1;
const IPPROTO_UDP: u32 = 17;

#[cgroup_sock_addr(bind4)]
pub(crate) fn bind4(ctx: SockAddrContext) -> i32 {
    let _of_no_interest = record(&ctx, AF_INET);
    ALLOW
}

#[cgroup_sock_addr(bind6)]
pub(crate) fn bind6(ctx: SockAddrContext) -> i32 {
    let _of_no_interest = record(&ctx, AF_INET6);
    ALLOW
}

/// A port that the kernel picks is a client's: who sends needs one.
#[inline(always)]
fn record(ctx: &SockAddrContext, family: u32) -> Option<()> {
    let (local, protocol) = named(ctx, family);
    if protocol != IPPROTO_UDP || local.port == 0 {
        return None;
    }
    let owner = near::shared()?;
    let header = owner.header(Kind::Listen, LISTEN_PORT_CHOSEN);
    submit(&owner, Kind::Listen, Listen { header, local, protocol, padding: 0 });
    Some(())
}
