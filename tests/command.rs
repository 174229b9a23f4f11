//! CMD is run as if driftline were not there: its cgroup, stdio, signals, status.

use std::{
    fs,
    io::{Read, Write},
    os::unix::process::ExitStatusExt,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use support::{Lab, Terminal, can_load, driftline};

#[test]
fn stdio_and_status_pass_through() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let mut child = lab
        .record(&["sh", "-c", "cat; echo error >&2; exit 7"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("driftline runs");
    child.stdin.take().expect("piped").write_all(b"in and out").expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.stdout, b"in and out");
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error\n"));
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn a_command_that_a_signal_ended_exits_with_128_and_its_number() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let output = lab.record(&["sh", "-c", "kill -9 $$"]).output().expect("driftline runs");
    assert_eq!(output.status.code(), Some(128 + 9));
}

#[test]
fn the_cgroup_is_fresh_and_removed_at_the_end() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let command = ["sh", "-c", "grep ^0:: /proc/self/cgroup"];
    let output = lab.record(&command).output().expect("driftline runs");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let cgroup = said.trim().strip_prefix("0::").expect("a cgroup2 line");
    let own = fs::read_to_string("/proc/self/cgroup").expect("/proc");
    assert!(!own.lines().any(|line| line == said.trim()), "{said} is our own");
    assert!(cgroup.contains("driftline-"), "{cgroup}");
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc");
    let mount = mounts.lines().find(|line| line.contains(" cgroup2 ")).expect("cgroup2");
    let path = format!("{}{cgroup}", mount.split(' ').nth(1).expect("a mount point"));
    assert!(!std::path::Path::new(&path).exists(), "{path} is left behind");
}

#[test]
fn what_the_command_leaves_behind_is_ended() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let pid = lab.path("pid");
    let script = format!("sleep 1000 & echo $! > {}", pid.display());
    let output = lab.record(&["sh", "-c", &script]).output().expect("driftline runs");
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("left 1 process"));
    let pid = fs::read_to_string(pid).expect("the script ran");
    // Its new parent may not have asked for its status yet.
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(" Z "), "{stat}");
}

#[test]
fn a_signal_to_driftline_reaches_the_command() {
    if !can_load() {
        return;
    }
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGUSR1] {
        let lab = Lab::new();
        let ready = lab.path("ready");
        let name = signal.as_str().trim_start_matches("SIG");
        let script = format!(
            "trap 'echo got {name}; exit 9' {name}; touch {}; while :; do sleep 0.05; done",
            ready.display()
        );
        let child = lab
            .record(&["sh", "-c", &script])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("driftline runs");
        let end = Instant::now() + Duration::from_secs(30);
        while !ready.exists() {
            assert!(Instant::now() < end, "the command did not start");
            thread::sleep(Duration::from_millis(20));
        }
        kill(Pid::from_raw(child.id().cast_signed()), signal).expect("driftline is ours");
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("got {name}\n"));
        assert_eq!(output.status.code(), Some(9));
        assert!(lab.baselines().join("lab.json").exists(), "what was recorded is kept");
    }
}

#[test]
fn ctrl_c_at_a_terminal_reaches_the_command_once() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let script = "trap 'echo interrupted' INT; echo ready; i=0; while [ $i -lt 20 ]; do sleep 0.05; i=$((i+1)); done; exit 4";
    let mut terminal = Terminal::spawn(lab.record(&["sh", "-c", script]));
    terminal.expect("ready");
    terminal.type_in(b"\x03");
    let (said, status) = terminal.finish();
    assert_eq!(said.matches("interrupted").count(), 1, "{said}");
    assert_eq!(status.code(), Some(4), "{said}");
}

#[test]
fn recording_twice_merges() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    for script in ["/bin/true", "/usr/bin/id >/dev/null"] {
        assert!(lab.record(&["sh", "-c", script]).status().expect("driftline runs").success());
    }
    let baseline = fs::read_to_string(lab.baselines().join("lab.json")).expect("a baseline");
    let baseline = support::recorded::valid(&baseline);
    assert_eq!(baseline["runs"].as_object().expect("runs").len(), 2);
    for executable in ["/usr/bin/true", "/usr/bin/id"] {
        assert!(baseline["executables"][executable].is_object(), "{executable} is missing");
    }
}

#[test]
fn two_recordings_at_once_both_count() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let scripts = ["/bin/true; sleep 1", "/usr/bin/id; sleep 1"];
    let children: Vec<_> = scripts
        .iter()
        .map(|script| lab.record(&["sh", "-c", script]).stdout(Stdio::null()).spawn())
        .collect();
    for child in children {
        assert!(child.expect("driftline runs").wait().expect("it ends").success());
    }
    let baseline = fs::read_to_string(lab.baselines().join("lab.json")).expect("a baseline");
    assert!(baseline.contains("/usr/bin/true") && baseline.contains("/usr/bin/id"), "{baseline}");
}

#[test]
fn for_ends_the_command() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let started = Instant::now();
    let output = Command::new(driftline())
        .args(["record", "--for", "1s", "--image", "lab", "--baselines"])
        .arg(lab.baselines())
        .args(["--", "sleep", "1000"])
        .output()
        .expect("driftline runs");
    assert_eq!(output.status.code(), Some(128 + 15));
    assert!(output.status.signal().is_none());
    assert!(started.elapsed() < Duration::from_mins(1));
    assert!(lab.baselines().join("lab.json").exists());
}

#[test]
fn for_ends_a_command_that_does_not_want_to() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let output = Command::new(driftline())
        .args(["record", "--for", "1s", "--image", "lab", "--baselines"])
        .arg(lab.baselines())
        .args(["--", "sh", "-c", "trap '' TERM; while :; do sleep 1; done"])
        .output()
        .expect("driftline runs");
    assert_eq!(output.status.code(), Some(128 + 9));
    assert!(lab.baselines().join("lab.json").exists());
}

/// A signal that comes while the probes are loaded ends driftline: there is no command yet to pass it to.
#[test]
fn a_signal_during_the_start_runs_nothing() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let ran = lab.path("ran");
    let mut driftline = lab.record(&["touch".as_ref(), ran.as_os_str()]).spawn().expect("it runs");
    let pid = Pid::from_raw(driftline.id().cast_signed());
    // As soon as signals are blocked, and long before the probes are loaded.
    let blocked = || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
        mask.is_some_and(|mask| {
            u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 2 != 0)
        })
    };
    while !blocked() {
        thread::sleep(Duration::from_micros(200));
    }
    kill(pid, Signal::SIGINT).expect("it is ours");
    assert_eq!(driftline.wait().expect("it ends").code(), Some(128 + 2));
    assert!(!ran.exists(), "the command must not run");
}

#[test]
fn diagnostics_come_only_when_asked_for() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let quiet = lab.record(&["true"]).output().expect("driftline runs");
    assert!(!String::from_utf8_lossy(&quiet.stderr).contains("probe "));
    let loud = lab.record(&["true"]).env("DRIFTLINE_DIAGNOSTICS", "true").output();
    let said = loud.expect("driftline runs").stderr;
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("probe ") && said.contains("exec: pid"), "{said}");
}

/// The events of a full ring buffer are counted, and the count is shown: the smallest buffer, and a flood.
#[test]
fn loss_is_counted_and_said() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    // Each another file: what was told of once does not cross again.
    let files = lab.path("files");
    fs::create_dir(&files).expect("a directory");
    for number in 0..20_000 {
        fs::write(files.join(number.to_string()), "").expect("a file");
    }
    let files = files.to_str().expect("UTF-8");
    let script = format!("i=0; while [ $i -lt 20000 ]; do : <{files}/$i; i=$((i+1)); done");
    let output = lab
        .record(&["sh", "-c", &script])
        .env("DRIFTLINE_BUFFER", "4")
        .output()
        .expect("driftline runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let baseline = fs::read_to_string(lab.baselines().join("lab.json")).expect("a baseline");
    let baseline: serde_json::Value = serde_json::from_str(&baseline).expect("JSON");
    let run = baseline["runs"].as_object().expect("runs").values().next().expect("a run").clone();
    let lost = run["lost"]["open"].as_u64().unwrap_or(0);
    let opens = baseline["executables"]["/usr/bin/dash"]["read"].as_object().expect("opens");
    let ours = opens.iter().filter(|(path, _)| path.contains("/files/"));
    let seen: u64 = ours.map(|(_, seen)| support::recorded::times(seen)).sum();
    // dash's other opens, of its libraries, may be among the lost.
    let total = seen + lost;
    assert!((20_000..20_010).contains(&total), "{seen} seen + {lost} lost\n{said}");
    assert!(lost > 0 && said.contains("events were lost"), "{lost} {said}");
}

/// The pipe of a reader that is gone is not driftline's end.
#[test]
fn a_closed_stdout_is_the_commands_own_matter() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let mut child = lab
        .record(&["sh", "-c", "sleep 0.2; echo late; exit 3"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("driftline runs");
    drop(child.stdout.take());
    let status = child.wait().expect("it ends").code();
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("UTF-8");
    assert!(status == Some(3) || status == Some(128 + 13), "{status:?} {said}");
    assert!(lab.baselines().join("lab.json").exists(), "{said}");
}
