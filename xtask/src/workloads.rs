//! `cargo xtask workloads`: the promise about real work in full size. A kernel is built, Debian's packages are installed, a web
//! server is loaded, each with a thousand deviations. An hour on a quiet machine.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::sh::{self, say};
use crate::{cargo, pinned, setup, vm};

pub(crate) fn workloads() -> Result<()> {
    setup::for_workloads()?;
    let driftline = cargo::driftline(true)?;
    let sources = sources()?;
    let mut test = cargo::cargo();
    test.args(["test", "--package", "driftline-tests", "--test", "workloads", "--"]);
    // One at a time: each is to be measured alone, and what they share is done in the small size.
    test.args(["--test-threads=1", "--nocapture", "--skip", "all_of_it"]);
    sh::run(test.envs([
        ("DRIFTLINE_BIN", driftline.as_os_str()),
        ("DRIFTLINE_REQUIRE_KERNEL", "1".as_ref()),
        ("DRIFTLINE_WORKLOADS", sources.as_os_str()),
    ]))
}

/// Where the work's material lies, downloaded once: `linux`, and `packages`.
fn sources() -> Result<PathBuf> {
    let directory = vm::directory()?.with_file_name("workloads");
    if directory.exists() {
        return Ok(directory);
    }
    let partial = vm::partial(&directory)?;
    kernel(&partial)?;
    for package in pinned::INSTALLED {
        let archives = partial.join("archives");
        let archive = setup::fetch(package, &archives)?;
        let name = archive.file_name().context("an archive has a name")?;
        fs::create_dir_all(partial.join("packages"))?;
        fs::rename(&archive, partial.join("packages").join(name))?;
        fs::remove_dir_all(archives)?;
    }
    fs::rename(partial, &directory)?;
    Ok(directory)
}

/// Debian's kernel source, as `linux`.
fn kernel(into: &Path) -> Result<()> {
    let package = pinned::KERNEL_SOURCE;
    say(format!(
        "set-up: downloading the kernel's source (package `{package}`, 140 MB), unpacked only"
    ));
    let archives = into.join("archives");
    let archive = setup::fetch(package, &archives)?;
    let unpacked = archives.join("unpacked");
    sh::run(sh::command("dpkg-deb").arg("--extract").arg(&archive).arg(&unpacked))?;
    let tar = unpacked.join("usr/src").join(format!("{package}.tar.xz"));
    fs::create_dir_all(into.join("linux"))?;
    sh::run(
        sh::command("tar")
            .arg("--extract")
            .arg("--file")
            .arg(tar)
            .args(["--strip-components=1", "--directory"])
            .arg(into.join("linux")),
    )?;
    Ok(fs::remove_dir_all(archives)?)
}
