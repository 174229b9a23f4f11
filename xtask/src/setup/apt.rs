//! Debian packages: looked for first, installed only when missing, never with their services started.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::services;
use crate::sh::{self, say};

/// Whether this is a Debian.
pub(super) fn is_here() -> bool {
    sh::output(sh::command("apt-get").arg("--version")).is_ok()
}

/// Whether a package could be installed.
pub(super) fn offers(package: &str) -> bool {
    is_here() && candidate(package)
}

/// Installs those of the packages that are not here yet.
pub(super) fn install(purpose: &str, packages: &[&str]) -> Result<()> {
    let missing = missing(packages);
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !is_here() {
        bail!(
            "{purpose}: this needs what Debian packages as `{list}`; install it by your system's means"
        );
    }
    if std::fs::metadata("/proc/self")?.uid() != 0 {
        bail!(
            "{purpose}: packages are missing. As root, run `apt-get install {list}`, then this again"
        );
    }
    say(format!("set-up: installing {purpose}: {list}"));
    let _denied = services::deny_start()?;
    with_fresh_lists(&missing, || {
        let mut apt = sh::command("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").env("NEEDRESTART_SUSPEND", "1");
        // Removing what the owner of the machine installed is not ours to decide.
        apt.args(["install", "--yes", "--quiet", "--no-install-recommends", "--no-remove"]);
        sh::output(
            apt.args(["-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=300"]).args(&missing),
        )
        .map(drop)
    })
    .with_context(|| format!("{purpose}: `{list}` could not be installed"))?;
    services::disable(&missing)
}

/// Downloads a package into an empty directory without installing it.
pub(crate) fn fetch(package: &str, into: &Path) -> Result<PathBuf> {
    download(package, into, || {
        let mut apt = sh::command("apt-get");
        apt.current_dir(into).args([
            "download",
            "--quiet",
            "-o",
            "APT::Sandbox::User=root",
            package,
        ]);
        apt
    })?
    .pop()
    .with_context(|| format!("`apt-get download {package}` left no package in {}", into.display()))
}

/// Downloads a package with what it needs that is not installed here, and unpacks all of it; installs nothing.
pub(crate) fn unpack(package: &str, into: &Path) -> Result<()> {
    let directory = into.join("archives");
    let mut archives = fetch_with_dependencies(package, &directory)?;
    if archives.is_empty() {
        // It is installed here, and so is what it needs.
        archives.push(fetch(package, &directory)?);
    }
    for archive in archives {
        sh::run(sh::command("dpkg-deb").arg("--extract").arg(&archive).arg(into))?;
    }
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

/// Downloads a package and what it needs that is not installed here; installs nothing.
fn fetch_with_dependencies(package: &str, into: &Path) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(into.join("partial"))?;
    download(package, into, || {
        let mut apt = sh::command("apt-get");
        apt.args([
            "install",
            "--download-only",
            "--yes",
            "--quiet",
            "--no-install-recommends",
            package,
        ]);
        apt.args(["-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=true", "-o"]);
        apt.arg(format!("Dir::Cache::archives={}", into.display()));
        apt
    })
}

fn download(package: &str, into: &Path, apt: impl Fn() -> Command) -> Result<Vec<PathBuf>> {
    if !is_here() {
        bail!("package `{package}` is fetched by `apt-get`, which this system lacks");
    }
    std::fs::create_dir_all(into)?;
    with_fresh_lists(&[package], || sh::output(&mut apt()).map(drop))
        .with_context(|| format!("package `{package}` could not be downloaded"))?;
    let files = std::fs::read_dir(into)?.map(|file| Ok(file?.path()));
    let is_package = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "deb");
    Ok(files.collect::<Result<Vec<_>>>()?.into_iter().filter(is_package).collect())
}

/// Runs something that needs apt's package lists; fetches them where they are missing or too old.
fn with_fresh_lists(packages: &[&str], action: impl Fn() -> Result<()>) -> Result<()> {
    if packages.iter().all(|package| candidate(package)) && action().is_ok() {
        return Ok(());
    }
    say("set-up: refreshing apt's package lists");
    sh::output(sh::command("apt-get").args([
        "update",
        "--quiet",
        "-o",
        "Acquire::http::Timeout=20",
    ]))
    .context("apt's package lists could not be refreshed; is there a network?")?;
    match packages.iter().find(|package| !candidate(package)) {
        Some(package) => bail!("this system's package sources have no package `{package}`"),
        None => action(),
    }
}

fn candidate(package: &str) -> bool {
    let policy = sh::output(sh::command("apt-cache").args(["policy", package]).env("LC_ALL", "C"));
    policy.is_ok_and(|text| text.contains("Candidate:") && !text.contains("Candidate: (none)"))
}

fn missing<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    let installed = |package: &str| {
        let mut query = sh::command("dpkg-query");
        query.args(["--show", "--showformat", "${db:Status-Status}", package]);
        sh::output(&mut query).is_ok_and(|status| status == "installed")
    };
    packages.iter().copied().filter(|package| !installed(package)).collect()
}
