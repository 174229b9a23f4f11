//! `cargo xtask demo`: from a bare machine to the demo.

use anyhow::Result;

use crate::{cargo, setup, sh};

pub(crate) fn demo() -> Result<()> {
    setup::for_demo()?;
    let driftline = cargo::driftline(true)?;
    sh::run(sh::command(driftline).arg("demo"))
}
