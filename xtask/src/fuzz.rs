//! `cargo xtask fuzz`: files as nobody would write them, made by a fuzzer, to what reads files of others.
//!
//! What it finds stays: an input that breaks something goes into the corpus, which the ordinary tests replay.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::sh::{self, say};
use crate::{cargo, setup};

/// A workspace of its own, with a directory for each target's corpus.
const PROJECT: &str = "tests/fuzz";

/// Where it is built, and where inputs are kept that reached something new.
const BUILT: &str = "target/fuzz";

/// Longer inputs reach nothing that shorter ones do not.
const LENGTH_MAX: u32 = 16 * 1024;

/// Seconds for one input: more is a loop that somebody else's file should not be able to start.
const PATIENCE: u32 = 20;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long to try each target
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// What to try; everything, where nothing is named
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
}

pub(crate) fn fuzz(options: &Options) -> Result<()> {
    let known = targets()?;
    let unknown = options.targets.iter().find(|target| !known.contains(target));
    if let Some(unknown) = unknown {
        bail!("there is no target {unknown:?}; there are {}", known.join(", "));
    }
    let targets = if options.targets.is_empty() { &known } else { &options.targets };
    setup::for_fuzzing()?;
    let sanitizer = sanitizer()?;
    sh::run(&mut cargo_fuzz(&["build", "--sanitizer", sanitizer]))?;
    let mut broken = Vec::new();
    for target in targets {
        say(format!("\n== {target}, {} s", options.seconds));
        let before = artifacts(target);
        if let Err(error) = run(target, sanitizer, options.seconds) {
            let found: Vec<_> = artifacts(target).difference(&before).cloned().collect();
            ensure!(!found.is_empty(), "{target}: {error:#}");
            broken.extend(found);
        }
    }
    if broken.is_empty() {
        return Ok(());
    }
    let named: Vec<_> = broken.iter().map(|path| path.display().to_string()).collect();
    bail!(
        "broken by {}: mend it, and keep the input in {PROJECT}/corpus, whose files the tests replay",
        named.join(", ")
    )
}

fn run(target: &str, sanitizer: &str, seconds: u64) -> Result<()> {
    // The first directory is written to, the second only read: the corpus in the tree stays small and chosen.
    let found = sh::workspace().join(BUILT).join("corpus").join(target);
    fs::create_dir_all(&found).with_context(|| format!("making {}", found.display()))?;
    let seeds = sh::workspace().join(PROJECT).join("corpus").join(target);
    let words = sh::workspace().join(PROJECT).join("words.dict");
    let mut fuzz = cargo_fuzz(&["run", "--sanitizer", sanitizer, target]);
    fuzz.args([&found, &seeds]).arg("--");
    fuzz.arg(format!("-max_total_time={seconds}")).arg(format!("-timeout={PATIENCE}"));
    fuzz.arg(format!("-max_len={LENGTH_MAX}")).arg(format!("-dict={}", words.display()));
    sh::run(fuzz.arg("-print_final_stats=1"))
}

/// `cargo fuzz` wants options that are called unstable, which a stable compiler has too.
fn cargo_fuzz(arguments: &[&str]) -> Command {
    let (action, rest) = arguments.split_first().expect("an action of cargo-fuzz");
    let mut cargo = cargo::cargo();
    cargo.args(["fuzz", action, "--fuzz-dir", PROJECT, "--target-dir", BUILT]);
    // By default there is one unit, and our own crate alone takes eight minutes.
    cargo.args(["--codegen-units", "16"]).args(rest);
    cargo.env("RUSTC_BOOTSTRAP", "1");
    cargo
}

/// With the address sanitizer where the toolchain brings its runtime. Without it panics and overflows are found all the same;
/// what it adds is what unsafe code and C do.
fn sanitizer() -> Result<&'static str> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let libraries = sh::output(sh::command(rustc).args(["--print", "target-libdir"]))?;
    let libraries = Path::new(libraries.trim());
    let is_runtime = |name: &str| name.ends_with("_rt.asan.a");
    let mut names = fs::read_dir(libraries)
        .with_context(|| format!("reading {}", libraries.display()))?
        .flatten()
        .map(|file| file.file_name().to_string_lossy().into_owned());
    if names.any(|name| is_runtime(&name)) {
        say("set-up: fuzzing with the address sanitizer");
        return Ok("address");
    }
    say(
        "set-up: fuzzing without a sanitizer: this toolchain brings no runtime of the address sanitizer",
    );
    Ok("none")
}

/// By the names of their files.
fn targets() -> Result<Vec<String>> {
    let directory = sh::workspace().join(PROJECT).join("targets");
    let files =
        fs::read_dir(&directory).with_context(|| format!("reading {}", directory.display()))?;
    let stem = |path: PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let mut targets: Vec<_> = files.flatten().filter_map(|file| stem(file.path())).collect();
    targets.sort();
    Ok(targets)
}

/// Inputs that broke a target.
fn artifacts(target: &str) -> BTreeSet<PathBuf> {
    let directory = Path::new(PROJECT).join("artifacts").join(target);
    let files = fs::read_dir(sh::workspace().join(&directory)).into_iter().flatten().flatten();
    files.map(|file| directory.join(file.file_name())).collect()
}
