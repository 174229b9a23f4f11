//! Builds the kernel side into `OUT_DIR/profiler-ebpf`, with whichever toolchain this machine has.

#[path = "../xtask/src/pinned.rs"]
#[expect(dead_code, reason = "the rest is for the set-up")]
mod pinned;
#[path = "../xtask/src/toolchain.rs"]
mod toolchain;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail, ensure};
use toolchain::Toolchain;

/// What the outer cargo sets for this script or for clippy, and what would reach into the inner build.
const OUTER: &[&str] = &[
    "CARGO_BUILD_RUSTC",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "LD_LIBRARY_PATH",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
    "TARGET",
];

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={}", format!("{error:#}").replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<()> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let out =
        PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR for build scripts")?);
    // A migration that is added is not seen by the macro that embeds them.
    let migrations = "profiler-user/migrations";
    for input in ["Cargo.toml", "Cargo.lock", "profiler-common", "profiler-ebpf", migrations] {
        println!("cargo::rerun-if-changed={}", workspace.join(input).display());
    }
    println!("cargo::rerun-if-env-changed={}", pinned::TOOLCHAIN_VARIABLE);

    let linker = toolchain::bpf_linker();
    let toolchain = toolchain::choose(linker.as_deref())?;
    let (Some(linker), Some(toolchain)) = (linker, toolchain) else {
        bail!("{}", missing()?);
    };
    match toolchain {
        Toolchain::Nightly => with_nightly(&linker, &workspace)?,
        Toolchain::Debian => with_debian(&linker, &out)?,
    }
    without_debug_information(&out.join(pinned::EBPF_CRATE))
}

/// What the linker made the BTF from is nine tenths of the object, and would be in memory with it.
fn without_debug_information(path: &Path) -> Result<()> {
    let linked = std::fs::read(path)?;
    let mut object = object::build::elf::Builder::read64(linked.as_slice())
        .with_context(|| format!("{} is no object", path.display()))?;
    for section in &mut object.sections {
        let name = section.name.to_string();
        section.delete = name.starts_with(".debug_") || name.starts_with(".rel.debug_");
    }
    object.delete_orphans();
    // The linker keeps the names of sections with those of symbols, which this writer does not.
    let names = object.sections.add();
    names.name = ".shstrtab".into();
    names.sh_type = object::elf::SHT_STRTAB;
    names.data = object::build::elf::SectionData::SectionString;
    let mut stripped = Vec::new();
    object.write(&mut stripped).context("writing the object without its debug information")?;
    Ok(std::fs::write(path, stripped)?)
}

/// The usual way of aya projects; `aya-build` compiles `core` for eBPF from `rust-src`.
fn with_nightly(linker: &Path, workspace: &Path) -> Result<()> {
    let directory = linker.parent().context("a program's path has a directory")?;
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([directory.to_owned()].into_iter().chain(env::split_paths(&path)))?;
    // SAFETY: this script has a single thread.
    unsafe {
        for name in OUTER {
            env::remove_var(name);
        }
        env::set_var("PATH", path);
    }
    let root_dir = workspace.join(pinned::EBPF_CRATE);
    let root_dir = root_dir.to_str().context("the workspace's path is not UTF-8")?;
    let package =
        aya_build::Package { name: pinned::EBPF_CRATE, root_dir, ..aya_build::Package::default() };
    aya_build::build_ebpf([package], aya_build::Toolchain::Nightly)
}

/// Debian's compiler is a stable one that has a compiled `core` for eBPF, which `aya-build` does not know.
fn with_debian(linker: &Path, out: &Path) -> Result<()> {
    let target_dir = out.join("ebpf-target");
    let mut flags = OsString::from("-Clinker=");
    flags.push(linker);
    flags.push("\x1f-Clink-arg=--btf\x1f-Cdebuginfo=2");

    let mut cargo =
        Command::new(env::var_os("CARGO").context("cargo sets CARGO for build scripts")?);
    for name in OUTER {
        cargo.env_remove(name);
    }
    let status = cargo
        .args([
            "build",
            "--release",
            "--package",
            pinned::EBPF_CRATE,
            "--target",
            pinned::BPF_TARGET,
        ])
        .arg("--target-dir")
        .arg(&target_dir)
        .env("RUSTC", pinned::DEBIAN_RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        .status()
        .context("cargo did not start for the kernel side")?;
    ensure!(
        status.success(),
        "building the kernel side ({}) failed, see above",
        pinned::EBPF_CRATE
    );

    let object = target_dir.join(pinned::BPF_TARGET).join("release").join(pinned::EBPF_CRATE);
    std::fs::copy(&object, out.join(pinned::EBPF_CRATE))
        .with_context(|| format!("the built kernel side is not at {}", object.display()))?;
    Ok(())
}

fn missing() -> Result<String> {
    let [major, minor, patch] = pinned::BPF_LINKER;
    let wanted = match toolchain::forced()? {
        Some(Toolchain::Nightly) => "rustup's nightly with `rust-src`",
        Some(Toolchain::Debian) => "Debian's rustc with a `core` for eBPF",
        None => "rustup's nightly with `rust-src`, or Debian's rustc with a `core` for eBPF",
    };
    Ok(format!(
        "no toolchain here can build Driftline's kernel side. It takes {wanted}, and bpf-linker \
         {major}.{minor}.{patch} or newer, built for that compiler's LLVM. \
         `cargo xtask setup` finds or installs them."
    ))
}
