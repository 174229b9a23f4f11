//! The node's container runtime: Debian's containerd, on the node's own directories.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{PAUSE, cri::messages::Empty, network, node::Node};
use crate::programs::node_holder;

/// What has to be here for a node.
pub(super) const PROGRAMS: &[&str] = &[
    "/usr/bin/busybox",
    "/usr/bin/containerd",
    "/usr/bin/containerd-shim-runc-v2",
    "/usr/bin/crun",
    "/usr/bin/ctr",
    "/usr/bin/redis-server",
    "/usr/lib/cni/bridge",
    "/usr/sbin/nginx",
    "/usr/sbin/runc",
];

/// Writes the runtime's configuration, before it is started for the first time.
pub(super) fn configure(directory: &Path, number: u8) {
    let run = directory.join("run");
    for (name, runtime) in [("runc", "/usr/sbin/runc"), ("crun", "/usr/bin/crun")] {
        let before = run.join(name);
        let script =
            format!("#!/bin/sh\nexec '{}' run {runtime} \"$@\"\n", node_holder().display());
        fs::write(&before, script).expect("the node's directory is writable");
        fs::set_permissions(&before, Permissions::from_mode(0o755)).expect("it is ours");
    }
    fs::write(run.join("containerd.toml"), config()).expect("the node's directory is writable");
    network::configure(&run, number);
}

fn config() -> String {
    let runtimes = ["runc", "crun"].map(|name| {
        format!(
            "[plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.{name}]\n\
             runtime_type = 'io.containerd.runc.v2'\n\
             [plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.{name}.options]\n\
             BinaryName = '/run/{name}'\n\
             SystemdCgroup = false\n"
        )
    });
    format!(
        "version = 2\n\
         root = '/var/lib/containerd'\n\
         state = '/run/containerd'\n\
         disabled_plugins = ['io.containerd.snapshotter.v1.aufs', 'io.containerd.snapshotter.v1.btrfs', \
         'io.containerd.snapshotter.v1.devmapper', 'io.containerd.snapshotter.v1.zfs']\n\
         [grpc]\n\
         address = '/run/containerd/containerd.sock'\n\
         [plugins.'io.containerd.internal.v1.opt']\n\
         path = '/var/lib/containerd/opt'\n\
         [plugins.'io.containerd.grpc.v1.cri']\n\
         sandbox_image = '{PAUSE}'\n\
         restrict_oom_score_adj = true\n\
         stream_server_address = '127.0.0.1'\n\
         [plugins.'io.containerd.grpc.v1.cri'.cni]\n\
         bin_dir = '/usr/lib/cni'\n\
         conf_dir = '{}'\n\
         [plugins.'io.containerd.grpc.v1.cri'.containerd]\n\
         default_runtime_name = 'runc'\n\
         {}",
        network::CONFIGURATION,
        runtimes.join("")
    )
}

impl Node {
    /// Starts the runtime, again after [`Self::stop_runtime`] on the state that it left, and waits until it is ready.
    pub fn start_runtime(&mut self) {
        assert!(self.containerd.is_none(), "the runtime runs");
        let log = self.directory().join("containerd.log");
        let log_file = File::options().create(true).append(true).open(&log).expect("writable");
        let mut containerd = self
            .command("containerd")
            .args(["--config", "/run/containerd.toml"])
            .stdout(Stdio::null())
            .stderr(log_file)
            .spawn()
            .expect("containerd runs");
        let end = Instant::now() + Duration::from_mins(1);
        while !self.runtime_is_ready() {
            let ended = containerd.try_wait().expect("a child");
            if ended.is_some() || Instant::now() > end {
                let said = fs::read_to_string(&log).unwrap_or_default();
                panic!("containerd does not become ready ({ended:?}):\n{said}");
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.containerd = Some(containerd);
    }

    /// Ends the runtime. Containers go on under their shims.
    pub fn stop_runtime(&mut self) {
        let mut containerd = self.containerd.take().expect("the runtime runs");
        let pid = Pid::from_raw(containerd.id().cast_signed());
        kill(pid, Signal::SIGTERM).expect("a child that was not waited for");
        containerd.wait().expect("a child");
    }

    fn runtime_is_ready(&self) -> bool {
        let Ok(Some(status)) = self.cri().status(Empty {}).map(|answer| answer.status) else {
            return false;
        };
        status.conditions.len() >= 2 && status.conditions.iter().all(|condition| condition.status)
    }
}
