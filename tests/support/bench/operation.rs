//! The operations, as few system calls each as they can be; what they need is made before the clock runs.

use std::ffi::CString;
use std::fs;
use std::net::TcpListener;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::program::PROGRAM;

/// Where the operations happen.
pub(crate) struct Place {
    directory: PathBuf,
    /// Below it, five directories from the root.
    deep: &'static str,
    /// Connections go here; nobody else listens on it.
    listener: TcpListener,
}

impl Place {
    pub(crate) fn make(directory: PathBuf) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("0.0.0.0:0").context("listening")?;
        // The root is a component, too.
        let deep = match directory.components().count() {
            3 => "a/b/c",
            4 => "a/b",
            _ => anyhow::bail!("{} is not two or three below the root", directory.display()),
        };
        let place = Self { directory, deep, listener };
        fs::create_dir_all(place.path(deep)).context("making the directory")?;
        for file in ["file".to_owned(), format!("{deep}/file")] {
            fs::write(place.path(&file), "x").with_context(|| format!("writing {file}"))?;
        }
        let program = place.path("program");
        fs::write(&program, PROGRAM)?;
        fs::set_permissions(program, fs::Permissions::from_mode(0o755))?;
        Ok(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Nanoseconds for one of `count` operations. An operation `new-…` has another object each time.
    pub(crate) fn time(&self, name: &str, count: u32) -> anyhow::Result<f64> {
        ensure!(count > 0, "nothing to measure");
        match name {
            "getppid" | "new-getppid" => timed(count, |_| {
                // SAFETY: no memory is involved.
                unsafe { libc::syscall(libc::SYS_getppid) };
                Ok(())
            }),
            "open" => self.opens(&[format!("{}/file", self.deep)], count),
            "open-2" => self.opens(&["file".to_owned()], count),
            "new-open" => self.fresh_opens(self.deep, count),
            "new-open-2" => self.fresh_opens(".", count),
            "tempfile" | "new-tempfile" => {
                let names = self.names("tmp", ".", count)?;
                timed(count, |turn| tempfile(&names[turn]))
            }
            "exec" | "new-exec" => {
                let program = c_string(&self.path("program"))?;
                timed(count, |_| exec(&program))
            }
            "connect" => timed(count, |_| self.connect(1)),
            "new-connect" => timed(count, |turn| self.connect(u32::try_from(turn)? + 2)),
            _ => match name.strip_prefix("offer-") {
                Some(rate) => self.offer(rate.parse()?, count),
                None => anyhow::bail!("no operation is named {name}"),
            },
        }
    }

    fn opens(&self, names: &[String], count: u32) -> anyhow::Result<f64> {
        let paths = names.iter().map(|name| c_string(&self.path(name)));
        let paths = paths.collect::<anyhow::Result<Vec<_>>>()?;
        timed(count, |turn| open(&paths[turn % paths.len()], libc::O_RDONLY))
    }

    /// Opens of files that are made before and removed after.
    fn fresh_opens(&self, directory: &str, count: u32) -> anyhow::Result<f64> {
        let series = std::process::id();
        let names: Vec<_> = (0..count).map(|n| format!("{directory}/fresh-{series}-{n}")).collect();
        for name in &names {
            fs::write(self.path(name), "x")?;
        }
        let took = self.opens(&names, count);
        for name in &names {
            fs::remove_file(self.path(name))?;
        }
        took
    }

    /// Opens of files that somebody else has made, each once, so many a second as near as the machine can.
    fn offer(&self, rate: u32, count: u32) -> anyhow::Result<f64> {
        let paths = self.names("f", "offered", count)?;
        let start = Instant::now();
        timed(count, |turn| {
            let due = Duration::from_secs(1) * u32::try_from(turn)? / rate;
            while start.elapsed() < due {
                std::thread::yield_now();
            }
            open(&paths[turn], libc::O_RDONLY)
        })
    }

    fn names(&self, name: &str, directory: &str, count: u32) -> anyhow::Result<Vec<CString>> {
        (0..count).map(|n| c_string(&self.path(&format!("{directory}/{name}.{n:06}")))).collect()
    }

    /// A connection to ourselves, taken and closed without the wait that would use up ports.
    fn connect(&self, host: u32) -> anyhow::Result<()> {
        let port = self.listener.local_addr()?.port();
        let to = libc::sockaddr_in {
            sin_family: 2,
            sin_port: port.to_be(),
            sin_addr: libc::in_addr { s_addr: (0x7f00_0000 + host).to_be() },
            sin_zero: [0; 8],
        };
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        // SAFETY: the structures live through the calls, and their sizes are told.
        unsafe {
            let socket = checked(libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0))?;
            checked(libc::setsockopt(
                socket,
                libc::SOL_SOCKET,
                libc::SO_LINGER,
                (&raw const linger).cast(),
                length_of(&linger)?,
            ))?;
            checked(libc::connect(socket, (&raw const to).cast(), length_of(&to)?))?;
            let null = std::ptr::null_mut();
            let other = checked(libc::accept(self.listener.as_raw_fd(), null, null.cast()))?;
            checked(libc::close(socket))?;
            checked(libc::close(other))?;
        }
        Ok(())
    }
}

fn open(path: &CString, flags: i32) -> anyhow::Result<()> {
    // SAFETY: the path is a C string.
    unsafe {
        let file = checked(libc::open(path.as_ptr(), flags, 0o600))?;
        checked(libc::close(file))?;
    }
    Ok(())
}

fn tempfile(path: &CString) -> anyhow::Result<()> {
    open(path, libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL)?;
    // SAFETY: the path is a C string.
    checked(unsafe { libc::unlink(path.as_ptr()) })?;
    Ok(())
}

/// As `posix_spawn` does it, without its dozens of calls for signals: the copy of a larger process would vary.
fn exec(program: &CString) -> anyhow::Result<()> {
    let mut stack = [0_u128; 256];
    let mut status = 0;
    // SAFETY: the child has a stack of its own and shares the memory until it runs the program, while this waits.
    unsafe {
        let top = stack.as_mut_ptr_range().end.cast();
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        let argument = program.as_ptr().cast_mut().cast();
        let child = checked(libc::clone(run, top, flags, argument))?;
        checked(libc::waitpid(child, &raw mut status, 0))?;
    }
    ensure!(status == 0, "the program ended with {status}");
    Ok(())
}

extern "C" fn run(program: *mut libc::c_void) -> libc::c_int {
    let program = program.cast_const().cast();
    let arguments = [program, std::ptr::null()];
    // SAFETY: the path is a C string, and so is its only argument.
    unsafe { libc::execv(program, arguments.as_ptr()) };
    127
}

fn timed(count: u32, mut act: impl FnMut(usize) -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let start = Instant::now();
    for turn in 0..count {
        act(turn as usize)?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e9 / f64::from(count))
}

fn c_string(path: &Path) -> anyhow::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

fn checked(result: i32) -> std::io::Result<i32> {
    if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(result) }
}

fn length_of<T>(_value: &T) -> anyhow::Result<u32> {
    Ok(u32::try_from(size_of::<T>())?)
}
