//! A Unix socket was connected to, or a datagram sent to one.
//!
//! The peer goes by the name that it bound itself: the caller's string may be a link, a mount, or rewritten meanwhile.

use aya_ebpf::{
    helpers::{bpf_get_socket_cookie, bpf_skc_to_unix_sock, generated::bpf_probe_read_kernel},
    macros::{btf_tracepoint, fentry},
    programs::{BtfTracePointContext, FEntryContext},
};
use profiler_common::event::{Kind, UNIX_DATAGRAM, UNIX_WORDS, Unix};

use crate::{
    container::Container,
    follow,
    kernel::{at, load, offset, read},
    near::{self, Asker},
    novel::Novelty,
    open::file_of,
    owner::Owner,
    record::reserve,
};

const AF_UNIX: u16 = 1;
const SOCK_DGRAM: u16 = 2;
/// `sun_path` begins behind the family.
const FAMILY: u32 = 2;
/// Longest name: `sun_path`, and the NUL that the kernel adds to a full one.
const NAME: u32 = 109;

/// `int security_unix_stream_connect(struct sock *sock, struct sock *other, struct sock *newsk)`
#[fentry(function = "security_unix_stream_connect")]
pub(crate) fn unix_stream(ctx: FEntryContext) -> i32 {
    let _unnamed = reached(Asker::UnixStream, ctx.arg(1), 0);
    0
}

/// `int security_unix_may_send(struct socket *sock, struct socket *other)`: for each datagram, and for the connection of a
/// datagram socket.
#[fentry(function = "security_unix_may_send")]
pub(crate) fn unix_datagram(ctx: FEntryContext) -> i32 {
    // SAFETY: the hook's argument is BTF-typed.
    let other = unsafe { load::<*const u8>(ctx.arg(1), &offset::SOCKET_SK) };
    if !other.is_null() {
        let _unnamed = reached(Asker::UnixDatagram, other, UNIX_DATAGRAM);
    }
    0
}

/// `peer` is BTF-typed, so that no helper that reads the kernel is needed.
#[inline(always)]
fn reached(asker: Asker, peer: *const u8, flags: u32) -> Option<()> {
    let near = near::current_started(asker)?;
    // SAFETY: this program's own.
    let scope = unsafe { near::scope(near) };
    // SAFETY: the helpers take a BTF-typed socket; the second returns null for one of another family.
    let (cookie, unix) = unsafe {
        (
            bpf_get_socket_cookie(peer.cast_mut().cast()),
            bpf_skc_to_unix_sock(peer.cast_mut().cast()).cast::<u8>().cast_const(),
        )
    };
    if unix.is_null() {
        return None;
    }
    // SAFETY: BTF-typed.
    let address = unsafe { load::<*const u8>(unix, &offset::UNIX_SOCK_ADDR) };
    if address.is_null() {
        return None;
    }
    // SAFETY: BTF-typed.
    let len = name_len(unsafe { load::<u32>(address, &offset::UNIX_ADDRESS_LEN) })?;
    let novelty = Novelty::of(&scope, Kind::Unix as u64, cookie)?;
    let header = scope.header(Kind::Unix, flags);
    let mut entry = reserve::<Unix>(&scope, Kind::Unix)?;
    let record = entry.as_mut_ptr();
    // SAFETY: room for the record; the name's words lie within what the kernel calls `sun_path`, whose true end `len` says.
    unsafe {
        (&raw mut (*record).header).write(header);
        (&raw mut (*record).len).write(len);
        (&raw mut (*record).padding).write(0);
        let words = (&raw mut (*record).name).cast::<u64>();
        for index in 0..UNIX_WORDS {
            // The last word would reach beyond.
            let word = if index + 1 < UNIX_WORDS {
                path_of::<u64>(address).wrapping_add(index).read_volatile()
            } else {
                u64::from(path_of::<u32>(address).wrapping_add(index * 2).read_volatile())
            };
            words.add(index).write(word);
        }
    }
    entry.submit(0);
    novelty.reported();
    Some(())
}

/// `void sys_exit(struct pt_regs *regs, long ret)`, of `connect`.
#[btf_tracepoint(function = "sys_exit")]
pub(crate) fn unix_exit(ctx: BtfTracePointContext) -> i32 {
    if let Some((call, container)) = follow::of_own_abi(&ctx) {
        let (descriptor, ..) = call.arguments();
        let _other_family = connected(&container, descriptor);
    }
    0
}

/// The peer is the connected socket's. None where it is no Unix socket.
#[inline(always)]
fn connected(container: &Container, descriptor: u64) -> Option<()> {
    let socket = read::<*const u8>(file_of(descriptor)?, &offset::FILE_PRIVATE)?;
    let sock = read::<*const u8>(socket, &offset::SOCKET_SK)?;
    if read::<u16>(sock, &offset::SOCK_FAMILY)? != AF_UNIX {
        return None;
    }
    let peer = read::<*const u8>(sock, &offset::UNIX_SOCK_PEER)?;
    let address = read::<*const u8>(peer, &offset::UNIX_SOCK_ADDR)?;
    let len = name_len(read(address, &offset::UNIX_ADDRESS_LEN)?)?;
    let kind = read::<u16>(sock, &offset::SOCK_TYPE)?;
    let flags = if kind == SOCK_DGRAM { UNIX_DATAGRAM } else { 0 };
    let header = container.header(Kind::Unix, flags);
    let mut entry = reserve::<Unix>(container, Kind::Unix)?;
    let record = entry.as_mut_ptr();
    // SAFETY: room for the record; the helper checks the source and fills the name with zeros where it fails.
    unsafe {
        (&raw mut (*record).header).write(header);
        (&raw mut (*record).len).write(len);
        (&raw mut (*record).padding).write(0);
        let name = (&raw mut (*record).name).cast();
        bpf_probe_read_kernel(name, size_of::<[u64; UNIX_WORDS]>() as u32, path_of(address));
    }
    entry.submit(0);
    Some(())
}

/// Bytes of a name of this address length; none for one without.
#[inline(always)]
fn name_len(len: u32) -> Option<u32> {
    if len <= FAMILY || len > FAMILY + NAME {
        return None;
    }
    Some(len - FAMILY)
}

/// Where a `struct unix_address` keeps its `sun_path`.
#[inline(always)]
fn path_of<T>(address: *const u8) -> *const T {
    at::<u8>(address, &offset::UNIX_ADDRESS_NAME)
        .wrapping_add(offset::SOCKADDR_UN_PATH.load() as usize)
        .cast()
}
