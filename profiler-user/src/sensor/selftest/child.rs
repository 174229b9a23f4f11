//! The child's part: driftline itself, started once more under a name that no user gives it.

use std::{
    fs::File,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::unix::process::CommandExt,
    process::{Command, ExitCode, Stdio},
    sync::atomic::{AtomicBool, Ordering},
};

use nix::{
    libc,
    sys::wait::waitpid,
    unistd::{ForkResult, fork},
};

use super::signs::Signs;

/// The name, as `argv[0]`.
const NAME: &str = "driftline-self-test";

/// What the child says with its exit status: what this machine does not let it do.
const NO_IPV6: u8 = 1;
const NO_LISTENING: u8 = 2;

/// Whether this program's main function gives the child its turn.
static POSSIBLE: AtomicBool = AtomicBool::new(false);

/// To be called by `main` before anything else: where this process was started as the self-test's child, it plays that
/// part, and its status is returned.
pub fn child() -> Option<ExitCode> {
    POSSIBLE.store(true, Ordering::Relaxed);
    let name = std::env::args_os().next()?;
    (name == NAME).then(|| ExitCode::from(act()))
}

pub(super) fn is_possible() -> bool {
    POSSIBLE.load(Ordering::Relaxed)
}

/// The child, not yet started. `prepare` runs in it before its exec.
pub(super) fn command(prepare: impl FnMut() -> io::Result<()> + Send + Sync + 'static) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0(NAME).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: the caller makes system calls only, on memory prepared before the fork.
    unsafe { command.pre_exec(prepare) };
    command
}

/// What the child could not do, by its exit status. None if it did not get to its end.
pub(super) fn impossible(status: Option<i32>) -> Option<Signs> {
    let status = u8::try_from(status?).ok().filter(|status| *status <= (NO_IPV6 | NO_LISTENING))?;
    let mut signs = Signs::NONE;
    if status & NO_IPV6 != 0 {
        signs.add(Signs::IPV6);
    }
    if status & NO_LISTENING != 0 {
        signs.add(Signs::LISTENING);
    }
    Some(signs)
}

/// Each behaviour once. The hooks come before the verdict of the call, so most calls need not succeed.
fn act() -> u8 {
    // SAFETY: this process has a single thread; its child ends at once.
    if let Ok(ForkResult::Parent { child }) = unsafe { fork() }.inspect(|side| {
        if side.is_child() {
            // SAFETY: ends this process, without what Rust would do.
            unsafe { libc::_exit(0) }
        }
    }) {
        let _ended = waitpid(child, None);
    }
    let _opened = File::open("/");
    send(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::LOCALHOST.into());
    let mut impossible = 0;
    if !send(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::LOCALHOST.into()) {
        impossible |= NO_IPV6;
    }
    let _refused = TcpStream::connect((Ipv6Addr::LOCALHOST, DISCARD));
    if listen().is_err() {
        impossible |= NO_LISTENING;
        let _refused = TcpStream::connect((Ipv4Addr::LOCALHOST, DISCARD));
    }
    impossible
}

/// A port where nobody listens, and nobody would mind.
const DISCARD: u16 = 9;

/// False where there is no such address family.
fn send(from: std::net::IpAddr, to: std::net::IpAddr) -> bool {
    let Ok(socket) = UdpSocket::bind(SocketAddr::new(from, 0)) else { return false };
    let _nobody_listens = socket.send_to(b"", SocketAddr::new(to, DISCARD));
    true
}

fn listen() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let _stream = TcpStream::connect(listener.local_addr()?)?;
    listener.accept()?;
    Ok(())
}
