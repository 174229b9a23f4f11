//! The child's part: driftline itself, started once more under a name that no user gives it.

use std::{
    fs::{self, File},
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    num::NonZero,
    os::{
        fd::AsRawFd,
        unix::{
            fs::{PermissionsExt, symlink},
            process::CommandExt,
        },
    },
    process::{Command, ExitCode, Stdio},
    sync::atomic::{AtomicBool, Ordering},
};

use nix::{
    libc,
    sys::{
        mman::{MapFlags, ProtFlags, mmap},
        wait::waitpid,
    },
    unistd::{ForkResult, fork, truncate},
};

use super::signs::Signs;

/// The name, as `argv[0]`.
const NAME: &str = "driftline-self-test";

/// What the child says with its exit status: what this machine does not let it do.
const NO_IPV6: u8 = 1;
const NO_LISTENING: u8 = 2;
const NO_CHANGING: u8 = 4;
const NO_MAPPING: u8 = 8;
const ALL: u8 = NO_IPV6 | NO_LISTENING | NO_CHANGING | NO_MAPPING;

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
    let status = u8::try_from(status?).ok().filter(|status| *status <= ALL)?;
    let mut signs = Signs::NONE;
    for (bit, without) in [
        (NO_IPV6, Signs::IPV6),
        (NO_LISTENING, Signs::LISTENING),
        (NO_CHANGING, Signs::CHANGES),
        (NO_MAPPING, Signs::MAP),
    ] {
        if status & bit != 0 {
            signs.add(without);
        }
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
    if change().is_err() {
        impossible |= NO_CHANGING;
    }
    if map().is_err() {
        impossible |= NO_MAPPING;
    }
    impossible
}

/// Everything that happens to files, to some that nobody else knows of.
fn change() -> io::Result<()> {
    let place = tempfile::Builder::new().prefix(NAME).tempdir()?;
    let at = |name| place.path().join(name);
    let file = File::create(at("file"))?;
    file.set_permissions(PermissionsExt::from_mode(0o600))?;
    // SAFETY: plain numbers for an own descriptor: nothing changes.
    if unsafe { libc::fchown(file.as_raw_fd(), u32::MAX, u32::MAX) } != 0 {
        return Err(io::Error::last_os_error());
    }
    truncate(&at("file"), 0)?;
    fs::rename(at("file"), at("renamed"))?;
    fs::hard_link(at("renamed"), at("linked"))?;
    symlink("renamed", at("symbolic"))?;
    place.close()
}

/// Maps this program once more.
fn map() -> io::Result<()> {
    let program = File::open("/proc/self/exe")?;
    let (length, protection) = (NonZero::<usize>::MIN, ProtFlags::PROT_READ | ProtFlags::PROT_EXEC);
    // SAFETY: at a place that the kernel picks, of a file that is there.
    unsafe { mmap(None, length, protection, MapFlags::MAP_PRIVATE, &program, 0) }?;
    Ok(())
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
