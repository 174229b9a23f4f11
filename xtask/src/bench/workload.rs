//! The program that does the operations, and asking it how long they took.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::sh;

/// A program that says `ready PID` on its standard output and ends when its input does.
pub(super) struct Served {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// The process that said it was ready: the program, or what it runs.
    pub(super) pid: u32,
}

impl Served {
    /// Starts it and waits until it is ready.
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{command:?} did not start"))?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("the output was asked for")?);
        let mut served = Self { child, input, output, pid: 0 };
        let ready = served.line().with_context(|| format!("{command:?} did not get ready"))?;
        let pid = ready.strip_prefix("ready ").with_context(|| format!("it said {ready:?}"))?;
        served.pid = pid.parse()?;
        Ok(served)
    }

    /// The process that was started.
    pub(super) fn started(&self) -> u32 {
        self.child.id()
    }

    /// Nanoseconds that one of `count` operations took.
    pub(super) fn measure(&mut self, op: &str, count: u32) -> Result<f64> {
        let input = self.input.as_mut().context("its input is open until it ends")?;
        writeln!(input, "{op} {count}")?;
        let answer = self.line().with_context(|| format!("measuring {op}"))?;
        match answer.split_once(' ') {
            Some((same, nanoseconds)) if same == op => Ok(nanoseconds.parse()?),
            _ => bail!("the answer to {op} was {answer:?}"),
        }
    }

    /// Lets it end by itself.
    pub(super) fn end(mut self) -> Result<()> {
        drop(self.input.take());
        let status = self.child.wait()?;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.output.read_line(&mut line)? > 0, "it ended early");
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // After an error; one that ended is not killed again.
        if let Ok(None) = self.child.try_wait() {
            let _ending = self.child.kill();
            let _ended = self.child.wait();
        }
    }
}

/// A command that ends with this program, however this program ends.
pub(super) fn bound(program: &Path) -> Command {
    let mut command = sh::command("setpriv");
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    command
}
