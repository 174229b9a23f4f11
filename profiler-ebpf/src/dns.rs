//! Answers of name servers, as they arrive at the container's sockets. Attached to containers only: it runs for each packet.

use aya_ebpf::{
    helpers::{
        bpf_get_current_pid_tgid, bpf_get_socket_cookie, bpf_ktime_get_boot_ns, bpf_skb_cgroup_id,
        generated::bpf_skb_load_bytes,
    },
    macros::{cgroup_skb, map},
    maps::LruHashMap,
    programs::{SkBuffContext, SockAddrContext},
};
use profiler_common::event::{DNS_MAX, Dns, Header, Kind};

use crate::{container::Container, record::reserve};

/// Let the packet go on: this program only looks.
const ALLOW: i32 = 1;
const IPPROTO_UDP: u8 = 17;
const UDP_HEADER: u32 = 8;
/// Of an IPv4 header, or of an IPv6 header's half that says the protocol.
const HEADER: usize = 20;
const PORT: u32 = 53;

const _: () = assert!(DNS_MAX.is_power_of_two());

/// Cookie of a socket → the process that last named a name server on it.
#[map]
static ASKED: LruHashMap<u64, u32> = LruHashMap::with_max_entries(4_096, 0);

/// The current process connects to this port, or sends there.
#[inline(always)]
pub(crate) fn asked(ctx: &SockAddrContext, port: u32) {
    if port == PORT {
        let process = (bpf_get_current_pid_tgid() >> 32) as u32;
        // SAFETY: the helper takes this program's own context.
        let cookie = unsafe { bpf_get_socket_cookie(ctx.sock_addr.cast()) };
        let _forgotten_at_worst = ASKED.insert(cookie, process, 0);
    }
}

#[cgroup_skb(ingress)]
pub(crate) fn dns(ctx: SkBuffContext) -> i32 {
    let _of_no_interest = answered(&ctx);
    ALLOW
}

#[inline(always)]
fn answered(ctx: &SkBuffContext) -> Option<()> {
    if !may_be_udp(ctx) {
        return None;
    }
    let udp = udp_header(ctx)?;
    let source = u16::from_be(ctx.load::<u16>(udp as usize).ok()?);
    if u32::from(source) != PORT {
        return None;
    }
    let skb = ctx.skb.skb;
    // SAFETY: the helpers take this program's own context.
    let (cookie, cgroup) = unsafe { (bpf_get_socket_cookie(skb.cast()), bpf_skb_cgroup_id(skb)) };
    // SAFETY: values are plain integers.
    let process = *unsafe { ASKED.get(cookie) }?;
    let container = Container::of_cgroup(cgroup).filter(Container::started)?;
    let start = udp + UDP_HEADER;
    let len = ctx.len().checked_sub(start)?;
    if len == 0 {
        return None;
    }
    let len = if len > DNS_MAX as u32 { DNS_MAX as u32 } else { len };
    // The packet arrives in whatever task the interrupt met, so nothing is asked of that; older kernels refuse to be asked.
    let header = Header {
        kind: Kind::Dns as u32,
        flags: 0,
        container: container.id,
        // SAFETY: the helper has no preconditions.
        time: unsafe { bpf_ktime_get_boot_ns() },
        pid: process,
        tid: process,
        uid: 0,
        gid: 0,
    };
    let mut entry = reserve::<Dns>(&container, Kind::Dns)?;
    let record = entry.as_mut_ptr();
    // SAFETY: room for the record; the mask keeps the length within it also in the eyes of old verifiers.
    let loaded = unsafe {
        (&raw mut (*record).header).write(header);
        (&raw mut (*record).len).write(len);
        (&raw mut (*record).padding).write(0);
        let bounded = ((core::ptr::read_volatile(&raw const len) - 1) & (DNS_MAX as u32 - 1)) + 1;
        bpf_skb_load_bytes(skb.cast(), start, (&raw mut (*record).message).cast(), bounded)
    };
    if loaded == 0 {
        entry.submit(0);
    } else {
        entry.discard(0);
        container.count_lost(Kind::Dns);
    }
    Some(())
}

/// False for most packets there are, at a glance: a helper for each byte would cost more than all else.
#[inline(always)]
fn may_be_udp(ctx: &SkBuffContext) -> bool {
    let skb = ctx.skb.skb;
    // SAFETY: the context's own fields; what lies between the two is the packet's.
    unsafe {
        let start = (&raw const (*skb).data).read_volatile() as *const u8;
        let end = (&raw const (*skb).data_end).read_volatile() as *const u8;
        // A header in pieces is left to the helper.
        if start.wrapping_add(HEADER) > end {
            return true;
        }
        let protocol = if start.read_volatile() >> 4 == 4 {
            start.wrapping_add(9).read_volatile()
        } else {
            start.wrapping_add(6).read_volatile()
        };
        protocol == IPPROTO_UDP
    }
}

/// Where the packet's UDP header begins, if it has one. An IPv6 packet with extension headers is none of a name server's.
#[inline(always)]
fn udp_header(ctx: &SkBuffContext) -> Option<u32> {
    let first = ctx.load::<u8>(0).ok()?;
    let (protocol, start) = if first >> 4 == 4 {
        (ctx.load::<u8>(9).ok()?, u32::from(first & 0xf) * 4)
    } else {
        (ctx.load::<u8>(6).ok()?, 40)
    };
    (protocol == IPPROTO_UDP).then_some(start)
}
