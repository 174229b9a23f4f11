//! Exported profiles hold where they are used: runc and crun run what was recorded under them, and nothing else.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use support::{Lab, can_load, driftline, skip};

const BUSYBOX: &str = "/usr/bin/busybox";

/// What is recorded, and run in a container.
const SCRIPT: &str =
    "echo hello > /tmp/driftline-export; busybox cat /tmp/driftline-export; busybox id -u";

/// A bundle whose container runs a script, as the user, with or without the way to new privileges.
fn bundle(lab: &Lab, script: &str, user: u32, no_new_privileges: bool, seccomp: Option<&Value>) {
    let root = lab.path("bundle/rootfs");
    for directory in ["bin", "proc", "tmp", "dev"] {
        fs::create_dir_all(root.join(directory)).expect("the lab is writable");
    }
    Command::new("chmod").arg("1777").arg(root.join("tmp")).status().expect("it runs");
    for name in ["busybox", "sh"] {
        fs::copy(BUSYBOX, root.join("bin").join(name)).expect("the lab is writable");
    }
    let config = lab.path("bundle/config.json");
    let _absent = fs::remove_file(&config);
    let spec =
        Command::new("runc").arg("spec").current_dir(lab.path("bundle")).status().expect("it runs");
    assert!(spec.success());
    let mut spec: Value =
        serde_json::from_slice(&fs::read(&config).expect("runc wrote it")).expect("JSON");
    let process = spec["process"].as_object_mut().expect("an object");
    process.insert("terminal".to_owned(), json!(false));
    process.insert("args".to_owned(), json!(["/bin/sh", "-c", script]));
    process.insert("user".to_owned(), json!({"uid": user, "gid": user}));
    process.insert("noNewPrivileges".to_owned(), json!(no_new_privileges));
    process.remove("rlimits");
    spec["root"]["readonly"] = json!(false);
    let linux = spec["linux"].as_object_mut().expect("an object");
    linux.remove("resources");
    if let Some(seccomp) = seccomp {
        linux.insert("seccomp".to_owned(), seccomp.clone());
    }
    fs::write(&config, serde_json::to_vec(&spec).expect("JSON")).expect("the lab is writable");
}

/// Runs the bundle. crun wants nothing but the second version of cgroups.
fn run(lab: &Lab, runtime: &str) -> Output {
    run_after(":", lab, runtime)
}

/// The same after something was done (shell) in the mount namespace that it runs in.
fn run_after(prepare: &str, lab: &Lab, runtime: &str) -> Output {
    let state = lab.path("state");
    let name = state.parent().and_then(Path::file_name).expect("a lab has a name");
    let id = format!("driftline-export-{}", name.to_string_lossy());
    let run = match runtime {
        "crun" => format!(
            "mount -t cgroup2 none /sys/fs/cgroup && exec crun --cgroup-manager=disabled --root {} run {id}",
            state.display()
        ),
        _ => format!("exec runc --root {} run {id}", state.display()),
    };
    let mut unshare = Command::new("unshare");
    let run = format!("{prepare} && {run}");
    unshare.args(["--mount", "sh", "-c", &run]).current_dir(lab.path("bundle"));
    unshare.stdin(Stdio::null()).output().expect("unshare runs")
}

fn text(output: &Output) -> String {
    let (out, error) = (&output.stdout, &output.stderr);
    format!("{} {}{}", output.status, String::from_utf8_lossy(out), String::from_utf8_lossy(error))
}

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Records a command and exports what it called.
fn profile(lab: &Lab, command: &[&str]) -> Value {
    let recorded = lab.record(command).output().expect("driftline runs");
    assert!(recorded.status.success(), "{}", text(&recorded));
    let mut export = Command::new(driftline());
    export.args(["baseline", "export", "seccomp"]).arg(lab.baselines().join("lab.json"));
    let exported = export.output().expect("driftline runs");
    assert!(exported.status.success(), "{}", text(&exported));
    serde_json::from_slice(&exported.stdout).expect("JSON")
}

#[test]
fn runtimes_run_what_was_recorded_under_the_exported_seccomp_profile_and_refuse_the_rest() {
    if !can_load() {
        return;
    }
    if !has("runc") || !has("crun") || !Path::new(BUSYBOX).exists() {
        return skip("runc, crun and busybox are needed");
    }
    let lab = Lab::new();
    let profile = profile(&lab, &[BUSYBOX, "sh", "-c", SCRIPT]);

    for runtime in ["runc", "crun"] {
        for (user, no_new_privileges) in [(0, false), (0, true), (1000, false), (1000, true)] {
            let how = format!("{runtime}, user {user}, no new privileges: {no_new_privileges}");
            bundle(&lab, SCRIPT, user, no_new_privileges, Some(&profile));
            let output = run(&lab, runtime);
            let out = String::from_utf8_lossy(&output.stdout);
            assert_eq!(out, format!("hello\n{user}\n"), "{how}: {}", text(&output));
            assert!(output.stderr.is_empty(), "{how}: {}", text(&output));
            Command::new("rm")
                .arg(lab.path("bundle/rootfs/tmp/driftline-export"))
                .status()
                .expect("the lab is writable");

            let mkdir = "busybox mkdir /tmp/made && busybox rmdir /tmp/made && busybox echo made";
            bundle(&lab, mkdir, user, no_new_privileges, Some(&profile));
            let output = run(&lab, runtime);
            assert!(!output.status.success(), "{how}: {}", text(&output));
            assert!(text(&output).contains("Operation not permitted"), "{how}: {}", text(&output));
            bundle(&lab, mkdir, user, no_new_privileges, None);
            assert_eq!(run(&lab, runtime).stdout, b"made\n", "{how}");
        }
    }
}

/// This machine's own files; who spins, as when a wait is refused, is ended after ten seconds of it.
const HOST: &str = "ulimit -t 10; mount --bind / rootfs";

/// Who is faster, a child or the shell that waits for it, may be otherwise than it was while it was recorded.
#[test]
fn a_shell_waits_for_its_child_under_the_profile_although_it_never_had_to() {
    if !can_load() {
        return;
    }
    if !has("runc") || !has("crun") {
        return skip("runc and crun are needed");
    }
    let lab = Lab::new();
    let profile = profile(&lab, &["sh", "-c", "sleep 0.1 & sleep 0.5; wait; echo done"]);
    bundle(&lab, "sleep 0.5 & sleep 0.1; wait; echo done", 0, false, Some(&profile));
    for runtime in ["runc", "crun"] {
        let output = run_after(HOST, &lab, runtime);
        assert_eq!(output.stdout, b"done\n", "{runtime}: {}", text(&output));
    }
}

/// Threads, an event loop, libraries.
#[test]
fn a_server_serves_under_the_profile_of_its_recordings() {
    if !can_load() {
        return;
    }
    if !has("runc") || !has("crun") || !has("redis-server") {
        return skip("runc, crun and redis-server are needed");
    }
    let serve = "redis-server --port 16390 --save '' --dir /tmp --logfile /dev/null & sleep 0.2; \
                 n=0; until redis-cli -p 16390 ping > /dev/null 2>&1; do \
                 n=$((n+1)); [ $n -lt 100 ] || exit 9; sleep 0.1; done; \
                 redis-cli -p 16390 set a b; redis-cli -p 16390 get a; \
                 redis-cli -p 16390 shutdown nosave; wait";
    let lab = Lab::new();
    let command = ["sh", "-c", serve];
    // Threads meet differently each time.
    let [_, _, profile] = [(); 3].map(|()| profile(&lab, &command));
    bundle(&lab, serve, 0, false, Some(&profile));
    for runtime in ["runc", "crun"] {
        let output = run_after(HOST, &lab, runtime);
        assert_eq!(output.stdout, b"OK\nb\n", "{runtime}: {}", text(&output));
        assert!(output.status.success(), "{runtime}: {}", text(&output));
    }
}
