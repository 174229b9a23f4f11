//! The node: made when a test asks for it, gone when the test is.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Write},
    os::{fd::AsFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, OnceLock},
};

use nix::sched::{CloneFlags, setns};
use xtask::oci::{self, Built};

use super::{cgroups, cri::Cri, hold::OWN, images, runtime};
use crate::{programs::node_holder, skip};

/// A node with a running container runtime and the images of [`super::images`].
pub struct Node {
    /// Where it is seen from outside.
    directory: PathBuf,
    pub(super) namespaces: Arc<Namespaces>,
    pub(super) cri: Cri,
    pub(super) containerd: Option<Child>,
    /// Which of several it is; it has the addresses of this number.
    pub(super) number: u8,
    holder: Child,
    /// Whether nobody holds it any more.
    abandoned: bool,
}

/// The ways into a node.
pub(super) struct Namespaces {
    mount: File,
    pub(super) network: File,
    cgroups: File,
    /// Where a process becomes one of the node's own.
    cgroup: File,
}

impl Node {
    /// Makes a node. Takes about a second; tests of one file better share one.
    pub fn start() -> Self {
        Self::make("hold", 0)
    }

    /// One of several nodes, counted from 1, each of which sees its own cgroups alone: as where nodes are containers.
    pub fn start_apart(number: u8) -> Self {
        Self::make("hold-apart", number)
    }

    fn make(way: &str, number: u8) -> Self {
        let mut holder = Command::new(node_holder())
            .arg(way)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the holder runs");
        let mut said = String::new();
        let stdout = holder.stdout.take().expect("it was asked for");
        BufReader::new(stdout).read_line(&mut said).expect("the holder says where the node is");
        let directory = PathBuf::from(said.trim_end());
        assert!(directory.is_absolute(), "the holder failed: {:?}", holder.wait());

        let namespace = |name| File::open(format!("/proc/{}/ns/{name}", holder.id()));
        let procs = cgroups::of_processes(&directory).expect("cgroup2").join("cgroup.procs");
        let namespaces = Namespaces {
            mount: namespace("mnt").expect("the holder's namespace"),
            network: namespace("net").expect("the holder's namespace"),
            cgroups: namespace("cgroup").expect("the holder's namespace"),
            cgroup: OpenOptions::new().write(true).open(procs).expect("the node's cgroup"),
        };
        runtime::configure(&directory, number);
        let cri = Cri::new(&directory.join("run/containerd/containerd.sock"));
        let namespaces = Arc::new(namespaces);
        let mut node =
            Self { directory, namespaces, cri, containerd: None, number, holder, abandoned: false };
        node.start_runtime();
        node.import(images::all());
        node
    }

    /// Leaves everything where it is, as when the test and the holder are killed at once: the next node removes it.
    pub fn abandon(mut self) {
        self.abandoned = true;
    }

    /// Where the node's own directory is, seen from outside.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where a path below the node's own `/run`, `/var/lib` or `/var/log` is, seen from outside.
    pub fn outside(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        let own = OWN.iter().find_map(|(own, inside)| {
            Some(self.directory.join(own).join(path.strip_prefix(inside).ok()?))
        });
        own.unwrap_or_else(|| panic!("{} is not the node's own", path.display()))
    }

    /// The node's network as others enter it.
    pub(super) fn network_path(&self) -> String {
        format!("/proc/{}/ns/net", self.holder.id())
    }

    /// The runtime's client.
    pub fn cri(&self) -> &Cri {
        &self.cri
    }

    /// A command that runs on the node: with its mounts and its network. It is killed with the node.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let namespaces = Arc::clone(&self.namespaces);
        command.current_dir("/").stdin(Stdio::null());
        // SAFETY: system calls only, on descriptors that were open before the fork.
        unsafe {
            command.pre_exec(move || {
                (&namespaces.cgroup).write_all(b"0")?;
                setns(namespaces.cgroups.as_fd(), CloneFlags::CLONE_NEWCGROUP)?;
                setns(namespaces.mount.as_fd(), CloneFlags::CLONE_NEWNS)?;
                setns(namespaces.network.as_fd(), CloneFlags::CLONE_NEWNET)?;
                Ok(())
            });
        }
        command
    }

    /// Puts images into the runtime's store.
    pub fn import(&self, images: &[Built]) {
        let archive = self.outside("/run/images.tar");
        oci::write_archive(&archive, images).expect("the node's directory is writable");
        self.import_archive(Path::new("/run/images.tar"));
        fs::remove_file(archive).expect("it was written");
    }

    /// Puts the images of an archive, by its path on the node, into the runtime's store.
    pub fn import_archive(&self, archive: &Path) {
        let ctr = self
            .command("ctr")
            .args(["--namespace", "k8s.io", "image", "import"])
            .arg(archive)
            .output()
            .expect("ctr runs");
        assert!(ctr.status.success(), "{}", String::from_utf8_lossy(&ctr.stderr));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.abandoned {
            self.holder.kill().and_then(|()| self.holder.wait()).expect("a child");
            return;
        }
        // The holder takes the node down when its standard input ends.
        drop(self.holder.stdin.take());
        let removed = self.holder.wait().expect("the holder is a child");
        if let Some(mut containerd) = self.containerd.take() {
            let _killed = containerd.wait();
        }
        assert!(removed.success() || std::thread::panicking(), "the node was not removed");
    }
}

/// Whether a node can be made here. If not, says so past the test harness's capture: the caller then returns.
pub fn can_run() -> bool {
    static WHY_NOT: OnceLock<Option<String>> = OnceLock::new();
    let why_not = WHY_NOT.get_or_init(why_not);
    if let Some(why) = why_not {
        // The machines of `cargo xtask vm-test` have no container runtime.
        let required = std::env::var_os("DRIFTLINE_REQUIRE_KERNEL").is_some()
            && std::env::var_os("DRIFTLINE_IN_VM").is_none();
        assert!(!required, "DRIFTLINE_REQUIRE_KERNEL is set, and no pod can run here: {why}");
        skip(&format!("no pod can run here: {why}"));
    }
    why_not.is_none()
}

fn why_not() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("this is not root".to_owned());
    }
    if let Err(error) = cgroups::root() {
        return Some(error.to_string());
    }
    let systems = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    if !systems.lines().any(|system| system.ends_with("\toverlay")) {
        return Some("the kernel has no overlay file system".to_owned());
    }
    let missing = runtime::PROGRAMS.iter().find(|program| !Path::new(program).exists())?;
    Some(format!("{missing} is missing; run `cargo xtask setup`"))
}
