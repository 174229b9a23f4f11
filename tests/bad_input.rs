//! Bad input: one clear sentence that says what to do, a documented exit code, nothing half-written.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use support::{Lab, can_load, driftline, skip};

/// One sentence from driftline on stderr that has all of `words`, and this exit code.
fn assert_refused(output: &Output, code: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    let lines: Vec<_> = said.lines().filter(|line| line.starts_with("driftline: ")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    for word in words {
        assert!(lines[0].contains(word), "{word:?} is not in: {said}");
    }
}

fn record(lab: &Lab) -> Command {
    lab.record(&["true"])
}

/// driftline with a command line, in namespaces of its own, after `prepare` (shell).
fn prepared(prepare: &str, lab: &Lab, verb: &str, command: &str) -> Output {
    let script = format!(
        "{prepare} && exec {} {verb} --image lab --baselines {} {} -- {command}",
        driftline().display(),
        lab.baselines().display(),
        if verb == "watch" {
            format!("--events {}", lab.path("full/events").display())
        } else {
            String::new()
        }
    );
    Command::new("unshare").args(["-m", "sh", "-c", &script]).output().expect("unshare runs")
}

fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        skip("mount namespaces need root");
    }
    root
}

#[test]
fn without_capabilities() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    let output = Command::new("setpriv")
        .args(["--bounding-set=-all", "--inh-caps=-all"])
        .arg(driftline())
        .args(["record", "--image", "lab", "--baselines"])
        .arg(lab.baselines())
        .args(["--", "true"])
        .output()
        .expect("setpriv runs");
    assert_refused(&output, 120, &["CAP_BPF", "CAP_PERFMON", "as root"]);
    assert!(!lab.baselines().exists());
}

#[test]
fn without_btf() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    let output = prepared("mount -t tmpfs none /sys/kernel/btf", &lab, "record", "true");
    assert_refused(&output, 120, &["/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF"]);
}

#[test]
fn with_cgroup_v1_only() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    let prepare =
        "grep ' - cgroup2 ' /proc/self/mountinfo | cut -d' ' -f5 | sort -r | xargs -r -n1 umount";
    let output = prepared(prepare, &lab, "record", "true");
    assert_refused(&output, 120, &["cgroup2", "version 1", "mount -t cgroup2"]);
}

#[test]
fn an_unknown_image() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    assert!(record(&lab).status().expect("driftline runs").success());
    let output = Command::new(driftline())
        .args(["watch", "--image", "other", "--baselines"])
        .arg(lab.baselines())
        .args(["--", "touch"])
        .arg(lab.path("ran"))
        .output()
        .expect("driftline runs");
    assert_refused(&output, 121, &["other", "lab"]);
    assert!(!lab.path("ran").exists(), "the command must not run");
}

/// A baseline that was spoilt: neither `watch` nor `record` goes on, and the file stays as it is.
fn assert_unusable(spoil: impl Fn(&Path), words: &[&str]) {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    assert!(record(&lab).status().expect("driftline runs").success());
    let path = lab.baselines().join("lab.json");
    spoil(&path);
    let before = fs::read(&path).ok();
    let touch = ["touch".to_owned(), lab.path("ran").display().to_string()];
    for mut driftline in [lab.watch(&touch), lab.record(&touch)] {
        assert_refused(&driftline.output().expect("driftline runs"), 121, words);
        assert!(!lab.path("ran").exists(), "the command must not run");
        assert_eq!(fs::read(&path).ok(), before, "the file must stay as it is");
    }
}

#[test]
fn a_truncated_baseline() {
    let cut = |path: &Path| {
        let text = fs::read_to_string(path).expect("a baseline");
        fs::write(path, &text[..text.len() / 2]).expect("writable");
    };
    assert_unusable(cut, &["lab.json", "breaks off", "record again"]);
}

#[test]
fn a_baseline_of_a_future_version() {
    let change = |path: &Path| {
        let text = fs::read_to_string(path).expect("a baseline");
        let text = text.replace("driftline.baseline/v1", "driftline.baseline/v2");
        fs::write(path, text).expect("writable");
    };
    assert_unusable(change, &["lab.json", "newer"]);
}

#[test]
fn a_baseline_that_is_not_one() {
    let change = |path: &Path| fs::write(path, "[1, 2, 3]").expect("writable");
    assert_unusable(change, &["lab.json", "malformed"]);
}

#[test]
fn an_unreadable_baseline() {
    let change = |path: &Path| {
        fs::remove_file(path).expect("a baseline");
        fs::create_dir(path).expect("writable");
    };
    assert_unusable(change, &["lab.json", "cannot read"]);
}

#[test]
fn a_full_disk_for_events() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    assert!(record(&lab).status().expect("driftline runs").success());
    let full = lab.path("full");
    fs::create_dir(&full).expect("the lab is writable");
    let copy = lab.path("copy");
    // Two pages: room for an event or two, not for all. The command goes on; what was written is whole lines.
    let prepare = format!(
        "mount -t tmpfs -o size=8k none {0} && trap 'cp {0}/events {1}' EXIT && run() {{ \"$@\"; }}",
        full.display(),
        copy.display()
    );
    let script = format!(
        "{prepare}; {} watch --image lab --baselines {} --events {}/events -- sh -c 'ls /usr /etc >/dev/null; id; touch {}'",
        driftline().display(),
        lab.baselines().display(),
        full.display(),
        lab.path("ran").display()
    );
    let output =
        Command::new("unshare").args(["-m", "sh", "-c", &script]).output().expect("unshare runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(122), "{said}");
    assert!(
        said.contains("cannot write to the events file") && said.contains("make room"),
        "{said}"
    );
    assert!(lab.path("ran").exists(), "the command goes on");
    let written = fs::read_to_string(&copy).expect("a copy of the events");
    assert!(written.is_empty() || written.ends_with('\n'));
    for line in written.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("whole lines only");
    }
}

#[test]
fn a_full_disk_for_the_baseline() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let baselines = lab.baselines();
    fs::create_dir(&baselines).expect("the lab is writable");
    let listing = lab.path("listing");
    // Room for a small baseline, not for a large one.
    let script = format!(
        "mount -t tmpfs -o size=32k none {0} && {1} record --image lab --baselines {0} -- true \
         && cp {0}/lab.json {2}.before && {1} record --image lab --baselines {0} -- \
         sh -c 'for f in /usr/bin/*; do : <$f; done'; code=$?; cp {0}/lab.json {2}.after; ls -A {0} > {2}; exit $code",
        baselines.display(),
        driftline().display(),
        listing.display()
    );
    let output =
        Command::new("unshare").args(["-m", "sh", "-c", &script]).output().expect("unshare runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(122), "{said}");
    assert!(said.contains("cannot write baseline") && said.contains("untouched"), "{said}");
    let (before, after) = (lab.path("listing.before"), lab.path("listing.after"));
    assert_eq!(fs::read(before).expect("saved"), fs::read(after).expect("kept"));
    let listing = fs::read_to_string(listing).expect("listed");
    let mut names: Vec<_> = listing.lines().collect();
    names.sort_unstable();
    assert_eq!(names, [".redaction-key", "lab.json"], "nothing half-written");
}

#[test]
fn an_events_file_that_cannot_be() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    assert!(record(&lab).status().expect("driftline runs").success());
    let output = Command::new(driftline())
        .args(["watch", "--image", "lab", "--baselines"])
        .arg(lab.baselines())
        .args(["--events", "/nonexistent/events", "--", "touch"])
        .arg(lab.path("ran"))
        .output()
        .expect("driftline runs");
    assert_refused(&output, 122, &["/nonexistent/events"]);
    assert!(!lab.path("ran").exists(), "the command must not run");
}

#[test]
fn an_events_pipe_that_nobody_reads() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    assert!(record(&lab).status().expect("driftline runs").success());
    let pipe = lab.path("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("the lab is writable");
    let output = Command::new(driftline())
        .args(["watch", "--image", "lab", "--baselines"])
        .arg(lab.baselines())
        .arg("--events")
        .arg(&pipe)
        .args(["--", "true"])
        .output()
        .expect("driftline runs");
    assert_refused(&output, 122, &["/pipe", "--events"]);
}

#[test]
fn a_script_without_its_interpreter() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let script = lab.write("script", "#!/nonexistent/interpreter\n");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&script, executable).expect("the lab is writable");
    let output = lab.record(&[&script]).output().expect("driftline runs");
    assert_refused(&output, 126, &["/script", "interpreter"]);
}

#[test]
fn a_missing_command() {
    let output = Command::new(driftline()).args(["record", "--"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("CMD"));
}

#[test]
fn a_command_that_does_not_exist() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let output = lab.record(&["/nonexistent/command"]).output().expect("driftline runs");
    assert_refused(&output, 127, &["/nonexistent/command", "PATH"]);
    assert!(!lab.baselines().join("lab.json").exists());
}

#[test]
fn a_command_that_is_not_executable() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let file = lab.write("file", "not a program");
    let output = lab.record(&[&file]).output().expect("driftline runs");
    assert_refused(&output, 126, &["/file", "executable"]);
}
