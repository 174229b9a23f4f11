//! `cargo xtask test`: every check. What fails does not keep the rest from running.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::sh::{self, say};
use crate::{cargo, pinned, setup, vm};

type Section<'a> = (&'static str, &'a dyn Fn() -> Result<()>);

/// Linting the kernel side for the host: a crate without std cannot unwind.
const KERNEL_SIDE: [&str; 4] =
    ["--package", pinned::EBPF_CRATE, "--config", r#"profile.dev.panic="abort""#];

pub(crate) fn test() -> Result<()> {
    let start = Instant::now();
    timed("set-up", setup::setup).1?;
    let driftline = timed("build", || cargo::driftline(false)).1?;

    let sections: [Section<'_>; 5] = [
        ("format", &|| sh::run(cargo::cargo().args(["fmt", "--all", "--check"]))),
        ("clippy", &|| clippy(&["--all-targets"])),
        ("clippy of the kernel side", &|| clippy(&KERNEL_SIDE)),
        ("tests on this kernel", &|| tests(&driftline)),
        ("tests in a virtual machine", &|| vm::vm_test(&vm::Options::default())),
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
    let environment =
        [("DRIFTLINE_BIN", driftline.as_os_str()), ("DRIFTLINE_REQUIRE_KERNEL", "1".as_ref())];
    sh::run(cargo::cargo().args(["test", "--no-fail-fast"]).envs(environment))
}
