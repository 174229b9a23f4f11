//! CMD as a child: in its cgroup from its first instruction, with our stdio, our signals and its own status.

use std::{
    ffi::OsString,
    io::Write,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use nix::{
    sys::{
        signal::{SigSet, Signal, kill},
        signalfd::{SfdFlags, SignalFd},
    },
    unistd::Pid,
};
use tokio::process::{Child, Command};

use crate::{cgroup::Cgroup, error::Error, poll};

/// Signals that end or steer a command; the rest keep their usual meaning for us.
const FORWARDED: [Signal; 7] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
];

/// `si_code` of a signal that the kernel sent: the terminal did, to the whole foreground group, CMD included.
const SI_KERNEL: i32 = 0x80;

/// Signals blocked for the whole process, to be read instead. Make it before any thread starts.
pub(crate) struct Signals {
    fd: SignalFd,
    /// The mask to give CMD back.
    original: SigSet,
    /// Whether somebody asked that it end.
    ending: Arc<AtomicBool>,
}

impl Signals {
    pub(crate) fn block() -> anyhow::Result<Self> {
        let mut set = SigSet::empty();
        for signal in FORWARDED {
            set.add(signal);
        }
        let original = SigSet::thread_get_mask().context("reading the signal mask")?;
        set.thread_block().context("blocking signals")?;
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
            .context("opening a signal descriptor")?;
        Ok(Self { fd, original, ending: Arc::default() })
    }
}

const ENDING: [Signal; 4] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];

impl Signals {
    /// The same signals for another command, with the mask that the first one gets.
    pub(crate) fn again(&self) -> anyhow::Result<Self> {
        let fd = Self::block()?.fd;
        Ok(Self { fd, original: self.original, ending: Arc::clone(&self.ending) })
    }

    /// Whether one asked to end meanwhile, of driftline or of the command before.
    pub(crate) fn have_asked(&self) -> anyhow::Result<bool> {
        Ok(self.pending()?.is_some() || self.ending.load(Ordering::Relaxed))
    }

    /// The number of a signal that asked driftline to end before there was a command to pass it to.
    pub(crate) fn pending(&self) -> anyhow::Result<Option<i32>> {
        while let Some(info) = self.fd.read_signal().context("reading a signal")? {
            let number = info.ssi_signo.cast_signed();
            if ENDING.iter().any(|signal| *signal as i32 == number) {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }
}

impl Signals {
    /// Waits for a signal that asks driftline to end; its number. A `SIGHUP` that somebody sent, unlike that of a terminal that
    /// goes away, is first offered to `reopen`, which says whether it means anything there.
    pub(crate) async fn ending(self, reopen: impl Fn() -> bool) -> anyhow::Result<i32> {
        let mut signals = poll::register(self.fd).context("waiting for signals")?;
        loop {
            let mut ready = signals.readable_mut().await.context("waiting for signals")?;
            match ready.get_inner_mut().read_signal().context("reading a signal")? {
                Some(info) => {
                    let number = info.ssi_signo.cast_signed();
                    let is_sent = number == Signal::SIGHUP as i32 && info.ssi_code != SI_KERNEL;
                    if is_sent && reopen() {
                        continue;
                    }
                    if ENDING.iter().any(|signal| *signal as i32 == number) {
                        return Ok(number);
                    }
                }
                None => ready.clear_ready(),
            }
        }
    }
}

/// Starts CMD inside the cgroup.
pub(crate) fn spawn(
    command: &[OsString],
    cgroup: &Cgroup,
    signals: &Signals,
) -> Result<Child, Error> {
    let (program, args) = command.split_first().context("an empty command")?;
    let mut procs = cgroup.procs().context("opening the command's cgroup")?;
    let original = signals.original;
    let mut child = Command::new(program);
    child.args(args);
    // SAFETY: between fork and exec only system calls are made, on memory prepared before the fork.
    unsafe {
        child.pre_exec(move || {
            original.thread_set_mask()?;
            // Unobserved, with nobody to end it, it must not go on.
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            procs.write_all(b"0")
        });
    }
    child.spawn().map_err(|source| Error::Command {
        command: program.to_string_lossy().into_owned(),
        advice: match source.kind() {
            std::io::ErrorKind::NotFound if Path::new(program).exists() => {
                "the file is there, the interpreter that it names is not"
            }
            std::io::ErrorKind::NotFound => "check the name and PATH",
            std::io::ErrorKind::PermissionDenied => "is it an executable file?",
            _ => "is it a program for this machine, or a script with a #! line?",
        },
        source,
    })
}

/// How long a command may take to end when its time is over.
const AFTER_LIMIT: Duration = Duration::from_secs(5);

/// Waits for CMD and meanwhile passes signals on to it. When `limit` is over, it is asked to end (SIGTERM), then made to.
pub(crate) async fn wait(
    child: &mut Child,
    signals: Signals,
    limit: Option<Duration>,
) -> anyhow::Result<ExitStatus> {
    let limit = tokio::time::sleep(limit.unwrap_or(Duration::MAX));
    tokio::pin!(limit);
    let mut asked = false;
    let pid = Pid::from_raw(child.id().context("the command has no pid")?.cast_signed());
    let signals_end = signals.ending;
    let mut signals = poll::register(signals.fd).context("waiting for signals")?;
    loop {
        tokio::select! {
            status = child.wait() => return status.context("waiting for the command"),
            () = &mut limit => {
                send(pid, if asked { Signal::SIGKILL } else { Signal::SIGTERM })?;
                asked = true;
                limit.as_mut().reset(tokio::time::Instant::now() + AFTER_LIMIT);
            }
            ready = signals.readable_mut() => {
                let mut ready = ready.context("waiting for signals")?;
                match ready.get_inner_mut().read_signal().context("reading a signal")? {
                    Some(info) => {
                        if ENDING.iter().any(|signal| *signal as u32 == info.ssi_signo) {
                            signals_end.store(true, Ordering::Relaxed);
                        }
                        forward(pid, info.ssi_signo, info.ssi_code)?;
                    }
                    None => ready.clear_ready(),
                }
            }
        }
    }
}

fn forward(pid: Pid, signal: u32, code: i32) -> anyhow::Result<()> {
    if code == SI_KERNEL {
        return Ok(());
    }
    send(pid, Signal::try_from(signal.cast_signed()).context("an unknown signal")?)
}

fn send(pid: Pid, signal: Signal) -> anyhow::Result<()> {
    match kill(pid, signal) {
        // It has just ended; its status is on the way.
        Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("passing {signal} on to the command")),
    }
}

/// CMD's status as a shell would report it.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    let signal =
        || status.signal().map_or(0, |signal| signal + i32::from(crate::error::code::SIGNAL));
    u8::try_from(status.code().unwrap_or_else(signal)).unwrap_or(u8::MAX)
}
