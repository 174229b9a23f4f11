//! A command at a terminal of its own, as a person runs it.

use std::{
    fs::File,
    io::{Read, Write},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::pty::openpty;

/// A running command and the master side of its terminal.
pub struct Terminal {
    child: Child,
    master: File,
    said: String,
}

impl Terminal {
    pub fn spawn(mut command: Command) -> Self {
        let pty = openpty(None, None).expect("a terminal");
        let slave = File::from(pty.slave);
        let clone = || Stdio::from(slave.try_clone().expect("a descriptor"));
        command.stdin(clone()).stdout(clone()).stderr(clone());
        // SAFETY: system calls only, on memory of before the fork.
        unsafe {
            command.pre_exec(|| {
                nix::unistd::setsid()?;
                // The new session's terminal is stdin.
                if libc::ioctl(0, libc::TIOCSCTTY, 0) != 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let child = command.spawn().expect("the command runs");
        Self { child, master: File::from(pty.master), said: String::new() }
    }

    /// Reads until `text` was printed.
    pub fn expect(&mut self, text: &str) {
        let end = Instant::now() + Duration::from_mins(1);
        while !self.said.contains(text) {
            assert!(Instant::now() < end, "{text:?} was not printed: {}", self.said);
            assert!(self.read() > 0, "the terminal closed before {text:?}: {}", self.said);
        }
    }

    /// Keys, as the terminal's driver sees them.
    pub fn type_in(&mut self, keys: &[u8]) {
        self.master.write_all(keys).expect("the terminal is open");
    }

    /// Everything that was printed, and how the command ended.
    pub fn finish(mut self) -> (String, ExitStatus) {
        while self.read() > 0 {}
        let status = self.child.wait().expect("the command ends");
        (self.said, status)
    }

    /// A terminal whose other side is gone gives EIO.
    fn read(&mut self) -> usize {
        let mut bytes = [0; 4096];
        let len = self.master.read(&mut bytes).unwrap_or(0);
        self.said.push_str(&String::from_utf8_lossy(&bytes[..len]));
        len
    }
}
