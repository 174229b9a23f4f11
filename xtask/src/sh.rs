//! Running other programs, and talking to whoever watches.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};

use anyhow::{Context as _, Result, bail};

/// One line for the person who watches.
pub fn say(line: impl AsRef<str>) {
    eprintln!("{}", line.as_ref());
}

/// The root of the checkout.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a directory of the workspace")
        .to_owned()
}

/// A command in the checkout, without what `cargo run` set for this program only.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace()).env_remove("LD_LIBRARY_PATH");
    command
}

/// Runs a command whose output the person sees.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| not_started(command))?;
    if status.success() { Ok(()) } else { bail!("{}", failed(command, status)) }
}

/// Runs a command for what it prints; the person sees its output only when it fails.
pub fn output(command: &mut Command) -> Result<String> {
    let Output { status, stdout, stderr } =
        command.output().with_context(|| not_started(command))?;
    if status.success() {
        return String::from_utf8(stdout)
            .with_context(|| format!("`{}` printed something other than UTF-8", line(command)));
    }
    let printed = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
    bail!("{}:\n{}", failed(command, status), printed.join("\n").trim())
}

/// The command as one would type it.
fn line(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

fn not_started(command: &Command) -> String {
    format!("`{}` did not start", line(command))
}

fn failed(command: &Command, status: ExitStatus) -> String {
    format!("`{}` failed ({status})", line(command))
}
