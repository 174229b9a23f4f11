//! Each new behaviour gives an event of the right kind that names the object and the process: every time, and also when
//! it is the command's very first action.

use std::{fs, path::Path};

use support::{
    can_load,
    deviation::{Deviation, is_reported, is_reported_last},
    free_port, knock,
};

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

/// It is told once, however often it is done, and not at all where it was recorded.
#[test]
fn taking_hold_of_another_process_is_told_once() {
    if !can_load() {
        return;
    }
    let mut deviation = Deviation::new("ptrace\nptrace\nptrace", "syscall", "ptrace");
    deviation.routine = "run /bin/sleep 0\n";
    is_reported_last(&deviation, |events| {
        let told: Vec<_> =
            events.iter().filter(|event| event["drift.object"] == "ptrace").collect();
        assert_eq!(told.len(), 1, "{told:#?}");
        assert_eq!(told[0]["drift.severity"], "high");
        assert_eq!(told[0]["threat.technique.id"][0], "T1055.008");
    });
}
