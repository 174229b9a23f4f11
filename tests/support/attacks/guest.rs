//! All steps in a machine without a node: in a container that crun makes, by `crun exec`, with the profile that containerd gave
//! its containers on the node where the baseline was recorded.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::mount::{MsFlags, mount};
use profiler_user::baseline::Baseline;
use serde_json::{Value, json};

use super::{
    Step, TACTICS, Tactic,
    image::{DIRECTORIES, FILES},
    run::{self, Outcome, Tail},
    suite::is_seen,
};
use crate::{driftline, numbered, tiers::tier};

/// As the suite on a node recorded it, see `cargo xtask attacks`.
const BASELINE: &str = include_str!("recorded/baseline.json");
const PROFILE: &str = include_str!("recorded/runtime-default.json");

/// What containerd leaves to a container's root.
const CAPABILITIES: &[&str] = &[
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// Does every step that needs no node, and how each ended.
pub fn attack() -> Vec<(&'static Step, Outcome)> {
    let directory = PathBuf::from("/run/attacks");
    fs::create_dir_all(&directory).expect("the guest is ours");
    let agent = Agent::start(&directory);
    let tail = Tail::new(&directory.join("events.jsonl"));
    let tactics = TACTICS.iter().enumerate();
    let all = tactics.flat_map(|(number, tactic)| one(tactic, number, &directory, &tail)).collect();
    drop(agent);
    all
}

/// One tactic, in a container of its own.
fn one(
    tactic: &'static Tactic,
    number: usize,
    directory: &Path,
    tail: &Tail,
) -> Vec<(&'static Step, Outcome)> {
    let container = Container::start(directory, number);
    let steps = tactic.steps.iter().filter(|step| step.on_a_node.is_none());
    let done = |step: &'static Step| {
        let seen = step.unseen.is_none_or(|unseen| is_seen(&unseen));
        let act = || container.exec(&step.words());
        (step, run::done(step, true, seen, tail, Some(&container.id), act))
    };
    steps.map(done).collect()
}

/// An agent, and a runtime that names the container to it. Letting go of its trampolines would take it longer than all
/// steps together: it is killed, and the machine ends with the test.
struct Agent(Child);

impl Agent {
    fn start(directory: &Path) -> Self {
        let mut baseline: Baseline = serde_json::from_str(BASELINE).expect("a baseline");
        // It was recorded where nothing sees capabilities used. The quiet service uses none, so it holds all of them.
        if tier("capability") == "full" {
            baseline.runs.values_mut().for_each(|run| "full".clone_into(&mut run.tier));
        }
        baseline.image.name = numbered::repository(0);
        baseline.image.id = Some(numbered::digest(0));
        baseline.image.container = Some("app".to_owned());
        baseline.image.references = [format!("{}:1", numbered::repository(0))].into();
        let baselines = directory.join("baselines");
        profiler_user::baseline::save(&baselines, &baseline).expect("the directory is ours");
        let socket = directory.join("runtime.sock");
        numbered::serve(&socket, 1).expect("a socket");
        let log = directory.join("agent.log");
        let child = Command::new(driftline())
            .arg("watch")
            .arg("--baselines")
            .arg(baselines)
            .arg("--store")
            .arg(directory)
            .arg("--events")
            .arg(directory.join("events.jsonl"))
            .args(["--runtime-endpoint", &format!("unix://{}", socket.display())])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).expect("the directory is ours"))
            .spawn()
            .expect("driftline starts");
        let agent = Self(child);
        wait("the agent is ready", || {
            let said = fs::read_to_string(&log).expect("it was made");
            if said.contains("driftline: ready") { Ok(()) } else { Err(said) }
        });
        agent
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _may_have_ended = self.0.kill();
    }
}

struct Container {
    id: String,
    state: PathBuf,
}

impl Container {
    fn start(directory: &Path, number: usize) -> Self {
        let own = directory.join(number.to_string());
        let [image, upper, work, root] =
            ["image", "upper", "work", "root"].map(|name| own.join(name));
        for path in [&image, &upper, &work, &root] {
            fs::create_dir_all(path).expect("the directory is ours");
        }
        for path in DIRECTORIES {
            fs::create_dir_all(image.join(&path[1..])).expect("the directory is ours");
        }
        for (path, mode, text) in FILES {
            write(&image.join(&path[1..]), text, *mode);
        }
        let layers = format!(
            "lowerdir={}:/,upperdir={},workdir={}",
            image.display(),
            upper.display(),
            work.display()
        );
        let no_flags = MsFlags::empty();
        mount(Some("overlay"), &root, Some("overlay"), no_flags, Some(layers.as_str()))
            .expect("overlay is there");
        let container = Self { id: numbered::id('a', number), state: directory.join("crun") };
        let config = config(&root, &container.id).to_string();
        fs::write(own.join("config.json"), config).expect("the directory is ours");
        // A root file system that is in memory cannot be pivoted away from.
        let started = container
            .crun("run")
            .args(["--no-pivot", "--detach", "--bundle"])
            .arg(&own)
            .arg(&container.id)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status();
        assert!(started.is_ok_and(|it| it.success()), "crun makes no container");
        container
    }

    fn crun(&self, verb: &str) -> Command {
        let mut crun = Command::new("crun");
        crun.arg("--root").arg(&self.state).args(["--cgroup-manager", "cgroupfs", verb]);
        crun
    }

    /// What it said.
    fn exec(&self, words: &[&str]) -> String {
        let output = self.crun("exec").arg(&self.id).args(words).stdin(Stdio::null()).output();
        let output = output.expect("crun runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        format!("{} {}{}", output.status, text(&output.stdout), text(&output.stderr))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _may_have_ended = self.crun("delete").args(["--force", &self.id]).status();
    }
}

/// What the runtime is asked for, as containerd asks for a container of a pod.
fn config(root: &Path, id: &str) -> Value {
    let seccomp: Value = serde_json::from_str(PROFILE).expect("JSON");
    let namespaces = ["pid", "ipc", "uts", "mount"].map(|kind| json!({ "type": kind }));
    let capabilities =
        ["bounding", "effective", "permitted"].map(|set| (set.to_owned(), json!(CAPABILITIES)));
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": { "uid": 0, "gid": 0 },
            "args": ["/bin/sleep", "100000"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONDONTWRITEBYTECODE=1"],
            "cwd": "/",
            "capabilities": Value::Object(capabilities.into_iter().collect()),
        },
        "root": { "path": root, "readonly": false },
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"] },
            { "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755"] },
            { "destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "noexec", "nodev", "mode=1777"] },
            { "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"] },
        ],
        "linux": {
            "namespaces": namespaces,
            "cgroupsPath": format!("/kubepods/besteffort/pod00000000-0000-4000-8000-000000000000/{id}"),
            "seccomp": seccomp,
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    })
}

fn write(path: &Path, text: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::create_dir_all(path.parent().expect("a file lies in a directory")).expect("ours");
    fs::write(path, text).expect("the directory is ours");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the file is ours");
}

fn wait(what: &str, mut is_so: impl FnMut() -> Result<(), String>) {
    let end = Instant::now() + Duration::from_mins(3);
    while let Err(said) = is_so() {
        assert!(Instant::now() < end, "{what}: not yet\n{said}");
        thread::sleep(Duration::from_millis(50));
    }
}
