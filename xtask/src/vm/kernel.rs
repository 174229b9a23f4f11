//! Kernels out of Debian's packages, unpacked and never installed.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::sh::{self, say};
use crate::{pinned, setup};

/// Modules that the guest loads, in this order; everything else that tests need is built in.
const MODULES: &[&str] = &["overlay"];

pub(super) struct Kernel {
    pub(super) name: &'static str,
    pub(super) image: PathBuf,
    pub(super) modules: Vec<PathBuf>,
}

pub(super) fn names() -> Vec<&'static str> {
    pinned::KERNELS.iter().map(|(name, _)| *name).collect()
}

/// Downloads a kernel once; later runs need no network.
pub(super) fn fetch(name: &str, into: &Path) -> Result<Kernel> {
    let (name, package) = pinned::KERNELS
        .iter()
        .find(|(known, _)| *known == name)
        .with_context(|| format!("kernel {name} is not one of {}", names().join(", ")))?;
    let directory = into.join(format!("linux-{name}"));
    if !directory.exists() {
        say(format!("set-up: downloading Linux {name} (package `{package}`), unpacked only"));
        let partial = super::partial(&directory)?;
        unpack(package, &partial)?;
        fs::rename(&partial, &directory)?;
    }
    let image = find(&directory.join("boot"), "vmlinuz-")?;
    let modules = MODULES.iter().map(|module| directory.join(format!("{module}.ko"))).collect();
    Ok(Kernel { name, image, modules })
}

/// Unpacks the kernel that a package without contents of its own depends on.
fn unpack(package: &str, into: &Path) -> Result<()> {
    let pointer = setup::fetch(package, &into.join("pointer"))?;
    let depends = sh::output(sh::command("dpkg-deb").arg("--field").arg(&pointer).arg("Depends"))?;
    let real = depends
        .split_whitespace()
        .next()
        .with_context(|| format!("`{package}` names no kernel"))?;
    let archive = setup::fetch(real, &into.join("archive"))?;
    sh::run(sh::command("dpkg-deb").arg("--extract").arg(&archive).arg(into))?;
    for module in MODULES {
        let packed =
            sh::output(sh::command("find").arg(into).args(["-name", &format!("{module}.ko*")]))?;
        let packed =
            packed.lines().next().with_context(|| format!("`{real}` has no module {module}"))?;
        let plain = into.join(format!("{module}.ko"));
        if Path::new(packed).extension() == Some(OsStr::new("xz")) {
            let plain = fs::File::create(plain)?;
            sh::run(sh::command("xz").args(["--decompress", "--stdout", packed]).stdout(plain))?;
        } else {
            fs::copy(packed, plain)?;
        }
    }
    for done_with in ["pointer", "archive", "lib", "usr"] {
        let _: Result<(), _> = fs::remove_dir_all(into.join(done_with));
    }
    Ok(())
}

fn find(directory: &Path, prefix: &str) -> Result<PathBuf> {
    let unreadable =
        || format!("{} cannot be read; remove it to download it again", directory.display());
    let mut files = fs::read_dir(directory).with_context(unreadable)?.flatten();
    files
        .find(|file| file.file_name().to_string_lossy().starts_with(prefix))
        .map(|file| file.path())
        .with_context(|| format!("no {prefix}* in {}", directory.display()))
}
