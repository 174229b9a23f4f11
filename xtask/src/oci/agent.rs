//! The node agent's image: the `driftline` binary, what it loads, and nothing to start a shell with.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::Image;
use crate::sh;

/// Where Debian and most others keep the certificates that they trust.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

const DESCRIPTION: &str = "Records what containers do and says when they do anything else";

/// The image of a `driftline` binary, without its debug information.
pub fn agent(driftline: &Path, version: &str) -> Result<Image> {
    let stripped = tempfile::NamedTempFile::new()?;
    let mut strip = sh::command("strip");
    sh::run(strip.arg("--strip-debug").arg("-o").arg(stripped.path()).arg(driftline))
        .context("the binary is made small by `strip`, which comes with a C compiler")?;
    let mut image = Image::new(format!("localhost/driftline:{version}"))
        .program("/usr/bin/driftline", stripped.path())?
        .file("/etc/passwd", 0o644, "root:x:0:0:root:/:/usr/sbin/nologin\n")
        .file("/etc/group", 0o644, "root:x:0:\n")
        .directory("/tmp", 0o1777)
        .directory("/var/lib/driftline", 0o700)
        .entrypoint(&["/usr/bin/driftline"])
        .label("org.opencontainers.image.title", "Driftline")
        .label("org.opencontainers.image.description", DESCRIPTION)
        .label("org.opencontainers.image.licenses", env!("CARGO_PKG_LICENSE"))
        .label("org.opencontainers.image.version", version);
    if let Ok(certificates) = std::fs::read(CERTIFICATES) {
        image = image.file(CERTIFICATES, 0o644, certificates);
    }
    Ok(image)
}
