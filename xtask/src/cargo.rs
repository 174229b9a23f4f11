//! Cargo, and the executables that it says it built.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::sh;

/// One executable of ours.
pub(crate) struct Executable {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Whether it is a test harness rather than a program.
    pub(crate) is_test: bool,
}

#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    target: Option<Target>,
    profile: Option<Profile>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// The same cargo that runs this program, without what it told this program of itself: some build scripts ask for that,
/// and what depends on them would be built anew whenever cargo is called from elsewhere.
pub(crate) fn cargo() -> Command {
    let mut command = sh::command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| OWN.iter().any(|own| name.starts_with(own))) {
            command.env_remove(name);
        }
    }
    command
}

/// How the variables begin that `cargo run` sets.
const OWN: &[&str] =
    &["CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_PRIMARY_"];

/// The `driftline` binary, built with the development profile or for release.
pub(crate) fn driftline(release: bool) -> Result<PathBuf> {
    let mut arguments = vec!["build", "--package", "profiler-user", "--bin", "driftline"];
    arguments.extend(release.then_some("--release"));
    find_driftline(executables(&arguments)?)
}

/// The same with the development profile, as the tests have it: cargo chooses features for all packages of one command, and
/// the tests would build everything anew after a `driftline` for itself.
pub(crate) fn driftline_for_tests() -> Result<PathBuf> {
    find_driftline(executables(&[
        "build",
        "--package",
        "profiler-user",
        "--package",
        "driftline-tests",
        "--bins",
    ])?)
}

fn find_driftline(built: Vec<Executable>) -> Result<PathBuf> {
    let driftline = built.into_iter().find(|executable| executable.name == "driftline");
    Ok(driftline.context("cargo built no executable named `driftline`")?.path)
}

/// What a cargo command builds; compiler messages go to the person.
pub(crate) fn executables(arguments: &[&str]) -> Result<Vec<Executable>> {
    let mut child = cargo()
        .args(arguments)
        .arg("--message-format=json-render-diagnostics")
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo did not start")?;
    let stdout = child.stdout.take().context("cargo's output was asked for")?;
    let mut executables = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let message: Message = serde_json::from_str(&line?).context("cargo printed no JSON")?;
        if let Message { executable: Some(path), target: Some(target), profile } = message {
            let is_test = profile.is_some_and(|profile| profile.test);
            executables.push(Executable { name: target.name, path, is_test });
        }
    }
    let status = child.wait().context("cargo was lost")?;
    ensure!(status.success(), "`cargo {}` failed ({status})", arguments.join(" "));
    Ok(executables)
}
