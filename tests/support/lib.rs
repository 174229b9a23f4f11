//! Running the real binary on the real kernel.

pub mod agent;
pub mod attacks;
pub mod bundles;
pub mod churned;
pub mod console;
pub mod deeds;
pub mod deviation;
pub mod false_registry;
pub mod fleet;
pub mod intrusion;
pub mod names;
pub mod numbered;
pub mod outside;
pub mod pods;
pub mod postgres;
mod programs;
pub mod receiver;
pub mod recorded;
pub mod registry;
mod server;
pub mod services;
pub mod shop;
pub mod signer;
pub mod subnets;
mod terminal;
pub mod tiers;
#[path = "bench/program.rs"]
mod tiny;
pub mod told;
pub mod work;
pub mod worker;

use std::{
    ffi::OsStr,
    fs,
    io::Write,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

use nix::sys::signal::{SigHandler, Signal};
pub use programs::{actor, driftline};
use serde_json::Value;
pub use server::{Nginx, free_port, knock, python};
pub use terminal::Terminal;

/// How often a promise that says "twenty times in a row" is tried: `DRIFTLINE_REPEAT`, by default 20.
pub fn repeat() -> usize {
    std::env::var("DRIFTLINE_REPEAT").ok().and_then(|n| n.parse().ok()).unwrap_or(20)
}

/// Whether this process may load eBPF here. If not, says so past the test harness's capture: the caller then returns.
pub fn can_load() -> bool {
    let (usable, said) = check();
    if !usable {
        assert!(
            std::env::var_os("DRIFTLINE_REQUIRE_KERNEL").is_none(),
            "DRIFTLINE_REQUIRE_KERNEL is set, and driftline check says no:\n{said}"
        );
        skip(&format!("driftline check says no:\n{said}"));
    }
    *usable
}

/// Whether no probe sees a behaviour here.
pub fn is_blind(behaviour: &str) -> bool {
    let blind = |line: &str| {
        let rest = line.trim_start().strip_prefix(behaviour);
        rest.is_some_and(|rest| rest.trim_start().starts_with("blind:"))
    };
    check().1.lines().any(blind)
}

/// `driftline check`, once: whether it says yes, and what else.
fn check() -> &'static (bool, String) {
    static SAID: OnceLock<(bool, String)> = OnceLock::new();
    SAID.get_or_init(|| {
        let check = Command::new(driftline()).arg("check").output().expect("driftline runs");
        (check.status.success(), String::from_utf8_lossy(&check.stderr).into_owned())
    })
}

/// Says that a test is skipped, and why, also where the harness captures output.
pub fn skip(why: &str) {
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    let _stderr_may_be_gone = writeln!(std::io::stderr(), "SKIPPED {name}: {why}");
}

/// A directory with baselines and events, and a command that is recorded and watched in it.
pub struct Lab {
    dir: tempfile::TempDir,
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}

impl Lab {
    pub fn new() -> Self {
        // Not in /tmp: names there are generalised, and here the tests name files exactly.
        let base = Path::new("/var/tmp/driftline-tests");
        fs::create_dir_all(base).expect("/var/tmp is writable");
        let dir = tempfile::Builder::new().prefix("lab").tempdir_in(base).expect("a directory");
        Self { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("the lab is writable");
        path
    }

    pub fn baselines(&self) -> PathBuf {
        self.path("baselines")
    }

    /// `driftline record --image lab -- CMD`, not yet started.
    pub fn record<S: AsRef<OsStr>>(&self, command: &[S]) -> Command {
        self.driftline("record", &[], command)
    }

    /// The same with more flags.
    pub fn record_with<S: AsRef<OsStr>>(&self, flags: &[&str], command: &[S]) -> Command {
        self.driftline("record", flags, command)
    }

    /// `driftline watch --image lab --events … --fail-on-drift -- CMD`, not yet started; the events file is empty.
    pub fn watch<S: AsRef<OsStr>>(&self, command: &[S]) -> Command {
        let events = self.path("events.jsonl");
        let _absent = fs::remove_file(&events);
        let events = events.to_str().expect("UTF-8").to_owned();
        self.driftline("watch", &["--fail-on-drift", "--events", &events], command)
    }

    fn driftline<S: AsRef<OsStr>>(&self, verb: &str, flags: &[&str], command: &[S]) -> Command {
        let mut driftline = Command::new(driftline());
        driftline
            .arg(verb)
            .arg("--baselines")
            .arg(self.baselines())
            .args(["--image", "lab"])
            .args(flags)
            .arg("--")
            .args(command)
            .stdin(Stdio::null());
        // Whoever started the tests in the background has these ignored, and so would every program from there on.
        // SAFETY: system calls only.
        unsafe {
            driftline.pre_exec(|| {
                for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
                    nix::sys::signal::signal(signal, SigHandler::SigDfl)?;
                }
                Ok(())
            });
        }
        driftline
    }

    /// Records until a run brings nothing new, at most five times, as the promise says. `run` starts and ends one run.
    pub fn settle(&self, mut run: impl FnMut() -> Output) {
        for round in 1..=5 {
            let output = run();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "recording failed: {said}");
            if said.contains("nothing new") {
                return;
            }
            assert!(round < 5, "still new in the fifth run: {said}");
        }
    }

    /// The drift events of the last `watch`.
    pub fn events(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("events.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect()
    }

    /// Every file that driftline wrote here.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut directories = vec![self.dir.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).expect("readable") {
                let path = entry.expect("an entry").path();
                if path.is_dir() { directories.push(path) } else { files.push(path) }
            }
        }
        files
    }
}

/// Asserts that a run was quiet: exit 0 and not one event.
pub fn assert_quiet(lab: &Lab, output: &Output, round: usize) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "round {round}: {:?}\n{said}", output.status);
    let events = lab.events();
    assert!(events.is_empty(), "round {round}: {events:#?}");
}

/// Asserts that drift was seen: exit 3, and an event of this kind whose object and process match.
pub fn assert_drift(lab: &Lab, output: &Output, kind: &str, object: &str, process: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let events = lab.events();
    let found = events.iter().any(|event| {
        event["drift.kind"] == kind
            && event["drift.object"].as_str().is_some_and(|found| found.contains(object))
            && event["process.executable.path"] == process
    });
    assert!(found, "no {kind} of {object} by {process} in {events:#?}\n{said}");
}
