//! `cargo xtask vm-test`: the tests that need a kernel, on another kernel than this machine's.
//!
//! The guest is an initramfs with the programs the tests use. Whatever this workspace built lies at the same path
//! there as here, so paths that cargo compiled into the tests hold.

mod boot;
mod contents;
mod emulator;
mod guest;
mod kernel;
mod matrix;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use emulator::Emulator;

use self::matrix::{MACHINES, Tests};
use crate::cargo::{self, Executable};
use crate::setup;
use crate::sh::{self, say};

/// Test programs, by how their names begin, that need a container runtime, which guests do not have.
const ON_A_NODE: &[&str] = &["agent", "pods", "driftline-node"];

#[derive(Args)]
pub(crate) struct Options {
    /// Boot only this kernel; what it runs is as in the matrix, where the machine is in there
    #[arg(long, value_parser = kernel::names())]
    kernel: Option<String>,
    /// More for the kernel's command line, such as `lockdown=confidentiality`
    #[arg(long, default_value = "")]
    append: String,
    /// Every test, not the choice of the matrix
    #[arg(long)]
    all: bool,
    /// How often a test repeats what it does
    #[arg(long, default_value_t = 1)]
    repeat: u32,
    /// How many seconds one machine may take
    #[arg(long, default_value_t = 2400)]
    timeout: u64,
    /// Arguments for each test program, such as a filter
    #[arg(last = true)]
    arguments: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            kernel: None,
            append: String::new(),
            all: false,
            repeat: 1,
            timeout: 2400,
            arguments: Vec::new(),
        }
    }
}

/// What runs in a guest.
struct Programs {
    driftline: PathBuf,
    tests: Vec<Executable>,
}

impl Programs {
    /// The test programs that run, each with the filters that choose among its tests.
    fn run_in(&self, tests: Tests) -> impl Iterator<Item = (&Executable, &'static [&'static str])> {
        let programs = self.tests.iter().filter(|test| test.is_test);
        programs.filter_map(move |test| Some((test, tests.of(&test.name)?)))
    }
}

/// Downloads what the machines of the matrix need, once.
pub(crate) fn set_up() -> Result<()> {
    let directory = directory()?;
    Emulator::fetch(&directory)?;
    MACHINES.iter().try_for_each(|machine| kernel::fetch(machine.kernel, &directory).map(drop))
}

pub(crate) fn vm_test(options: &Options) -> Result<()> {
    let programs = build()?;
    let mut machines = matrix::machines(options.kernel.as_deref(), &options.append);
    if options.all || !options.arguments.is_empty() {
        // Whoever asks for certain tests means those.
        for (_, _, tests) in &mut machines {
            *tests = Tests::All;
        }
    }
    let mut failed = Vec::new();
    for (kernel, append, tests) in machines {
        let name = [kernel, append].join(" ").trim().to_owned();
        say(format!("virtual machine {name}"));
        let start = Instant::now();
        match one_machine(kernel, append, tests, &programs, options) {
            Ok(()) => say(format!(
                "virtual machine {name}: passed, {:.1} s",
                start.elapsed().as_secs_f32()
            )),
            Err(error) => {
                say(format!("virtual machine {name}: {error:#}"));
                failed.push(name);
            }
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        bail!("failed in virtual machines: {}", failed.join(", "))
    }
}

fn build() -> Result<Programs> {
    let driftline = cargo::driftline_for_tests()?;
    let tests = cargo::executables(&["test", "--package", "driftline-tests", "--no-run"])?;
    let ours = |executable: &Executable| {
        executable.path != driftline
            && !ON_A_NODE.iter().any(|name| executable.name.starts_with(name))
    };
    let mut tests: Vec<_> = tests.into_iter().filter(ours).collect();
    tests.sort_by(|one, other| one.name.cmp(&other.name));
    ensure!(
        tests.iter().any(|executable| executable.is_test),
        "package driftline-tests has no test"
    );
    Ok(Programs { driftline, tests })
}

fn one_machine(
    kernel: &str,
    append: &str,
    tests: Tests,
    programs: &Programs,
    options: &Options,
) -> Result<()> {
    let directory = directory()?;
    let kernel = kernel::fetch(kernel, &directory)?;
    let initramfs = guest::build(&directory.join("guest"), &kernel, programs, tests, options)?;
    let machine = boot::Machine {
        emulator: &Emulator::fetch(&directory)?,
        kernel: &kernel.image,
        initramfs: &initramfs,
        append,
        log: &directory.join(format!("console-{}.log", slug(&[kernel.name, append].join(" ")))),
        timeout: Duration::from_secs(options.timeout),
        counting: false,
    };
    let names = programs.run_in(tests).map(|(test, _)| test.name.as_str());
    boot::run(&machine)?.judge(names)
}

/// Runs a script with these programs and unpacked packages in a machine whose clock counts instructions, and returns what it told
/// the runner. There is hardly more in it than they need: what is unpacked at boot takes time too.
pub(crate) fn run_counting(
    kernel: &str,
    programs: &[PathBuf],
    packages: &[PathBuf],
    script: &str,
    timeout: Duration,
) -> Result<Vec<String>> {
    let directory = directory()?;
    let kernel = kernel::fetch(kernel, &directory)?;
    let root = directory.join("guest-counting");
    let initramfs = guest::build_small(&root, &kernel, programs, packages, script)?;
    let machine = boot::Machine {
        emulator: &Emulator::fetch(&directory)?,
        kernel: &kernel.image,
        initramfs: &initramfs,
        append: "",
        log: &directory.join(format!("console-counting-{}.log", kernel.name)),
        timeout,
        counting: true,
    };
    boot::run(&machine)?.said()
}

/// What a package and its dependencies hold, in a directory of its own: downloaded once, never installed.
pub(crate) fn unpacked(package: &str) -> Result<PathBuf> {
    let directory = directory()?.join(package);
    if !directory.exists() {
        say(format!("set-up: downloading package `{package}`, unpacked only"));
        let partial = partial(&directory)?;
        setup::unpack(package, &partial)?;
        fs::rename(partial, &directory)?;
    }
    Ok(directory)
}

/// A path as a shell's word.
pub(crate) fn quoted(path: &Path) -> String {
    guest::quote(&path.to_string_lossy())
}

/// Where everything of virtual machines lies, below the target directory that this program was built into.
pub(crate) fn directory() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2);
    Ok(target
        .with_context(|| format!("no target directory above {}", program.display()))?
        .join("vm"))
}

/// An empty directory to fill something in before it gets its name, so that what has the name is whole.
pub(crate) fn partial(directory: &Path) -> Result<PathBuf> {
    let partial = directory.with_added_extension("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    fs::create_dir_all(&partial)?;
    Ok(partial)
}

/// The directory of the package whose tests run.
fn tests_directory() -> PathBuf {
    sh::workspace().join("tests")
}

fn slug(text: &str) -> String {
    text.trim().replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "-")
}
