//! The image that is attacked: a service in Python, with a shell, Perl and a worker in C, as many images have them.

use std::{path::Path, process::Command, sync::OnceLock};

use xtask::oci::{Built, Image};

/// Its name.
pub const ATTACKED: &str = "registry.test/attacks/service:1";
/// The worker in the image.
pub const WORKER: &str = "/usr/local/bin/worker";
/// Where the service finds what it is made to do.
pub const ORDERS: &str = "/srv/orders";
/// What the container starts.
pub const ENTRYPOINT: [&str; 2] = ["/usr/bin/python3", "/srv/app/main.py"];

/// Debian's packages in it.
const PACKAGES: &[&str] = &[
    "base-files",
    "bash",
    "coreutils",
    "dash",
    "debianutils",
    "findutils",
    "grep",
    "hostname",
    "libc-bin",
    "libc6",
    "libpython3-stdlib",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "perl-base",
    "python3",
    "python3-minimal",
    "python3.11",
    "python3.11-minimal",
    "util-linux",
];

/// What an intruder looks for, and directories for what one leaves behind.
pub(super) const FILES: &[(&str, u32, &str)] = &[
    ("/etc/group", 0o644, "root:x:0:\nnogroup:x:65534:\n"),
    ("/etc/gshadow", 0o640, "root:*::\n"),
    ("/etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n"),
    ("/etc/shadow", 0o640, "root:*:19000:0:99999:7:::\n"),
    ("/etc/shadow-", 0o640, "root:*:19000:0:99999:7:::\n"),
    ("/etc/ssl/private/app.key", 0o600, "not a key\n"),
    ("/etc/ssl/private/tls.key", 0o600, "not a key\n"),
    ("/root/.aws/credentials", 0o600, "[default]\n"),
    ("/root/.bash_history", 0o600, "true\n"),
    ("/root/.bashrc", 0o644, "\n"),
    ("/root/.kube/config", 0o600, "{}\n"),
    ("/root/.ssh/id_rsa", 0o600, "not a key\n"),
    ("/srv/app/config", 0o644, "mode=quiet\n"),
    ("/srv/app/job.py", 0o644, include_str!("image/job.py")),
    ("/srv/app/main.py", 0o644, include_str!("image/main.py")),
    ("/srv/app/report.pl", 0o644, include_str!("image/report.pl")),
    ("/var/log/app.log", 0o644, "started\n"),
    ("/var/log/audit.log", 0o644, "started\n"),
    ("/var/log/auth.log", 0o644, "started\n"),
];

pub(super) const DIRECTORIES: &[&str] = &[
    "/etc/cron.d",
    "/etc/profile.d",
    "/etc/sudoers.d",
    "/etc/systemd/system",
    "/run",
    "/srv/orders",
    "/usr/lib/python3/dist-packages",
    "/var/spool/cron/crontabs",
];

pub fn built() -> &'static Built {
    static IMAGE: OnceLock<Built> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let worker = worker();
        let image = Image::new(ATTACKED)
            .packages(PACKAGES, &[])
            .and_then(|image| image.program("/bin/busybox", Path::new("/usr/bin/busybox")))
            .unwrap_or_else(|error| panic!("{error:#}"))
            .link("/bin/sh", "dash")
            .file(WORKER, 0o755, worker.clone())
            .file("/usr/local/bin/elevated", 0o4755, worker)
            .directory("/root", 0o700)
            .directory("/tmp", 0o1777)
            .directory("/var/tmp", 0o1777)
            // Modules that Python would compile at the first start and keep beside the sources.
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .entrypoint(&ENTRYPOINT);
        let image = DIRECTORIES.iter().fold(image, |image, path| image.directory(path, 0o755));
        let image =
            FILES.iter().fold(image, |image, (path, mode, text)| image.file(path, *mode, *text));
        image.build().expect("images are built in memory")
    })
}

/// The worker, compiled.
pub fn worker() -> Vec<u8> {
    let directory = tempfile::tempdir().expect("a directory");
    let output = directory.path().join("worker");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/support/attacks/image/worker.c");
    let options = ["-O1", "-Wall", "-Wextra", "-Werror", "-o"];
    let compiled = Command::new("cc").args(options).arg(&output).arg(source).status();
    assert!(compiled.is_ok_and(|it| it.success()), "{source} cannot be compiled");
    std::fs::read(output).expect("it was compiled")
}
