//! The address that a call on an internet socket named.

use aya_ebpf::programs::SockAddrContext;
use profiler_common::event::{AF_INET, Endpoint};

/// The address in the context of a program of this family, and the socket's protocol.
#[inline(always)]
pub(crate) fn named(ctx: &SockAddrContext, family: u32) -> (Endpoint, u32) {
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
    (Endpoint { address, family, port: u32::from(u16::from_be(port as u16)) }, protocol)
}
