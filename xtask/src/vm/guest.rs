//! The guest's root directory, as an initramfs.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};

use super::contents::{ACCOUNTS, EMPTY, EXTRA, LINKS, MERGED, PACKAGES, SKIPPED, compiler};
use super::kernel::Kernel;
use super::matrix::Tests;
use super::{Options, Programs};
use crate::{libraries, sh};

/// Builds the initramfs for one run.
pub(super) fn build(
    root: &Path,
    kernel: &Kernel,
    programs: &Programs,
    tests: Tests,
    options: &Options,
) -> Result<PathBuf> {
    let mut guest = Guest::new(root)?;
    for path in packaged(PACKAGES)? {
        guest.add(&path)?;
    }
    for path in EXTRA {
        guest.add_tree(Path::new(path))?;
    }
    for path in compiler()? {
        guest.add(&path)?;
    }
    guest.add_tree(&super::tests_directory())?;
    attacked(root)?;
    guest.add_ours(&programs.driftline)?;
    for test in &programs.tests {
        guest.add_ours(&test.path)?;
    }
    finish(guest, kernel, &run_script(programs, tests, options))
}

/// Adds what `tests/attacks.rs` attacks: the worker of the tests' image, also as a set-user-id program.
fn attacked(root: &Path) -> Result<()> {
    let source = super::tests_directory().join("support/attacks/image/worker.c");
    let programs = root.join("usr/local/bin");
    fs::create_dir_all(&programs)?;
    let worker = programs.join("worker");
    sh::run(sh::command("cc").args(["-O1", "-Wall", "-Wextra", "-o"]).arg(&worker).arg(source))?;
    let elevated = programs.join("elevated");
    fs::copy(&worker, &elevated)?;
    Ok(fs::set_permissions(elevated, fs::Permissions::from_mode(0o4755))?)
}

/// Builds an initramfs with these programs and unpacked packages alone, and what runs a script.
pub(super) fn build_small(
    root: &Path,
    kernel: &Kernel,
    programs: &[PathBuf],
    packages: &[PathBuf],
    script: &str,
) -> Result<PathBuf> {
    let mut guest = Guest::new(root)?;
    for path in packaged(&["busybox-static"])? {
        guest.add(&path)?;
    }
    for program in ["/usr/bin/chrt", "/usr/bin/setpriv", "/usr/bin/unshare"] {
        guest.add(Path::new(program))?;
    }
    for program in programs {
        guest.add_ours(program)?;
    }
    // Where daemons put their process ids.
    symlink("/run", root.join("var/run"))?;
    for package in packages {
        guest.add_unpacked(package)?;
    }
    finish(guest, kernel, script)
}

/// Adds what every guest has, and packs it.
fn finish(mut guest: Guest<'_>, kernel: &Kernel, script: &str) -> Result<PathBuf> {
    let root = guest.root;
    for library in libraries::of(&guest.elf)? {
        guest.add(&library)?;
    }
    for (link, target) in LINKS {
        let link = root.join(link);
        fs::create_dir_all(link.parent().context("a link lies in a directory")?)?;
        symlink(target, link)?;
    }
    for (path, text) in ACCOUNTS {
        guest.write(path, text, 0o644)?;
    }
    fs::set_permissions(root.join("etc/shadow"), fs::Permissions::from_mode(0o640))?;
    guest.write("init", include_str!("init.sh"), 0o755)?;
    guest.write("driftline/run.sh", script, 0o755)?;
    for module in &kernel.modules {
        let name = module.file_name().context("a module has a name")?;
        fs::copy(module, root.join("driftline").join(name))
            .with_context(|| format!("{} cannot be copied", module.display()))?;
    }
    pack(root)
}

/// A shell's word.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What the guest runs: each test program, telling the runner how it ended.
fn run_script(programs: &Programs, tests: Tests, options: &Options) -> String {
    let quoted = |path: &Path| quote(&path.to_string_lossy());
    let directory = super::tests_directory();
    let arguments: Vec<_> = options.arguments.iter().map(|argument| quote(argument)).collect();
    let head = format!(
        "export DRIFTLINE_IN_VM=1 DRIFTLINE_REQUIRE_KERNEL=1 DRIFTLINE_REPEAT={} DRIFTLINE_BIN={} CARGO_MANIFEST_DIR={}\ncd {}\n",
        options.repeat,
        quoted(&programs.driftline),
        quoted(&directory),
        quoted(&directory),
    );
    let runs = programs.run_in(tests).map(|(test, filters)| {
        let (name, path) = (quote(&test.name), quoted(&test.path));
        format!("run_test {name} {path} {} {}\n", filters.join(" "), arguments.join(" "))
    });
    [head].into_iter().chain(runs).collect()
}

/// The files of those packages that this machine has.
fn packaged(packages: &[&str]) -> Result<Vec<PathBuf>> {
    let mut query = sh::command("dpkg-query");
    query
        .args(["--show", "--showformat", "${db:Status-Status} ${binary:Package}\n"])
        .args(packages);
    // It fails when one pattern fits nothing, yet prints what fits the others.
    let query = query.stderr(Stdio::null()).output().context("`dpkg-query` did not start")?;
    let listed = String::from_utf8(query.stdout)?;
    let packages = listed.lines().filter_map(|line| line.strip_prefix("installed "));
    let files = sh::output(sh::command("dpkg-query").arg("--listfiles").args(packages))?;
    let wanted = |path: &&str| {
        path.starts_with('/') && !SKIPPED.iter().any(|skipped| path.starts_with(skipped))
    };
    Ok(files.lines().filter(wanted).map(PathBuf::from).collect())
}

/// Writes the archive that the kernel unpacks.
fn pack(root: &Path) -> Result<PathBuf> {
    let archive = root.with_extension("cpio");
    let output = fs::File::create(&archive)?;
    let mut find = sh::command("find");
    let mut find = find.current_dir(root).args([".", "-print0"]).stdout(Stdio::piped()).spawn()?;
    let names = find.stdout.take().context("the output was asked for")?;
    let mut cpio = sh::command("cpio");
    cpio.current_dir(root).args([
        "--null",
        "--create",
        "--format=newc",
        "--quiet",
        "--owner=+0:+0",
    ]);
    sh::run(cpio.args(["--block-size=2048"]).stdin(names).stdout(output))?;
    ensure!(find.wait()?.success(), "`find` failed in {}", root.display());
    Ok(archive)
}

/// A root directory in the making.
struct Guest<'a> {
    root: &'a Path,
    /// Files here whose libraries the guest needs too.
    elf: Vec<PathBuf>,
}

impl<'a> Guest<'a> {
    fn new(root: &'a Path) -> Result<Self> {
        if root.exists() {
            fs::remove_dir_all(root)
                .with_context(|| format!("{} cannot be removed", root.display()))?;
        }
        for directory in EMPTY.iter().chain(&["etc", "driftline"]) {
            fs::create_dir_all(root.join(directory))?;
        }
        for name in MERGED {
            fs::create_dir_all(root.join("usr").join(name))?;
            symlink(Path::new("usr").join(name), root.join(name))?;
        }
        Ok(Self { root, elf: Vec::new() })
    }

    /// Adds a file, a link with what it leads to, or an empty directory, at the path it has here.
    fn add(&mut self, path: &Path) -> Result<()> {
        let Ok(metadata) = fs::symlink_metadata(path) else {
            return Ok(());
        };
        let inside = self.inside(path)?;
        if metadata.is_dir() {
            fs::create_dir_all(inside)?;
        } else if inside.symlink_metadata().is_err() {
            if metadata.is_symlink() {
                let target = fs::read_link(path)?;
                symlink(&target, &inside)?;
                self.add(&path.with_file_name(&target))?;
            } else if metadata.is_file() {
                fs::copy(path, &inside)
                    .with_context(|| format!("{} cannot be copied", path.display()))?;
                self.note(path);
            }
        }
        Ok(())
    }

    /// Adds a directory with everything in it.
    fn add_tree(&mut self, path: &Path) -> Result<()> {
        self.add(path)?;
        if path.is_dir() && !path.is_symlink() {
            for entry in fs::read_dir(path)? {
                self.add_tree(&entry?.path())?;
            }
        }
        Ok(())
    }

    /// Adds an executable that cargo built, without the debug information that would fill the guest's memory.
    fn add_ours(&mut self, path: &Path) -> Result<()> {
        let inside = self.inside(path)?;
        sh::run(sh::command("strip").arg("--strip-debug").arg("-o").arg(inside).arg(path))?;
        self.note(path);
        Ok(())
    }

    /// Adds what was unpacked below a directory, at the path it would be installed to.
    fn add_unpacked(&mut self, package: &Path) -> Result<()> {
        // What a directory holds comes after it.
        let found = sh::output(sh::command("find").arg(package).args(["-mindepth", "1"]))?;
        for file in found.lines().map(Path::new) {
            let path = Path::new("/").join(file.strip_prefix(package)?);
            if SKIPPED.iter().any(|skipped| path.starts_with(skipped)) {
                continue;
            }
            let inside = self.root.join(path.strip_prefix("/")?);
            if file.is_symlink() {
                symlink(fs::read_link(file)?, inside)?;
            } else if file.is_dir() {
                fs::create_dir_all(inside)?;
            } else {
                fs::copy(file, inside)
                    .with_context(|| format!("{} cannot be copied", file.display()))?;
                self.note(file);
            }
        }
        Ok(())
    }

    fn note(&mut self, path: &Path) {
        if libraries::is_elf(path) {
            self.elf.push(path.to_owned());
        }
    }

    /// Where something goes, its directory made. Links on the way are resolved, so that it lands where it is here.
    fn inside(&self, path: &Path) -> Result<PathBuf> {
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(self.root.to_owned());
        };
        let directory = directory
            .canonicalize()
            .with_context(|| format!("{} cannot be found", directory.display()))?;
        let directory = self.root.join(directory.strip_prefix("/")?);
        fs::create_dir_all(&directory)?;
        Ok(directory.join(name))
    }

    fn write(&self, path: &str, text: &str, mode: u32) -> Result<()> {
        let path = self.root.join(path);
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        Ok(())
    }
}
