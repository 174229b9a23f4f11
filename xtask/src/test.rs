//! `cargo xtask test`: every check. What fails does not keep the rest from running.
//!
//! The virtual machine takes one core for most of the time, the tests on this kernel the other: they run side by side.

use std::cell::RefCell;
use std::fs::File;
use std::io::Seek as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::sh::{self, say};
use crate::{bench, cargo, pinned, setup, vm};

type Section<'a> = (&'static str, &'a dyn Fn() -> Result<()>);

/// How often a kernel test does what it promises to see, unless the environment says otherwise. The promise itself is
/// twenty times: `DRIFTLINE_REPEAT=20`.
const REPEAT: &str = "3";

/// Linting the kernel side for the host: a crate without std cannot unwind.
const KERNEL_SIDE: [&str; 4] =
    ["--package", pinned::EBPF_CRATE, "--config", r#"profile.dev.panic="abort""#];

pub(crate) fn test() -> Result<()> {
    let start = Instant::now();
    timed("set-up", setup::setup).1?;
    let driftline = timed("build", cargo::driftline_for_tests).1?;

    let guest = RefCell::new(None);
    let sections: [Section<'_>; 7] = [
        ("format", &|| sh::run(cargo::cargo().args(["fmt", "--all", "--check"]))),
        ("clippy", &|| clippy(&["--all-targets"])),
        ("clippy of the kernel side", &|| clippy(&KERNEL_SIDE)),
        ("build of the tests", &|| {
            sh::run(cargo::cargo().args(["test", "--no-run"]))?;
            guest.replace(Some(Guest::start()?));
            Ok(())
        }),
        ("tests on this kernel", &|| tests(&driftline)),
        ("tests in a virtual machine, side by side with those", &|| match guest.take() {
            Some(guest) => guest.finish(),
            None => vm::vm_test(&vm::Options::default()),
        }),
        ("costs in a virtual machine, against their budgets", &bench::check),
    ];
    let results: Vec<_> = sections
        .into_iter()
        .map(|(name, section)| {
            let (took, result) = timed(name, section);
            if let Err(error) = &result {
                say(format!("error: {error:#}"));
            }
            (name, took, result.is_ok())
        })
        .collect();

    say(format!("\n== summary, {:.1} s in all", start.elapsed().as_secs_f32()));
    for (name, took, passed) in &results {
        let verdict = if *passed { "passed" } else { "FAILED" };
        say(format!("{verdict}  {:7.1} s  {name}", took.as_secs_f32()));
    }
    let failed = results.iter().filter(|(.., passed)| !passed).count();
    say(format!("{} passed, {failed} failed", results.len() - failed));
    if failed > 0 {
        bail!("{failed} of {} sections failed, see above", results.len())
    }
    Ok(())
}

/// `cargo xtask vm-test` as a process of its own, whose words wait until it is its turn.
struct Guest {
    child: Child,
    said: File,
}

impl Guest {
    fn start() -> Result<Self> {
        let said = tempfile::tempfile()?;
        let child = sh::command(std::env::current_exe()?)
            .args(["vm-test"])
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said.try_clone()?)
            .spawn()?;
        Ok(Self { child, said })
    }

    fn finish(mut self) -> Result<()> {
        let status = self.child.wait()?;
        self.said.rewind()?;
        std::io::copy(&mut self.said, &mut std::io::stderr())?;
        if status.success() { Ok(()) } else { bail!("`cargo xtask vm-test` failed ({status})") }
    }
}

fn timed<T>(name: &str, section: impl FnOnce() -> Result<T>) -> (Duration, Result<T>) {
    say(format!("\n== {name}"));
    let start = Instant::now();
    let result = section();
    let took = start.elapsed();
    say(format!("-- {name}: {:.1} s", took.as_secs_f32()));
    (took, result)
}

fn clippy(which: &[&str]) -> Result<()> {
    sh::run(cargo::cargo().arg("clippy").args(which).args(["--", "--deny", "warnings"]))
}

fn tests(driftline: &Path) -> Result<()> {
    // A kernel test that skipped itself here would be a test that cannot fail.
    let repeat = std::env::var_os("DRIFTLINE_REPEAT").unwrap_or_else(|| REPEAT.into());
    let environment = [
        ("DRIFTLINE_BIN", driftline.as_os_str()),
        ("DRIFTLINE_REQUIRE_KERNEL", "1".as_ref()),
        ("DRIFTLINE_REPEAT", &repeat),
    ];
    sh::run(cargo::cargo().args(["test", "--no-fail-fast"]).envs(environment))
}
