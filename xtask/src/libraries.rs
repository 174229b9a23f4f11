//! The shared libraries that programs load.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::sh;

/// Whether a file is a program or a library.
pub fn is_elf(file: &Path) -> bool {
    let mut magic = [0; 4];
    File::open(file).and_then(|mut file| file.read_exact(&mut magic)).is_ok()
        && magic == *b"\x7fELF"
}

/// Everything that these files load, directly or not.
pub fn of(files: &[PathBuf]) -> Result<BTreeSet<PathBuf>> {
    // `ldd` fails for a static program among them, yet prints what it found for the others.
    let output = sh::command("ldd")
        .args(files)
        .env("LC_ALL", "C")
        .output()
        .context("`ldd` did not start")?;
    let text =
        String::from_utf8(output.stdout).context("`ldd` printed something other than UTF-8")?;
    // What this machine lacks ("not found") its programs do without; so do those in a guest or an image.
    let loaded = text.lines().filter(|line| line.starts_with('\t'));
    let words = loaded.flat_map(str::split_whitespace);
    Ok(words.filter(|word| word.starts_with('/')).map(PathBuf::from).collect())
}
