//! Which toolchain on this machine can build the kernel side.
//!
//! Two can. Most people have rustup's nightly with `rust-src`, which compiles `core` for eBPF on the way. Debian
//! ships a compiler together with a `core` already compiled for eBPF. The build script of `profiler-user` includes
//! this file, so it decides exactly as the set-up does.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::pinned;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// rustup's nightly with `rust-src`.
    Nightly,
    /// Debian's compiler with a compiled `core` for eBPF.
    Debian,
}

/// What the user forces through `DRIFTLINE_EBPF_TOOLCHAIN`.
pub(crate) fn forced() -> Result<Option<Toolchain>> {
    match env::var(pinned::TOOLCHAIN_VARIABLE).as_deref() {
        Err(_) | Ok("") => Ok(None),
        Ok("nightly") => Ok(Some(Toolchain::Nightly)),
        Ok("debian") => Ok(Some(Toolchain::Debian)),
        Ok(other) => {
            bail!("{} is `{other}`; it must be `nightly` or `debian`", pinned::TOOLCHAIN_VARIABLE)
        }
    }
}

/// The toolchain to use with this linker, if one is here. A linker cannot read bitcode newer than its own LLVM.
pub(crate) fn choose(linker: Option<&Path>) -> Result<Option<Toolchain>> {
    let usable = |toolchain| {
        let llvm = match toolchain {
            Toolchain::Nightly => nightly_llvm(),
            Toolchain::Debian => debian_llvm(),
        };
        llvm.is_some_and(|llvm| linker.and_then(linker_llvm).is_none_or(|reads| reads >= llvm))
    };
    Ok(match forced()? {
        Some(toolchain) => usable(toolchain).then_some(toolchain),
        None => [Toolchain::Nightly, Toolchain::Debian].into_iter().find(|t| usable(*t)),
    })
}

/// `bpf-linker`, in a version that will do, also where cargo's own directory is not on `PATH`.
pub(crate) fn bpf_linker() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(cargo_bin())
        .map(|directory| directory.join("bpf-linker"))
        .filter(|linker| linker.is_file())
        .find(|linker| version(linker).is_some_and(|version| version >= pinned::BPF_LINKER))
}

/// LLVM's major version in rustup's nightly; none without that toolchain or its `rust-src`.
pub(crate) fn nightly_llvm() -> Option<u32> {
    let rustup = |arguments: &[&str]| {
        let mut rustup = Command::new("rustup");
        rustup.args(["run", "nightly", "rustc"]).args(arguments);
        output(&mut rustup)
    };
    let sysroot = rustup(&["--print", "sysroot"])?;
    let core = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core/Cargo.toml");
    core.is_file().then(|| rustup(&["-vV"]).and_then(|text| llvm_in(&text)))?
}

/// LLVM's major version in Debian's compiler; none without that compiler or its `core` for eBPF.
pub(crate) fn debian_llvm() -> Option<u32> {
    let rustc = || Command::new(pinned::DEBIAN_RUSTC);
    let libraries =
        output(rustc().args(["--print", "target-libdir", "--target", pinned::BPF_TARGET]))?;
    let has_core = std::fs::read_dir(libraries.trim())
        .ok()?
        .flatten()
        .any(|file| file.file_name().to_string_lossy().starts_with("libcore-"));
    has_core.then(|| output(rustc().arg("-vV")).and_then(|text| llvm_in(&text)))?
}

fn cargo_bin() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| Some(env::home_dir()?.join(".cargo"))).map(|home| home.join("bin"))
}

fn version(linker: &Path) -> Option<[u32; 3]> {
    let text = output(Command::new(linker).arg("--version"))?;
    let mut numbers = text.split_whitespace().nth(1)?.split(['.', '-']).map(str::parse);
    Some([numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?])
}

/// The LLVM that a linker loads; none for a statically linked one, which came built for some toolchain.
fn linker_llvm(linker: &Path) -> Option<u32> {
    let libraries = output(Command::new("ldd").arg(linker))?;
    leading_number(
        libraries.split_once("libLLVM.so.").or_else(|| libraries.split_once("libLLVM-"))?.1,
    )
}

fn llvm_in(rustc_version: &str) -> Option<u32> {
    leading_number(rustc_version.split_once("LLVM version: ")?.1)
}

fn leading_number(text: &str) -> Option<u32> {
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// What a program printed; none where it is missing or failed. Cargo's own settings must not reach it.
fn output(command: &mut Command) -> Option<String> {
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("LD_LIBRARY_PATH");
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}
