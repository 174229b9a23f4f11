//! Who comes into a running container from outside is not the container until it runs a program there.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use nix::{
    libc,
    sys::{
        signal::{Signal, kill},
        wait::waitpid,
    },
    unistd::{ForkResult, Pid, fork},
};
use serde_json::Value;
use support::{
    agent::{self, Agent},
    outside,
    pods::{self, BUSYBOX, ContainerSpec, Node, PodSpec},
};

/// How many processes are moved in, each making calls on one processor while another one moves it.
const MOVES: usize = 200;

/// A call that they make without end, and the container not before it is asked to.
const CALL: &str = "ioprio_get";

fn caller() -> Pid {
    // SAFETY: the child makes system calls only, on memory of its own.
    match unsafe { fork() }.expect("a child") {
        ForkResult::Child => loop {
            // SAFETY: plain numbers: it asks for a priority of its own.
            unsafe { libc::syscall(libc::SYS_ioprio_get, 1, 0) };
        },
        ForkResult::Parent { child } => child,
    }
}

#[test]
fn a_call_made_while_being_moved_into_a_container_is_not_the_containers() {
    if !pods::can_run() || !support::can_load() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let recorder = Agent::start(&node, "record", &[]);
    let script = "while :; do /bin/cat /etc/hosts > /dev/null; /bin/usleep 50000; done";
    let spec = ContainerSpec::new("app", BUSYBOX).command(&["/bin/sh", "-c", script]);
    let pod = node.run(PodSpec::new("shop", "web").container(spec));
    let app = pod.container("app");
    let baseline = || agent::baselines(&node).into_iter().next();
    let has = |what: &dyn Fn(&Value) -> bool| {
        (0..400).any(|_| {
            thread::sleep(Duration::from_millis(50));
            baseline().is_some_and(|baseline| what(&baseline))
        })
    };
    assert!(has(&|baseline| baseline["executables"].get("/bin/usleep").is_some()));

    let procs = outside::mount().join(app.cgroup().trim_start_matches('/')).join("cgroup.procs");
    for _ in 0..MOVES {
        let caller = caller();
        thread::sleep(Duration::from_millis(1));
        fs::write(&procs, caller.to_string()).expect("moving a process in");
        thread::sleep(Duration::from_millis(1));
        kill(caller, Signal::SIGKILL).expect("it is ours");
        waitpid(caller, None).expect("it ends");
    }
    // A call that had left its mark would not be told any more.
    let is_recorded = |baseline: &Value| baseline["syscalls"].get(CALL).is_some();
    assert!(!baseline().is_some_and(|baseline| is_recorded(&baseline)));
    assert_eq!(app.exec(&["/bin/busybox", "ionice", "-p", "1"]).code, 0);
    assert!(has(&is_recorded), "{CALL} is not told any more");
    pod.remove();
    recorder.stop();
}

/// Moves itself into a cgroup, as a runtime does, and runs `program` in a mount namespace of its own once it is told to.
fn comes_in(procs: &Path, program: &str) -> Child {
    let script =
        format!("echo $$ >{}; echo in; read told; exec unshare --mount {program}", procs.display());
    let mut child = Command::new("sh")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sh runs");
    let mut said = [0; 3];
    let output = child.stdout.as_mut().expect("it is piped");
    std::io::Read::read_exact(output, &mut said).expect("it is in");
    child
}

fn runs_it(mut child: Child) {
    child.stdin.take().expect("it is piped").write_all(b"now\n").expect("it waits");
    assert!(child.wait_with_output().expect("it ends").status.success());
}

/// A probe, or the command of a postStart hook, may be at its exec before the entrypoint is.
#[test]
fn who_came_first_is_the_entrypoint_even_if_another_is_faster() {
    if !pods::can_run() || !support::can_load() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let watcher = Agent::start(&node, "watch", &agent::EVENTS);
    let spec = ContainerSpec::new("app", BUSYBOX).command(&["/bin/sleep", "1000"]);
    let pod = node.run(PodSpec::new("shop", "web").container(spec));
    let app = outside::mount().join(pod.container("app").cgroup().trim_start_matches('/'));
    let cgroup = app.parent().expect("the pod's").join("c0de".repeat(16));
    fs::create_dir(&cgroup).expect("a cgroup in the pod's");
    let procs = cgroup.join("cgroup.procs");

    // Without a baseline, a program that looks around is told where it came from outside, and nowhere else.
    let entrypoint = comes_in(&procs, "/usr/bin/whoami");
    runs_it(comes_in(&procs, "/usr/bin/id"));
    runs_it(entrypoint);
    runs_it(comes_in(&procs, "/usr/bin/groups"));
    let injected = || -> Vec<String> {
        let events = agent::events(&node);
        let injected = events.iter().filter(|event| event["drift.kind"] == "exec.injected");
        injected.map(|event| event["drift.object"].as_str().expect("text").to_owned()).collect()
    };
    let last = || injected().iter().any(|object| object == "/usr/bin/groups");
    assert!((0..400).any(|_| {
        thread::sleep(Duration::from_millis(50));
        last()
    }));
    assert_eq!(injected(), ["/usr/bin/id", "/usr/bin/groups"]);
    fs::remove_dir(&cgroup).expect("it is empty");
    pod.remove();
    watcher.stop();
}
