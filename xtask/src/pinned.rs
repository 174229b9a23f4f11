//! Every version and package name that the set-up depends on, in one place.
//!
//! The build script of `profiler-user` includes this file too, so what it looks for is what the set-up installs.
//! Versions of Rust libraries stand in the workspace's `Cargo.toml`.

/// The linker that turns LLVM bitcode into an eBPF object. An older one may lack what our flags ask for.
pub(crate) const BPF_LINKER: [u32; 3] = [0, 13, 0];

/// The target that the kernel side is built for.
pub(crate) const BPF_TARGET: &str = "bpfel-unknown-none";

/// The crate and binary of the kernel side.
pub(crate) const EBPF_CRATE: &str = "profiler-ebpf";

/// Forces one toolchain for the kernel side: `nightly` or `debian`.
pub(crate) const TOOLCHAIN_VARIABLE: &str = "DRIFTLINE_EBPF_TOOLCHAIN";

/// Debian's compiler; its package `libstd-rust-web-dev-bpf` brings a compiled `core` for eBPF.
pub(crate) const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// The LLVM that Debian's compiler uses; `bpf-linker` must read its bitcode.
pub(crate) const DEBIAN_LLVM: u32 = 22;

/// The LLVM versions that `bpf-linker` has a feature for.
pub(crate) const BPF_LINKER_LLVM: std::ops::RangeInclusive<u32> = 21..=23;

/// What Debian's way of building the kernel side needs.
pub(crate) const DEBIAN_COMPILER: &[&str] = &["rustc-web", "libstd-rust-web-dev-bpf"];

/// What building `bpf-linker` needs, besides LLVM's development package.
pub(crate) const DEBIAN_LINKER: &[&str] = &["g++", "zlib1g-dev", "libzstd-dev"];

/// What runs fuzz targets. A later one that is here already will do.
pub(crate) const CARGO_FUZZ: &str = "0.13.2";

/// What the runtime of libFuzzer is built with.
pub(crate) const FUZZER_COMPILER: &[&str] = &["g++"];

/// What the demo runs under watch.
pub(crate) const DEMO: &[&str] = &["nginx", "libnginx-mod-http-perl"];

/// What the tests need besides that.
pub(crate) const TESTS: &[&str] = &[
    "busybox-static",
    "containerd",
    "containernetworking-plugins",
    "cpio",
    "crun",
    "docker-registry",
    "gcc",
    "gunicorn",
    "make",
    "podman",
    "postgresql-15",
    "prometheus",
    "prometheus-alertmanager",
    "python3",
    "python3-flask",
    "redis-server",
    "redis-tools",
    "rsyslog",
    "rsyslog-openssl",
    "runc",
    "systemd-journal-remote",
    "tzdata",
    "xz-utils",
];

/// What building a kernel needs besides, and what the packages below depend on.
pub(crate) const KERNEL_BUILD: &[&str] =
    &["adduser", "bc", "bison", "flex", "libelf-dev", "libpam-runtime", "sensible-utils"];

/// The kernel that is built as a workload.
pub(crate) const KERNEL_SOURCE: &str = "linux-source-6.1";

/// Packages that are installed as a workload, in an overlay of a test: with users and groups, alternatives, services.
pub(crate) const INSTALLED: &[&str] = &["cron", "cron-daemon-common", "ed"];

/// What is measured beside Driftline in the counting virtual machine, unpacked there and never installed here.
pub(crate) const PEERS: &[&str] = &["auditd", "libbpf-tools"];

/// Services that come with those packages and must not start at the next boot because of us.
pub(crate) const SERVICES: &[(&str, &str)] = &[
    ("containerd", "containerd.service"),
    ("docker-registry", "docker-registry.service"),
    ("nginx", "nginx.service"),
    ("postgresql-15", "postgresql.service"),
    ("prometheus", "prometheus.service"),
    ("prometheus-alertmanager", "prometheus-alertmanager.service"),
    ("redis-server", "redis-server.service"),
    ("rsyslog", "rsyslog.service"),
];

/// Kernels for virtual machines, by the name they have in tests, and the packages that bring them.
pub(crate) const KERNELS: &[(&str, &str)] =
    &[("6.12", "linux-image-6.12-cloud-amd64"), ("6.1", "linux-image-cloud-amd64")];

/// The emulator of virtual machines: its program, and the package that brings it.
pub(crate) const EMULATOR: (&str, &str) = ("qemu-system-x86_64", "qemu-system-x86");
