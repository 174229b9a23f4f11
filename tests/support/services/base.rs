//! What the images of all services are built on: a Debian with the tools that an image usually has.

use std::{fmt::Write as _, fs};

use xtask::oci::{Built, Image};

/// The packages of the smallest useful Debian.
const PACKAGES: &[&str] = &[
    "base-files",
    "coreutils",
    "dash",
    "debianutils",
    "findutils",
    "grep",
    "gzip",
    "hostname",
    "libc-bin",
    "mawk",
    "sed",
    "tar",
];

/// A user of the image, and of the group with the same name and number.
pub(super) struct User(pub(super) &'static str, pub(super) u32);

/// An image of this name, with a package, whose version is its tag, and others besides the usual tools.
pub(super) fn image(
    name: &str,
    package: &str,
    more: &[&str],
    without: &[&str],
    users: &[User],
) -> Image {
    let version = xtask::oci::version(package).unwrap_or_else(|error| panic!("{error:#}"));
    let tag: String = version
        .chars()
        .map(|char| if char.is_ascii_alphanumeric() || char == '.' { char } else { '-' })
        .collect();
    let mut passwd =
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n".to_owned();
    let mut group = "root:x:0:\nnogroup:x:65534:\n".to_owned();
    for User(name, number) in users {
        writeln!(passwd, "{name}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin")
            .and_then(|()| writeln!(group, "{name}:x:{number}:"))
            .expect("a string takes everything");
    }
    let packages = [PACKAGES, &[package], more].concat();
    Image::new(format!("registry.test/services/{name}:{tag}"))
        .packages(&packages, without)
        .unwrap_or_else(|error| panic!("{error:#}"))
        .link("/etc/localtime", "/usr/share/zoneinfo/Etc/UTC")
        .link("/usr/bin/awk", "mawk")
        .link("/bin/sh", "dash")
        .file("/etc/passwd", 0o644, passwd)
        .file("/etc/group", 0o644, group)
        .file("/etc/shadow", 0o600, "root:*:19000:0:99999:7:::\n")
        .directory("/run", 0o755)
        .directory("/root", 0o700)
        .directory("/tmp", 0o1777)
}

/// Builds an image in memory.
pub(super) fn built(image: Image) -> Built {
    image.build().expect("images are built in memory")
}

/// A file of a service's directory, put into its image.
pub(super) fn asset(path: &str) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/support/services/").to_owned() + path;
    fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
