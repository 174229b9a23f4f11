//! The child's part: driftline itself, started once more under a name that no user gives it.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket},
    num::NonZero,
    os::{
        fd::AsRawFd,
        linux::net::SocketAddrExt,
        unix::{
            fs::{PermissionsExt, symlink},
            net::{SocketAddr, UnixDatagram, UnixListener, UnixStream},
            process::CommandExt,
        },
    },
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use nix::{
    libc,
    sys::{
        mman::{MapFlags, ProtFlags, mmap},
        wait::{WaitStatus, waitpid},
    },
    unistd::{ForkResult, fork, truncate},
};

use super::signs::Signs;

/// The name, as `argv[0]`.
const NAME: &str = "driftline-self-test";

/// Whether this program's main function gives the child its turn.
static POSSIBLE: AtomicBool = AtomicBool::new(false);

/// To be called by `main` before anything else: where this process was started as the self-test's child, it plays that
/// part, and its status is returned.
pub fn child() -> Option<ExitCode> {
    POSSIBLE.store(true, Ordering::Relaxed);
    let mut arguments = std::env::args_os();
    if arguments.next()? != NAME {
        return None;
    }
    let outside = arguments.next()?;
    let told = io::stdout().write_all(&act(outside.as_ref()).to_bytes());
    Some(told.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS))
}

pub(super) fn is_possible() -> bool {
    POSSIBLE.load(Ordering::Relaxed)
}

/// The child, not yet started. `prepare` runs in it before its exec; `outside` lists the processes of a cgroup to which it
/// moves in the end. On its standard output it says what this machine did not let it do.
pub(super) fn command(
    outside: &Path,
    prepare: impl FnMut() -> io::Result<()> + Send + Sync + 'static,
) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0(NAME).arg(outside);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    // SAFETY: the caller makes system calls only, on memory prepared before the fork.
    unsafe { command.pre_exec(prepare) };
    command
}

/// What the child could not do, by what it said when it had ended. None if it did not get to its end.
pub(super) fn impossible(child: &mut Child) -> Option<Signs> {
    let mut said = [0; 4];
    child.stdout.take()?.read_exact(&mut said).ok()?;
    Some(Signs::from_bytes(said))
}

/// Each behaviour once. The hooks come before the verdict of the call, so most calls need not succeed.
fn act(outside: &Path) -> Signs {
    let mut impossible = Signs::NONE;
    if !becomes_nobody() {
        impossible.add(Signs::IDENTITY);
        impossible.add(Signs::DENIED);
        impossible.add(Signs::CAPABILITY);
    }
    let _opened = File::open("/");
    send(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::LOCALHOST.into());
    if !send(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::LOCALHOST.into()) {
        impossible.add(Signs::IPV6);
    }
    let _refused = TcpStream::connect((Ipv6Addr::LOCALHOST, DISCARD));
    if listen().is_err() {
        impossible.add(Signs::LISTENING);
        let _refused = TcpStream::connect((Ipv4Addr::LOCALHOST, DISCARD));
    }
    for (done, sign) in [
        (change(), Signs::CHANGES),
        (map(), Signs::MAP),
        (talk(), Signs::UNIX),
        (bind(), Signs::BIND),
        (resolve(), Signs::DNS),
        // The last, though what it does out there would still be the container's.
        (fs::write(outside, "0"), Signs::ESCAPE),
    ] {
        if done.is_err() {
            impossible.add(sign);
        }
    }
    impossible
}

/// A child, which becomes another user, is refused a file, and ends.
fn becomes_nobody() -> bool {
    const NOBODY: libc::uid_t = 65534;
    // SAFETY: this process has a single thread, and its child makes three system calls.
    match unsafe { fork() } {
        Ok(ForkResult::Child) => {
            // SAFETY: numbers and a constant; ends this process, without what Rust would do.
            unsafe {
                let became = libc::setresuid(NOBODY, NOBODY, NOBODY) == 0;
                // Everybody may read it; leaving no trace of that is the owner's right.
                let refused = libc::open(c"/".as_ptr(), libc::O_RDONLY | libc::O_NOATIME) < 0;
                libc::_exit(i32::from(!became || !refused))
            }
        }
        Ok(ForkResult::Parent { child }) => {
            matches!(waitpid(child, None), Ok(WaitStatus::Exited(_, 0)))
        }
        Err(_) => false,
    }
}

/// Asks a name server of its own, which answers.
fn resolve() -> io::Result<()> {
    // An address that nobody else has taken: that of a real server on this machine is another.
    let [.., high, low] = std::process::id().to_be_bytes();
    let address = (Ipv4Addr::new(127, 83, high, low), NAME_SERVER);
    let server = UdpSocket::bind(address)?;
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    client.connect(address)?;
    client.send(b"?")?;
    let (mut question, mut answer) = ([0; 1], [0; 1]);
    for socket in [&server, &client] {
        socket.set_read_timeout(Some(ANSWER))?;
    }
    let (_, asker) = server.recv_from(&mut question)?;
    server.send_to(b"!", asker)?;
    client.recv(&mut answer).map(drop)
}

/// A stream and a datagram between Unix sockets that have names, but no files.
fn talk() -> io::Result<()> {
    let name =
        |sort| SocketAddr::from_abstract_name(format!("{NAME}-{}-{sort}", std::process::id()));
    let _listener = UnixListener::bind_addr(&name("stream")?)?;
    UnixStream::connect_addr(&name("stream")?)?;
    let _receiver = UnixDatagram::bind_addr(&name("datagram")?)?;
    UnixDatagram::unbound()?.send_to_addr(b"x", &name("datagram")?)?;
    Ok(())
}

/// A port that was asked for by its number.
fn bind() -> io::Result<()> {
    let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).map(drop)
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

const NAME_SERVER: u16 = 53;
/// How long an answer may take that the machine lets through at once or never.
const ANSWER: Duration = Duration::from_secs(1);

/// A port where nobody listens, and nobody would mind.
const DISCARD: u16 = 9;

/// False where there is no such address family.
fn send(from: std::net::IpAddr, to: std::net::IpAddr) -> bool {
    let Ok(socket) = UdpSocket::bind((from, 0)) else { return false };
    let _nobody_listens = socket.send_to(b"", (to, DISCARD));
    true
}

fn listen() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let _stream = TcpStream::connect(listener.local_addr()?)?;
    listener.accept()?;
    Ok(())
}
