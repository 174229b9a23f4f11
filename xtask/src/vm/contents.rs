//! What a guest's root directory holds besides our own programs.

use std::path::PathBuf;

use anyhow::Result;

use crate::sh;

/// Debian packages whose files the guest gets from this machine, as patterns; those not installed are left out.
pub(super) const PACKAGES: &[&str] = &[
    "base-files",
    "bash",
    "busybox-static",
    "coreutils",
    "crun",
    "dash",
    "diffutils",
    "dpkg",
    "findutils",
    "grep",
    "hostname",
    "iproute2",
    "libc-bin",
    "libnginx-mod-http-perl",
    "libpython3*-minimal",
    "libpython3*-stdlib",
    "make",
    "mawk",
    "media-types",
    "mount",
    "nginx",
    "nginx-common",
    "perl-base",
    "procps",
    "python3",
    "python3*-minimal",
    "sed",
    "tar",
    "util-linux",
];

/// Their files that nobody reads in a guest.
pub(super) const SKIPPED: &[&str] =
    &["/usr/share/doc", "/usr/share/info", "/usr/share/locale", "/usr/share/man"];

/// Files and directories that no package lists.
pub(super) const EXTRA: &[&str] =
    &["/etc/alternatives/awk", "/etc/ld.so.cache", "/etc/nginx", "/usr/bin/awk"];

/// Links that the guest has besides: where an embedded Perl finds the modules of `perl-base`.
pub(super) const LINKS: &[(&str, &str)] =
    &[("usr/local/lib/site_perl", "/usr/lib/x86_64-linux-gnu/perl-base")];

/// Where Debian's merged `/usr` has the old directories.
pub(super) const MERGED: &[&str] = &["bin", "lib", "lib32", "lib64", "libx32", "sbin"];

/// Directories that the guest mounts over or that programs expect.
pub(super) const EMPTY: &[&str] =
    &["dev", "proc", "root", "run", "sys", "tmp", "var/lib/nginx", "var/log/nginx", "var/tmp"];

/// Accounts of the guest: nobody can log in, and the secrets are nobody's.
pub(super) const ACCOUNTS: &[(&str, &str)] = &[
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\n\
         daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
         www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n\
         nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ),
    (
        "etc/group",
        "root:x:0:\ndaemon:x:1:\nadm:x:4:\nshadow:x:42:\nwww-data:x:33:\nnogroup:x:65534:\n",
    ),
    (
        "etc/shadow",
        "root:!:20000:0:99999:7:::\ndaemon:*:20000:0:99999:7:::\nwww-data:*:20000:0:99999:7:::\n",
    ),
    ("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    ("etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\n"),
];

/// What compiles C without a header: of the packages, of which most is for other languages and uses.
pub(super) fn compiler() -> Result<Vec<PathBuf>> {
    let mut files: Vec<_> =
        ["gcc", "as", "ld", "ar"].map(|name| PathBuf::from("/usr/bin").join(name)).into();
    let compiler = sh::output(sh::command("gcc").arg("-print-prog-name=cc1"))?;
    files.push(compiler.trim().into());
    Ok(files)
}
