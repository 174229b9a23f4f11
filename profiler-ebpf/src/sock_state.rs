//! A TCP socket changed its state: where listening and accepting are seen.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use profiler_common::event::{AF_INET, AF_INET6, Endpoint};

use crate::{
    accept, cgroup,
    container::Container,
    kernel::{at, load, offset},
    listen,
    near::{self, Asker, Near, Whereabouts},
};

const TCP_ESTABLISHED: u32 = 1;
const TCP_SYN_RECV: u32 = 3;
const TCP_LISTEN: u32 = 10;

/// `void inet_sock_set_state(const struct sock *sk, const int oldstate, const int newstate)`: inbound connections
/// change state in softirq, so the container is the socket's, not the current task's.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub(crate) fn sock_state(ctx: BtfTracePointContext) -> i32 {
    let (old, new): (u32, u32) = (ctx.arg(1), ctx.arg(2));
    if new == TCP_LISTEN {
        let _untracked = listen::record(&Socket(ctx.arg(0)));
    } else if old == TCP_SYN_RECV && new == TCP_ESTABLISHED {
        let _untracked = accept::record(&Socket(ctx.arg(0)));
    }
    0
}

/// A `struct sock` that the hook was given.
pub(crate) struct Socket(*const u8);

impl Socket {
    /// The container whose task made the socket (for an accepted one, its listener).
    #[inline(always)]
    pub(crate) fn container(&self) -> Option<*mut Near> {
        // SAFETY: the hook's argument is BTF-typed.
        let cgroup = unsafe { cgroup::id(load(self.0, &offset::SOCK_CGROUP)) };
        match near::of_cgroup(Asker::SockState, cgroup) {
            Whereabouts::Outside => None,
            Whereabouts::Inside(near) => Some(near),
            Whereabouts::Unclear(near) => {
                let container = Container::of_cgroup(cgroup).filter(Container::started)?;
                // SAFETY: this program's own.
                unsafe { near::keep(near, &container) };
                Some(near)
            }
        }
    }

    /// Whether the program chose the local port itself (`SOCK_BINDPORT_LOCK` in the bit field `sk_userlocks`).
    #[inline(always)]
    pub(crate) fn port_chosen(&self) -> bool {
        const BINDPORT_LOCK: u8 = 8;
        let bit = offset::SOCK_USERLOCKS_BIT.load();
        // SAFETY: BTF-typed; the bit field's byte.
        let byte = unsafe { self.0.wrapping_add((bit / 8) as usize).read_volatile() };
        byte >> (bit % 8) & BINDPORT_LOCK != 0
    }

    #[inline(always)]
    pub(crate) fn protocol(&self) -> u32 {
        // SAFETY: BTF-typed.
        u32::from(unsafe { load::<u16>(self.0, &offset::SOCK_PROTOCOL) })
    }

    #[inline(always)]
    pub(crate) fn local(&self) -> Endpoint {
        // SAFETY: BTF-typed; the local port is kept in host order.
        let port = unsafe { load::<u16>(self.0, &offset::SOCK_NUM) };
        self.endpoint(&offset::SOCK_RCV_SADDR, &offset::SOCK_V6_RCV_SADDR, port)
    }

    #[inline(always)]
    pub(crate) fn peer(&self) -> Endpoint {
        // SAFETY: BTF-typed; the peer's port is kept in network order.
        let port = u16::from_be(unsafe { load::<u16>(self.0, &offset::SOCK_DPORT) });
        self.endpoint(&offset::SOCK_DADDR, &offset::SOCK_V6_DADDR, port)
    }

    #[inline(always)]
    fn endpoint(
        &self,
        v4: &aya_ebpf::Global<u32>,
        v6: &aya_ebpf::Global<u32>,
        port: u16,
    ) -> Endpoint {
        // SAFETY: BTF-typed.
        let family = u32::from(unsafe { load::<u16>(self.0, &offset::SOCK_FAMILY) });
        let mut address = [0; 16];
        match family {
            AF_INET => {
                // SAFETY: BTF-typed.
                let bytes = unsafe { load::<u32>(self.0, v4) }.to_ne_bytes();
                address[..4].copy_from_slice(&bytes);
            }
            AF_INET6 => {
                let words = at::<u32>(self.0, v6);
                for (index, bytes) in address.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                    // SAFETY: BTF-typed, and an address has four words.
                    *bytes = unsafe { words.wrapping_add(index).read_volatile() }.to_ne_bytes();
                }
            }
            _ => {}
        }
        Endpoint { address, family, port: u32::from(port) }
    }
}
