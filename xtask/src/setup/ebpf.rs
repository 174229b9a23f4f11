//! The toolchain of the kernel side: a compiler with a `core` for eBPF, and a linker that reads its output.

use anyhow::{Context as _, Result, bail};

use super::apt;
use crate::toolchain::{self, Toolchain};
use crate::{cargo, pinned, sh};

/// Makes sure that the build script will find a toolchain, and says which.
pub(crate) fn set_up() -> Result<&'static str> {
    let linker = toolchain::bpf_linker();
    if linker.is_some()
        && let Some(found) = toolchain::choose(linker.as_deref())?
    {
        return Ok(name(found));
    }
    let llvm = compiler()?;
    install_linker(llvm)?;
    match toolchain::choose(toolchain::bpf_linker().as_deref())? {
        Some(found) => Ok(name(found)),
        None => bail!(
            "bpf-linker was installed, but no compiler was found that it fits; \
             please report this with the output of `rustup run nightly rustc -vV` and `{} -vV`",
            pinned::DEBIAN_RUSTC
        ),
    }
}

/// A compiler with `core` for eBPF, installed if need be, as the major version of its LLVM.
fn compiler() -> Result<u32> {
    let forced = toolchain::forced()?;
    if forced != Some(Toolchain::Debian) {
        match toolchain::nightly_llvm() {
            Some(llvm) if apt::offers(&llvm_package(llvm)) => return Ok(llvm),
            Some(llvm) if forced.is_some() || !apt::is_here() => bail!(
                "rustup's nightly can build the kernel side, but `bpf-linker` is missing or older than its \
                 LLVM {llvm}, and no package here offers that LLVM to build it with. Install a bpf-linker \
                 release for LLVM {llvm} as its README says, then run `cargo xtask setup` again"
            ),
            None if forced.is_some() || !apt::is_here() => bail!(
                "rustup's nightly with `rust-src`, which builds the kernel side, is missing. Run \
                 `rustup toolchain install nightly --component rust-src`, then `cargo xtask setup` again"
            ),
            Some(_) | None => {}
        }
    }
    apt::install("Debian's Rust compiler for eBPF", pinned::DEBIAN_COMPILER)?;
    toolchain::debian_llvm().with_context(|| {
        format!(
            "`{}` is not the compiler of the packages {}; is another one in its place?",
            pinned::DEBIAN_RUSTC,
            pinned::DEBIAN_COMPILER.join(" and ")
        )
    })
}

fn install_linker(llvm: u32) -> Result<()> {
    if !pinned::BPF_LINKER_LLVM.contains(&llvm) {
        bail!(
            "the compiler uses LLVM {llvm}, but bpf-linker knows LLVM {} to {} only; \
             `{}=debian cargo xtask setup` takes Debian's compiler with LLVM {} instead",
            pinned::BPF_LINKER_LLVM.start(),
            pinned::BPF_LINKER_LLVM.end(),
            pinned::TOOLCHAIN_VARIABLE,
            pinned::DEBIAN_LLVM
        );
    }
    let package = llvm_package(llvm);
    let packages: Vec<_> =
        [package.as_str()].into_iter().chain(pinned::DEBIAN_LINKER.iter().copied()).collect();
    apt::install("LLVM for bpf-linker", &packages)?;

    let version = pinned::BPF_LINKER.map(|number| number.to_string()).join(".");
    sh::say(format!("set-up: installing bpf-linker {version} for LLVM {llvm}, about a minute"));
    let path = std::env::var("PATH").unwrap_or_default();
    let install =
        ["install", "bpf-linker", "--quiet", "--locked", "--force", "--version", &version];
    let feature = format!("llvm-{llvm}");
    let log = sh::output(
        cargo::cargo()
            .args(install)
            .args(["--no-default-features", "--features", &feature])
            .env("PATH", format!("/usr/lib/llvm-{llvm}/bin:{path}"))
            // The workspace's target directory is not the place for somebody else's program.
            .env_remove("CARGO_TARGET_DIR"),
    );
    log.map(drop).context("bpf-linker, which links the kernel side, could not be installed")
}

fn llvm_package(llvm: u32) -> String {
    format!("llvm-{llvm}-dev")
}

fn name(toolchain: Toolchain) -> &'static str {
    match toolchain {
        Toolchain::Nightly => "rustup's nightly",
        Toolchain::Debian => "Debian's rustc",
    }
}
