//! `cargo xtask setup`: finds what Driftline needs, installs what is missing. A second run does nothing.

mod apt;
mod ebpf;
mod fuzz;
mod services;

use anyhow::Result;

use crate::{pinned, sh, vm};

pub(crate) use apt::{fetch, unpack};

/// What `cargo xtask test` needs, which is everything.
pub(crate) fn setup() -> Result<()> {
    for_demo()?;
    apt::install("what the tests run", pinned::TESTS)?;
    vm::set_up()
}

/// What `cargo xtask workloads` needs besides.
pub(crate) fn for_workloads() -> Result<()> {
    for_demo()?;
    apt::install("what the tests run", pinned::TESTS)?;
    apt::install("what builds a kernel", pinned::KERNEL_BUILD)
}

/// What `cargo xtask baselines` needs.
pub(crate) fn for_services() -> Result<()> {
    for_demo()?;
    apt::install("what the tests run", pinned::TESTS)
}

/// What `cargo xtask fuzz` needs.
pub(crate) fn for_fuzzing() -> Result<()> {
    for_build()?;
    fuzz::set_up()
}

/// What `cargo xtask demo` needs.
pub(crate) fn for_demo() -> Result<()> {
    for_build()?;
    apt::install("what the demo runs", pinned::DEMO)
}

/// What building Driftline needs.
pub(crate) fn for_build() -> Result<()> {
    let toolchain = ebpf::set_up()?;
    sh::say(format!("set-up: {toolchain} builds the kernel side"));
    Ok(())
}
