//! Does what its plan says: one step a line, in order. A watched command with a known behaviour.

use std::{
    fs::{File, OpenOptions, Permissions},
    io::{Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::{FromRawFd, OwnedFd},
        linux::net::SocketAddrExt,
        unix::{
            fs::PermissionsExt,
            net::{SocketAddr, UnixDatagram, UnixStream},
        },
    },
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, bail};

fn main() -> anyhow::Result<()> {
    // Nothing here takes long; a peer that never comes must not hold a test up for ever.
    nix::unistd::alarm::set(300);
    let plan = std::env::args_os().nth(1).context("usage: driftline-actor PLAN")?;
    let plan = std::fs::read_to_string(plan).context("reading the plan")?;
    for step in plan.lines() {
        act(step).with_context(|| format!("step {step:?}"))?;
    }
    Ok(())
}

fn act(step: &str) -> anyhow::Result<()> {
    let (verb, object) = step.split_once(' ').unwrap_or((step, ""));
    match verb {
        "run" => {
            let mut words = object.split(' ');
            let program = words.next().context("no program")?;
            // Its stdio is ours: behind a chroot there is no /dev/null.
            let status = Command::new(program).args(words).status()?;
            anyhow::ensure!(status.success(), "{program} failed");
        }
        "read" => {
            File::open(object)?.read_to_end(&mut Vec::new())?;
        }
        "write" => OpenOptions::new().create(true).append(true).open(object)?.write_all(b"x")?,
        "delete" => std::fs::remove_file(object)?,
        "make-directory" => std::fs::create_dir(object)?,
        "delete-directory" => std::fs::remove_dir(object)?,
        "rename" => std::fs::rename(first(object)?, second(object)?)?,
        "link" => std::fs::hard_link(first(object)?, second(object)?)?,
        "symlink" => std::os::unix::fs::symlink(first(object)?, second(object)?)?,
        "mode" => {
            let mode = Permissions::from_mode(u32::from_str_radix(first(object)?, 8)?);
            std::fs::set_permissions(second(object)?, mode)?;
        }
        "open-mode" => {
            let mode = Permissions::from_mode(u32::from_str_radix(first(object)?, 8)?);
            File::open(second(object)?)?.set_permissions(mode)?;
        }
        "owner" => std::os::unix::fs::lchown(object, Some(0), Some(0))?,
        "truncate" => nix::unistd::truncate(object, 0)?,
        "map" => map_executable(object)?,
        "enter" => std::env::set_current_dir(object)?,
        // An overlay in a mount namespace of its own: LOWER UPPER WORK MERGED.
        "overlay" => overlay(object)?,
        "connect" => drop(TcpStream::connect(object)?),
        // Waits for one peer, whom the test sends.
        "listen" => drop(TcpListener::bind(object)?.accept()?),
        // Waits for so many.
        "serve" => {
            let listener = TcpListener::bind(first(object)?)?;
            for _ in 0..second(object)?.parse()? {
                listener.accept()?;
            }
        }
        "seccomp-deny-unshare" => deny_unshare()?,
        // Refused by that filter or not, the call was made.
        "unshare" => {
            let _may_be_denied = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUTS);
        }
        // The kernel takes the lower half of the register alone.
        "unshare-with-garbage" => {
            raw_call(0xffff_ffff_0000_0000 | UNSHARE, [0; 6]);
        }
        "read-with-garbage" => {
            let path = std::ffi::CString::new(object)?;
            let descriptor =
                raw_call(0x1_0000_0000 | OPENAT, [AT_FDCWD, path.as_ptr() as u64, 0, 0, 0, 0]);
            anyhow::ensure!(descriptor >= 0, "error {descriptor}");
        }
        "chroot" => nix::unistd::chroot(object)?,
        // A conversation with oneself on a port that the kernel picks, without a bind or with one.
        "talk" => {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let _stream = TcpStream::connect(listener.local_addr()?)?;
            listener.accept()?;
        }
        // Family, type and protocol as numbers.
        "socket" => {
            let numbers: Vec<i32> = object.split(' ').map(str::parse).collect::<Result<_, _>>()?;
            let [family, kind, protocol] = numbers[..] else { bail!("three numbers") };
            // SAFETY: numbers only.
            let socket =
                nix::errno::Errno::result(unsafe { libc::socket(family, kind, protocol) })?;
            // SAFETY: just made, and nobody else's.
            drop(unsafe { OwnedFd::from_raw_fd(socket) });
        }
        "unix" => drop(UnixStream::connect_addr(&unix_address(object)?)?),
        "unix-send" => {
            let socket = UnixDatagram::unbound()?;
            socket.connect_addr(&unix_address(object)?)?;
            socket.send(b"x")?;
        }
        "udp" => drop(UdpSocket::bind(object)?),
        // A name, and the server to ask.
        "resolve" | "resolve-unconnected" => {
            let (name, server) = object.split_once(' ').context("a name and a server")?;
            resolve(name, server, verb == "resolve")?;
        }
        "ptrace" => debug()?,
        "setuid" => {
            let user = nix::unistd::Uid::from_raw(object.parse()?);
            nix::unistd::setresuid(user, user, nix::unistd::ROOT)?;
        }
        "move-to" => {
            std::fs::write(format!("{object}/cgroup.procs"), std::process::id().to_string())?;
        }
        "sleep-ms" => thread::sleep(Duration::from_millis(object.parse()?)),
        "within-seconds" => drop(nix::unistd::alarm::set(object.parse()?)),
        "open-port" => drop(TcpListener::bind(object)?),
        // Until somebody listens there.
        "knock" => {
            while TcpStream::connect(object).is_err() {
                thread::sleep(Duration::from_millis(20));
            }
        }
        // So many requests for a page, each with a connection of its own.
        "get" => get(first(object)?, second(object)?.parse()?)?,
        // Every argument is out of all bounds: it fails, and was made.
        "call" => {
            raw_call(object.parse()?, [u64::MAX; 6]);
        }
        _ => bail!("unknown step"),
    }
    Ok(())
}

fn first(words: &str) -> anyhow::Result<&str> {
    Ok(words.split_once(' ').context("two words are needed")?.0)
}

fn second(words: &str) -> anyhow::Result<&str> {
    Ok(words.split_once(' ').context("two words are needed")?.1)
}

/// Maps a file as the dynamic loader maps a library.
fn map_executable(path: &str) -> anyhow::Result<()> {
    use std::os::fd::AsRawFd;
    let file = File::open(path)?;
    let protection = libc::PROT_READ | libc::PROT_EXEC;
    let (anywhere, descriptor) = (std::ptr::null_mut(), file.as_raw_fd());
    // SAFETY: a new mapping wherever the kernel likes, which nobody reads and which stays.
    let mapped =
        unsafe { libc::mmap(anywhere, 4096, protection, libc::MAP_PRIVATE, descriptor, 0) };
    anyhow::ensure!(mapped != libc::MAP_FAILED, "{}", std::io::Error::last_os_error());
    Ok(())
}

fn overlay(directories: &str) -> anyhow::Result<()> {
    use nix::mount::{MsFlags, mount};
    let directories: Vec<_> = directories.split(' ').collect();
    let [lower, upper, work, merged] = directories[..] else { bail!("four directories") };
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
    mount(Some("overlay"), merged, Some("overlay"), MsFlags::empty(), Some(options.as_str()))?;
    Ok(())
}

fn get(address: &str, requests: usize) -> anyhow::Result<()> {
    for _ in 0..requests {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        anyhow::ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    Ok(())
}

/// Asks for an address of `name` and waits for the answer.
fn resolve(name: &str, server: &str, connected: bool) -> anyhow::Result<()> {
    let mut question = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        question.push(u8::try_from(label.len())?);
        question.extend(label.as_bytes());
    }
    question.extend([0, 0, 1, 0, 1]);
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(Duration::from_mins(1)))?;
    if connected {
        socket.connect(server)?;
        socket.send(&question)?;
    } else {
        socket.send_to(&question, server)?;
    }
    socket.recv(&mut [0; 512])?;
    Ok(())
}

/// Takes hold of another process, as a debugger does.
fn debug() -> anyhow::Result<()> {
    let mut child =
        Command::new("/bin/cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    // It is past its start, and waits, when it has said something.
    child.stdin.as_mut().context("a pipe")?.write_all(b"x")?;
    child.stdout.as_mut().context("a pipe")?.read_exact(&mut [0])?;
    // SAFETY: no memory of ours is touched.
    let seized = unsafe { libc::ptrace(libc::PTRACE_SEIZE, child.id(), 0, 0) };
    child.kill()?;
    child.wait()?;
    anyhow::ensure!(seized == 0, "ptrace failed");
    Ok(())
}

/// A path, or `@name`.
fn unix_address(name: &str) -> std::io::Result<SocketAddr> {
    match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    }
}

const OPENAT: u64 = 257;
const UNSHARE: u64 = 272;
const AT_FDCWD: u64 = (-100_i64).cast_unsigned();

/// A system call with this very register content.
fn raw_call(number: u64, arguments: [u64; 6]) -> i64 {
    let [first, second, third, fourth, fifth, sixth] = arguments;
    let result: i64;
    // SAFETY: the calls made here read one string at most and touch no memory of ours; the clobbers are the kernel's.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number.cast_signed() => result,
            in("rdi") first,
            in("rsi") second,
            in("rdx") third,
            in("r10") fourth,
            in("r8") fifth,
            in("r9") sixth,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    result
}

/// `unshare` fails with EPERM from here on, as under a container runtime's default profile.
fn deny_unshare() -> anyhow::Result<()> {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
    let filter = SeccompFilter::new(
        [(UNSHARE.cast_signed(), Vec::new())].into_iter().collect(),
        SeccompAction::Allow,
        SeccompAction::Errno(1),
        TargetArch::x86_64,
    )?;
    seccompiler::apply_filter(&BpfProgram::try_from(filter)?)?;
    Ok(())
}
