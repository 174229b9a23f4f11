//! Networks that exist only for a test: any address of them can be listened on and connected from.

use std::{
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
};

/// Runs a test on a thread with a network namespace of its own, in which these subnets are all here. What it starts is in
/// there as well.
pub fn inside<T: Send>(subnets: &[&str], test: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let name = thread::current().name().unwrap_or("inside").to_owned();
        let thread = thread::Builder::new().name(name).spawn_scoped(scope, || {
            unshare(CloneFlags::CLONE_NEWNET).expect("as root");
            ip(&["link", "set", "lo", "up"]);
            for subnet in subnets {
                ip(&["addr", "add", subnet, "dev", "lo"]);
            }
            test()
        });
        let ended = thread.expect("a thread").join();
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn ip(words: &[&str]) {
    let status = Command::new("busybox").arg("ip").args(words).status().expect("busybox runs");
    assert!(status.success(), "busybox ip {words:?}");
}

/// Takes every connection to this address, as long as the test lasts.
pub fn serve(address: &str) {
    let listener = TcpListener::bind(address).expect("the address is here");
    thread::spawn(move || listener.incoming().for_each(drop));
}

/// Connects from that address as soon as somebody listens there, for at most a minute.
pub fn connect_from(client: Ipv4Addr, server: SocketAddrV4) {
    let end = Instant::now() + Duration::from_mins(1);
    loop {
        match try_connect(client, server) {
            Ok(()) => return,
            Err(Errno::ECONNREFUSED) if Instant::now() < end => {
                thread::sleep(Duration::from_millis(20));
            }
            Err(error) => panic!("from {client} to {server}: {error}"),
        }
    }
}

fn try_connect(client: Ipv4Addr, server: SocketAddrV4) -> Result<(), Errno> {
    let address = |ip: Ipv4Addr, port: u16| libc::sockaddr_in {
        sin_family: 2,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(ip).to_be() },
        sin_zero: [0; 8],
    };
    let (own, other) = (address(client, 0), address(*server.ip(), server.port()));
    let length = 16;
    // SAFETY: numbers only.
    let socket = Errno::result(unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) })?;
    // SAFETY: just made, and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // SAFETY: an address of that length.
    Errno::result(unsafe { libc::bind(socket.as_raw_fd(), (&raw const own).cast(), length) })?;
    // SAFETY: the same.
    Errno::result(unsafe { libc::connect(socket.as_raw_fd(), (&raw const other).cast(), length) })?;
    Ok(())
}
