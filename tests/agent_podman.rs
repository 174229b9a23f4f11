//! Containers of an engine that speaks Docker's API have names, too: Podman's, without Kubernetes.

use std::{
    fs,
    process::{Child, Command, Output},
    thread,
    time::{Duration, Instant},
};

use support::{
    agent::{self, Agent, EVENTS},
    pods::{self, Node},
};

const IMAGE: &str = "registry.test/shop/tool:1";

/// Where Podman is asked to keep what it keeps, on the node. Behind `/run/crun` is the tests' wrapper.
const PODMAN: [&str; 10] = [
    "--root=/var/lib/podman",
    "--runroot=/run/podman-state",
    "--cgroup-manager=cgroupfs",
    "--events-backend=file",
    "--runtime=/run/crun",
    "--runtime-flag=root=/run/crun-state",
    "--log-level=error",
    "--tmpdir=/run/podman-tmp",
    "--network-cmd-path=/nonexistent",
    "--hooks-dir=/run",
];

/// Podman's API, ended when the test is.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _may_have_ended = self.0.kill();
        let _status = self.0.wait();
    }
}

fn podman(node: &Node) -> Command {
    let mut podman = node.command("podman");
    podman.args(PODMAN);
    podman
}

fn done(podman: &mut Command) -> Output {
    let output = podman.output().expect("podman runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{podman:?}: {said}");
    output
}

#[test]
fn podmans_containers_are_known_by_name_image_and_exit_code() {
    if !pods::can_run() || !support::can_load() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let image = pods::busybox(IMAGE).build().expect("images are built in memory");
    let archive = node.outside("/run/tool.tar");
    fs::create_dir_all(node.outside("/run/podman")).expect("the node's directory is writable");
    xtask::oci::write_archive(&archive, &[image]).expect("the node's directory is writable");
    done(podman(&node).args(["load", "--input", "/run/tool.tar"]));
    let api = ["system", "service", "--time=0", "unix:///run/podman/podman.sock"];
    let _service = Service(podman(&node).args(api).spawn().expect("podman runs"));

    let mut agent = Agent::start(&node, "watch", &EVENTS);
    agent.wait_for("connected to podman", Duration::from_secs(30));
    // Limits that no capability is needed for.
    let limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"];
    let run = ["run", "--detach", "--network=none", "--name=tool"];
    // Below the node's own cgroup, with which it is removed.
    let name = node.directory().file_name().expect("a name").to_string_lossy().into_owned();
    let parent = format!("--cgroup-parent=/driftline-{name}");
    let script = "while [ ! -e /tmp/end ]; do usleep 50000; done; exit 7";
    let started = done(podman(&node).args(run).arg(parent).args(limits).args([
        "--entrypoint=/bin/sh",
        IMAGE,
        "-c",
        script,
    ]));
    let id = String::from_utf8(started.stdout).expect("UTF-8").trim().to_owned();
    done(podman(&node).args(["exec", "tool", "/bin/sh", "-c", "id; echo > /tmp/end"]));

    let end = Instant::now() + Duration::from_secs(30);
    let event = loop {
        let is_it = |event: &serde_json::Value| {
            event["container.id"] == id.as_str() && event["drift.kind"] == "exec.injected"
        };
        if let Some(event) = agent::events(&node).into_iter().find(is_it) {
            break event;
        }
        assert!(Instant::now() < end, "no such event: {}", agent.said());
        thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(event["container.name"], "tool", "{event:#}");
    assert_eq!(event["container.runtime.name"], "podman", "{event:#}");
    assert_eq!(event["container.image.name"], "registry.test/shop/tool", "{event:#}");
    assert_eq!(event["container.image.reference"], IMAGE, "{event:#}");
    let config = event["container.image.id"].as_str().expect("a digest");
    assert!(config.starts_with("sha256:"), "{event:#}");
    assert!(event["k8s.pod.name"].is_null() && event["container.identity"].is_null(), "{event:#}");

    let waited = done(podman(&node).args(["wait", "tool"]));
    assert_eq!(String::from_utf8_lossy(&waited.stdout), "7\n");
    done(podman(&node).args(["rm", "tool"]));
    let said = agent.stop();
    let history = agent::history(&node);
    let row = history.containers.iter().find(|row| row.identity.id.as_str() == id);
    let row = row.unwrap_or_else(|| panic!("not in the ledger:\n{said}"));
    assert_eq!(row.identity.exit_code, Some(7), "{row:?}");
    assert_eq!(row.identity.name.as_deref(), Some("tool"), "{row:?}");
    // The monitor beside it is no container.
    assert!(
        !history
            .containers
            .iter()
            .any(|row| { row.cgroup.as_deref().is_some_and(|cgroup| cgroup.contains("conmon")) })
    );
}
