//! Files of Debian packages, as they are installed on this machine.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::tree::Tree;
use crate::{libraries, sh};

/// What a program reads when somebody looks for help, not when it runs.
const LEFT_OUT: &[&str] = &[
    "/lib/systemd",
    "/usr/lib/systemd",
    "/usr/share/bash-completion",
    "/usr/share/doc",
    "/usr/share/doc-base",
    "/usr/share/info",
    "/usr/share/lintian",
    "/usr/share/locale",
    "/usr/share/man",
];

/// Directories that this machine may have as links to those below `/usr`.
const MERGED: &[&str] = &["/bin", "/lib", "/lib64", "/sbin"];

/// What a package of this machine installed, by its name and version.
pub fn version(package: &str) -> Result<String> {
    let mut query = sh::command("dpkg-query");
    query.args(["--show", "--showformat", "${Version}", package]);
    sh::output(&mut query)
        .with_context(|| format!("package `{package}` is not installed; run `cargo xtask setup`"))
}

impl Tree {
    /// Copies what packages brought, and whatever libraries their programs load, but nothing below `without`.
    pub(super) fn packages(&mut self, packages: &[&str], without: &[&str]) -> Result<()> {
        for path in MERGED.iter().map(Path::new).filter(|path| path.is_symlink()) {
            self.link(path, &fs::read_link(path)?);
        }
        let mut programs = Vec::new();
        for package in packages {
            for path in files(package)? {
                let is_below = |left_out: &&&str| path.starts_with(left_out);
                if LEFT_OUT.iter().chain(without).find(is_below).is_none() {
                    self.installed(&path, &mut programs)?;
                }
            }
        }
        for library in libraries::of(&programs)? {
            self.library(&library)?;
        }
        Ok(())
    }

    /// One path of a package. Configuration that the machine's owner removed is left out.
    fn installed(&mut self, path: &Path, programs: &mut Vec<PathBuf>) -> Result<()> {
        let Ok(meta) = path.symlink_metadata() else { return Ok(()) };
        if MERGED.iter().any(|merged| Path::new(merged) == path) || path == Path::new("/") {
            return Ok(());
        }
        // Behind the links to directories that this machine has on the way.
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
        let inside = fs::canonicalize(parent)
            .with_context(|| format!("{} cannot be found", parent.display()))?
            .join(name);
        if meta.is_dir() {
            self.directory(&inside, super::tree::mode(&meta));
        } else if meta.is_symlink() {
            self.link(&inside, &fs::read_link(path)?);
        } else {
            self.copy(&inside, path)?;
            if libraries::is_elf(path) {
                programs.push(path.to_owned());
            }
        }
        Ok(())
    }
}

fn files(package: &str) -> Result<Vec<PathBuf>> {
    let mut query = sh::command("dpkg-query");
    let listed = sh::output(query.args(["--listfiles", package])).with_context(|| {
        format!("package `{package}` is not installed; run `cargo xtask setup`")
    })?;
    Ok(listed.lines().filter(|line| line.starts_with('/')).map(PathBuf::from).collect())
}
