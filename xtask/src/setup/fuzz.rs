//! What fuzzing needs besides building: cargo-fuzz, and a C++ compiler for the runtime of libFuzzer.

use anyhow::{Context as _, Result};

use super::apt;
use crate::{cargo, pinned, sh};

pub(super) fn set_up() -> Result<()> {
    apt::install("what builds the fuzzer", pinned::FUZZER_COMPILER)?;
    if sh::output(cargo::cargo().args(["fuzz", "--version"])).is_ok() {
        return Ok(());
    }
    let version = pinned::CARGO_FUZZ;
    sh::say(format!("set-up: installing cargo-fuzz {version}, some minutes"));
    let install = ["install", "cargo-fuzz", "--quiet", "--locked", "--version", version];
    // The workspace's target directory is not the place for somebody else's program.
    let installed = sh::output(cargo::cargo().args(install).env_remove("CARGO_TARGET_DIR"));
    installed.map(drop).context("cargo-fuzz, which runs the fuzz targets, could not be installed")
}
