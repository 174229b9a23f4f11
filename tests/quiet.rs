//! A command that does what it did is quiet: recorded until nothing new comes (at most five runs), then watched.

use std::process::Output;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use support::{Lab, Nginx, actor, assert_quiet, can_load, python, repeat};

fn stays_quiet(command: &[&str], lab: &Lab) {
    lab.settle(|| lab.record(command).output().expect("driftline runs"));
    for round in 1..=repeat() {
        let output = lab.watch(command).output().expect("driftline runs");
        assert_quiet(lab, &output, round);
    }
}

#[test]
fn a_shell_script_with_pipes_is_quiet() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let script = lab.write(
        "work.sh",
        "grep -c root /etc/passwd | tr 0-9 a-j\n\
         ls /usr | sort | head -n 3 >/dev/null\n\
         t=$(mktemp); date +%s >\"$t\"; cat \"$t\" | wc -c; rm \"$t\"\n\
         for i in 1 2 3; do echo $i $$; done | while read n p; do echo \"$n\" >/dev/null; done\n",
    );
    stays_quiet(&["sh", script.to_str().expect("UTF-8")], &lab);
}

#[test]
fn python_with_temporary_files_is_quiet() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let script = "import tempfile, os\n\
                  for _ in range(20):\n    \
                      with tempfile.NamedTemporaryFile() as f: f.write(b'x')\n\
                  with tempfile.TemporaryDirectory() as d: open(os.path.join(d, 'report'), 'w').close()\n\
                  open('/proc/self/status').read()";
    stays_quiet(&[python(), "-c", script], &lab);
}

/// Calls that are grave where they are new are part of some programs' work.
#[test]
fn a_debugger_is_quiet() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let plan = lab.write("plan", "ptrace\nptrace\n");
    let actor = actor();
    stays_quiet(&[actor.to_str().expect("UTF-8"), plan.to_str().expect("UTF-8")], &lab);
}

/// Ports that the kernel picks are new each time.
#[test]
fn talking_to_oneself_on_any_port_is_quiet() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let plan = lab.write("plan", "talk\ntalk\n");
    let actor = actor();
    stays_quiet(&[actor.to_str().expect("UTF-8"), plan.to_str().expect("UTF-8")], &lab);
    let lab = Lab::new();
    let script = "import socket\n\
                  s = socket.socket(); s.listen()\n\
                  c = socket.create_connection(s.getsockname()); s.accept()";
    stays_quiet(&[python(), "-c", script], &lab);
}

/// A file without a name has a number in its stead, also where names are never generalised.
#[test]
fn unnamed_temporary_files_are_quiet() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let script = "import tempfile\nwith tempfile.TemporaryFile(dir='/root') as f: f.write(b'x')";
    stays_quiet(&[python(), "-c", script], &lab);
}

#[test]
fn two_hundred_children_are_quiet() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let script = "i=0; while [ $i -lt 200 ]; do /bin/true $i; i=$((i+1)); done";
    stays_quiet(&["sh", "-c", script], &lab);
}

#[test]
fn nginx_under_load_is_quiet() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let nginx = Nginx::new(&lab);
    let command = nginx.command();
    lab.settle(|| under_load(lab.record(&command), &nginx));
    for round in 1..=repeat() {
        let output = under_load(lab.watch(&command), &nginx);
        assert_quiet(&lab, &output, round);
    }
}

/// Starts nginx under driftline, loads it, and ends it through driftline, which passes the signal on.
fn under_load(mut driftline: std::process::Command, nginx: &Nginx) -> Output {
    let child = driftline
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("driftline runs");
    let loaded = std::panic::catch_unwind(|| nginx.load(100));
    let pid = Pid::from_raw(child.id().cast_signed());
    kill(pid, Signal::SIGTERM).expect("driftline is ours");
    let output = child.wait_with_output().expect("driftline ends");
    if let Err(panic) = loaded {
        eprintln!("driftline said: {}", String::from_utf8_lossy(&output.stderr));
        std::panic::resume_unwind(panic);
    }
    output
}
