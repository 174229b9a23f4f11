//! The emulator: this machine's, else one out of Debian's packages, unpacked and never installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::sh::{self, say};
use crate::{pinned, setup};

/// Where libraries lie below the root of an unpacked package.
const LIBRARIES: &[&str] = &[
    "lib",
    "lib/x86_64-linux-gnu",
    "usr/lib",
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/x86_64-linux-gnu/pulseaudio",
];

/// Where firmware lies below it.
const FIRMWARE: &[&str] = &["usr/share/qemu", "usr/share/seabios"];

pub(super) enum Emulator {
    Installed,
    Unpacked(PathBuf),
}

impl Emulator {
    /// Downloads the emulator once where this machine has none.
    pub(super) fn fetch(into: &Path) -> Result<Self> {
        let (program, package) = pinned::EMULATOR;
        if sh::output(sh::command(program).arg("--version")).is_ok() {
            return Ok(Self::Installed);
        }
        let directory = into.join("emulator");
        if !directory.exists() {
            say(format!("set-up: downloading the emulator (package `{package}`), unpacked only"));
            let partial = super::partial(&directory)?;
            setup::unpack(package, &partial)?;
            let unpacked = Self::Unpacked(partial.clone());
            sh::output(unpacked.command().arg("--version"))
                .context("the unpacked emulator does not start")?;
            fs::rename(partial, &directory)?;
        }
        Ok(Self::Unpacked(directory))
    }

    /// The emulator; it ends with this program, however this program ends.
    pub(super) fn command(&self) -> Command {
        let (program, _) = pinned::EMULATOR;
        let mut command = sh::command("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]);
        match self {
            Self::Installed => {
                command.arg(program);
            }
            Self::Unpacked(root) => {
                let libraries = LIBRARIES.iter().map(|directory| root.join(directory));
                let libraries: Vec<_> = libraries.map(|path| path.display().to_string()).collect();
                command.env("LD_LIBRARY_PATH", libraries.join(":"));
                command.arg(root.join("usr/bin").join(program));
                for directory in FIRMWARE {
                    command.arg("-L").arg(root.join(directory));
                }
            }
        }
        command
    }
}
