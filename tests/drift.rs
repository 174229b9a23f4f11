//! Each new behaviour gives an event of the right kind that names the object and the process: every time, and also when
//! it is the command's very first action.

use std::{fs, path::Path};

use support::{Lab, actor, assert_drift, can_load, free_port, knock, repeat};

const ROUTINE: &str = "read /etc/passwd\nrun /bin/true\n";

/// One deviation: a step, what must be reported of it, and what surrounds it.
struct Deviation<'a> {
    step: String,
    kind: &'a str,
    object: String,
    /// Who does it, if not the actor.
    process: Option<&'a str>,
    /// The routine, where it is not [`ROUTINE`].
    routine: &'a str,
}

impl<'a> Deviation<'a> {
    fn new(step: &str, kind: &'a str, object: &str) -> Self {
        Self {
            step: step.to_owned(),
            kind,
            object: object.to_owned(),
            process: None,
            routine: ROUTINE,
        }
    }
}

/// Records the routine, then watches it with the deviation at its end and at its very beginning. `meanwhile` runs beside
/// each watched run, `after` behind it.
fn is_reported(deviation: &Deviation<'_>, meanwhile: impl Fn() + Sync, after: impl Fn()) {
    let lab = Lab::new();
    let plan = lab.path("plan");
    let actor = actor();
    let actor = actor.to_str().expect("UTF-8");
    let command = [actor, plan.to_str().expect("UTF-8")];
    lab.write("plan", deviation.routine);
    lab.settle(|| lab.record(&command).output().expect("driftline runs"));

    let resolved = fs::canonicalize(actor).expect("the actor is there");
    let process = deviation.process.unwrap_or(resolved.to_str().expect("UTF-8"));
    let last = format!("{}{}\n", deviation.routine, deviation.step);
    let first = format!("{}\n{}", deviation.step, deviation.routine);
    for plan in [last, first] {
        for _ in 0..repeat() {
            lab.write("plan", &plan);
            let output = std::thread::scope(|scope| {
                scope.spawn(&meanwhile);
                lab.watch(&command).output().expect("driftline runs")
            });
            after();
            assert_drift(&lab, &output, deviation.kind, &deviation.object, process);
        }
    }
}

#[test]
fn running_id_is_reported() {
    if can_load() {
        let mut deviation = Deviation::new("run /usr/bin/id", "exec", "/usr/bin/id");
        deviation.process = Some("/usr/bin/id");
        is_reported(&deviation, || {}, || {});
    }
}

#[test]
fn running_a_copied_binary_from_tmp_is_reported() {
    if !can_load() {
        return;
    }
    let copy = tempfile::Builder::new().prefix("dropped").tempfile_in("/tmp").expect("/tmp");
    let copy = copy.into_temp_path();
    fs::copy("/bin/true", &copy).expect("a copy");
    let path = copy.to_str().expect("UTF-8").to_owned();
    let mut deviation = Deviation::new(&format!("run {path}"), "exec", &path);
    deviation.process = Some(&path);
    is_reported(&deviation, || {}, || {});
}

#[test]
fn reading_shadow_is_reported() {
    if can_load() {
        let deviation = Deviation::new("read /etc/shadow", "file.read", "/etc/shadow");
        is_reported(&deviation, || {}, || {});
    }
}

#[test]
fn writing_under_etc_is_reported() {
    if !can_load() {
        return;
    }
    let path = format!("/etc/driftline-test-{}", std::process::id());
    let deviation = Deviation::new(&format!("write {path}"), "file.write", &path);
    let remove = || {
        if Path::new(&path).exists() {
            fs::remove_file(&path).expect("it is ours");
        }
    };
    is_reported(&deviation, || {}, remove);
}

#[test]
fn connecting_to_a_new_port_is_reported() {
    if !can_load() {
        return;
    }
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("loopback");
    let peer = listener.local_addr().expect("an address").to_string();
    let deviation = Deviation::new(&format!("connect {peer}"), "net.connect", &peer);
    is_reported(&deviation, || {}, || {});
}

#[test]
fn listening_on_a_new_port_is_reported() {
    if !can_load() {
        return;
    }
    let port = free_port();
    let deviation =
        Deviation::new(&format!("listen 127.0.0.1:{port}"), "net.listen", &port.to_string());
    is_reported(&deviation, || drop(knock(port).expect("the actor listens")), || {});
}

#[test]
fn being_connected_to_there_is_reported() {
    if !can_load() {
        return;
    }
    let port = free_port();
    let deviation =
        Deviation::new(&format!("listen 127.0.0.1:{port}"), "net.accept", &port.to_string());
    is_reported(&deviation, || drop(knock(port).expect("the actor listens")), || {});
}

#[test]
fn unshare_is_reported() {
    if can_load() {
        is_reported(&Deviation::new("unshare", "syscall", "unshare"), || {}, || {});
    }
}

#[test]
fn unshare_denied_by_seccomp_is_reported() {
    if can_load() {
        let mut deviation = Deviation::new("unshare", "syscall", "unshare");
        deviation.routine = "";
        deviation.step = "seccomp-deny-unshare\nunshare".to_owned();
        is_reported(&deviation, || {}, || {});
        // Under a filter that was there all along, so that the call itself is all that is new.
        let mut deviation = Deviation::new("unshare", "syscall", "unshare");
        deviation.routine = "seccomp-deny-unshare\n";
        is_reported_last(&deviation, |events| {
            let denied = events.iter().any(|event| event["syscall.denied"] == true);
            assert!(denied, "{events:#?}");
        });
    }
}

#[test]
fn garbage_in_the_upper_half_of_a_call_number_hides_nothing() {
    if can_load() {
        is_reported(&Deviation::new("unshare-with-garbage", "syscall", "unshare"), || {}, || {});
        let read = "read-with-garbage /etc/shadow";
        is_reported(&Deviation::new(read, "file.read", "/etc/shadow"), || {}, || {});
    }
}

/// Another program under the name of a known one, and the call that leads there is known as well.
#[test]
fn a_chroot_hides_no_program() {
    if !can_load() {
        return;
    }
    let jail = tempfile::tempdir_in("/var/tmp").expect("/var/tmp");
    fs::create_dir_all(jail.path().join("usr/bin")).expect("the jail is ours");
    let program = jail.path().join("usr/bin/true");
    fs::copy("/bin/busybox", &program).expect("busybox-static is there; run `cargo xtask setup`");
    let program = program.to_str().expect("UTF-8").to_owned();
    let mut deviation = Deviation::new(
        &format!("chroot {}\nrun /usr/bin/true", jail.path().display()),
        "exec",
        &program,
    );
    deviation.routine = "run /usr/bin/true\nchroot /\n";
    deviation.process = Some(&program);
    is_reported_last(&deviation, |_| {});
}

/// Only as the last step: what comes before prepares it. `check` sees the events of each run.
fn is_reported_last(deviation: &Deviation<'_>, check: impl Fn(&[serde_json::Value])) {
    let lab = Lab::new();
    let plan = lab.path("plan");
    let actor = fs::canonicalize(actor()).expect("the actor is there");
    let actor = actor.to_str().expect("UTF-8");
    let command = [actor, plan.to_str().expect("UTF-8")];
    lab.write("plan", deviation.routine);
    lab.settle(|| lab.record(&command).output().expect("driftline runs"));
    lab.write("plan", &format!("{}{}\n", deviation.routine, deviation.step));
    for _ in 0..repeat() {
        let output = lab.watch(&command).output().expect("driftline runs");
        let process = deviation.process.unwrap_or(actor);
        assert_drift(&lab, &output, deviation.kind, &deviation.object, process);
        check(&lab.events());
    }
}
