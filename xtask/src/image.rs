//! `cargo xtask image`: the node agent's container image.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::sh::say;
use crate::{cargo, oci, setup, sh};

/// The version of everything in this workspace.
const VERSION: &str = env!("CARGO_PKG_VERSION");

#[derive(Args)]
pub(crate) struct Options {
    /// The directory that gets the image [default: target/image]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Take a binary that was built with the development profile, which is quicker to build
    #[arg(long)]
    debug: bool,
}

pub(crate) fn image(options: &Options) -> Result<()> {
    setup::for_build()?;
    let driftline = cargo::driftline(!options.debug)?;
    let directory =
        options.output.clone().unwrap_or_else(|| sh::workspace().join("target").join("image"));
    fs::create_dir_all(&directory)
        .with_context(|| format!("{} cannot be made", directory.display()))?;
    let path = directory.join(format!("driftline-{VERSION}.tar"));
    let image = oci::agent(&driftline, VERSION)?.build()?;
    oci::write_archive(&path, std::slice::from_ref(&image))?;

    #[expect(clippy::cast_precision_loss, reason = "for a person, to a tenth")]
    let megabytes = fs::metadata(&path)?.len() as f64 / 1e6;
    let path = path.display();
    say(format!("image      {}", image.reference()));
    say(format!("digest     {}", image.digest()));
    say(format!("archive    {path}, {megabytes:.1} MB"));
    say(format!("containerd ctr -n k8s.io image import {path}"));
    say(format!("podman     podman load --input {path}"));
    say(format!("kind       kind load image-archive {path}"));
    Ok(())
}
