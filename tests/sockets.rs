//! Sockets of every family, Unix peers, changes of user, and ways out of the container: known ones are quiet, each new one
//! gives an event that names it.

use std::{
    fs,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            fs::PermissionsExt,
            net::{SocketAddr, UnixDatagram, UnixListener},
        },
    },
    process::Command,
};

use support::{
    Lab, actor, assert_drift, assert_quiet, can_load,
    deviation::{Deviation, is_reported, is_reported_last},
    driftline, free_port,
    outside::OtherCgroup,
    repeat, skip,
};

/// A listener outside the watched command, and where.
fn listener() -> (tempfile::TempDir, UnixListener, String) {
    let directory =
        tempfile::Builder::new().prefix("unix").tempdir_in("/var/tmp").expect("/var/tmp");
    let path = directory.path().join("docker.sock");
    let listener = UnixListener::bind(&path).expect("the directory is ours");
    let path = path.to_str().expect("UTF-8").to_owned();
    (directory, listener, path)
}

#[test]
fn a_known_use_of_sockets_and_users_is_quiet() {
    if !can_load() {
        return;
    }
    let (_directory, _listener, path) = listener();
    let name = format!("driftline-quiet-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("short");
    let _datagrams = UnixDatagram::bind_addr(&address).expect("a name of our own");
    let port = free_port();
    let lab = Lab::new();
    let plan = lab.write(
        "plan",
        &format!(
            "socket 2 3 1\nsocket 17 3 0\nsocket 16 3 0\nunix {path}\nunix-send @{name}\n\
             udp 127.0.0.1:{port}\nudp 127.0.0.1:0\nrun /usr/bin/id\nsetuid 33\nsetuid 0\n"
        ),
    );
    let actor = actor();
    let command = [actor.to_str().expect("UTF-8"), plan.to_str().expect("UTF-8")];
    lab.settle(|| lab.record(&command).output().expect("driftline runs"));
    for round in 1..=repeat() {
        let output = lab.watch(&command).output().expect("driftline runs");
        assert_quiet(&lab, &output, round);
    }
}

#[test]
fn a_new_sort_of_socket_is_reported() {
    if can_load() {
        for (step, object) in [
            ("socket 2 3 1", "inet raw icmp"),
            ("socket 17 3 0", "packet raw"),
            ("socket 16 3 4", "netlink sock_diag"),
            ("socket 1 5 0", "unix seqpacket"),
        ] {
            is_reported(&Deviation::new(step, "net.socket", object), || {}, || {});
        }
    }
}

#[test]
fn a_new_unix_peer_is_reported() {
    if !can_load() {
        return;
    }
    let (_directory, _listener, path) = listener();
    is_reported(&Deviation::new(&format!("unix {path}"), "net.unix", &path), || {}, || {});
    let name = format!("driftline-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("short");
    let _listener = UnixListener::bind_addr(&address).expect("a name of our own");
    let name = format!("@{name}");
    is_reported(&Deviation::new(&format!("unix {name}"), "net.unix", &name), || {}, || {});
}

/// The recorded name leads elsewhere now.
#[test]
fn a_link_hides_no_unix_peer() {
    if !can_load() {
        return;
    }
    let (directory, _listener, path) = listener();
    let known = directory.path().join("app.sock");
    let app = UnixListener::bind(&known).expect("the directory is ours");
    let lab = Lab::new();
    let plan = lab.write("plan", &format!("unix {}\n", known.display()));
    let actor = fs::canonicalize(actor()).expect("the actor is there");
    let actor = actor.to_str().expect("UTF-8");
    let command = [actor, plan.to_str().expect("UTF-8")];
    lab.settle(|| lab.record(&command).output().expect("driftline runs"));
    drop(app);
    fs::remove_file(&known).expect("it is ours");
    std::os::unix::fs::symlink(&path, &known).expect("it is ours");
    let output = lab.watch(&command).output().expect("driftline runs");
    assert_drift(&lab, &output, "net.unix", &path, actor);
    let events = lab.events();
    let event = events.iter().find(|event| event["drift.kind"] == "net.unix").expect("just seen");
    assert_eq!(event["drift.severity"], "critical", "{event:#}");
}

#[test]
fn a_new_datagram_peer_is_reported() {
    if !can_load() {
        return;
    }
    let name = format!("driftline-datagrams-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("short");
    let _socket = UnixDatagram::bind_addr(&address).expect("a name of our own");
    let name = format!("@{name}");
    is_reported(&Deviation::new(&format!("unix-send {name}"), "net.unix", &name), || {}, || {});
}

#[test]
fn binding_a_udp_port_is_reported() {
    if can_load() {
        let local = format!("127.0.0.1:{}", free_port());
        let deviation =
            Deviation::new(&format!("udp {local}"), "net.listen", &format!("udp {local}"));
        is_reported(&deviation, || {}, || {});
    }
}

#[test]
fn becoming_another_user_is_reported() {
    if can_load() {
        // The routine needs root.
        let deviation = Deviation::new("setuid 33\nsetuid 0", "identity", "uid 0 -> 33");
        is_reported(&deviation, || {}, || {});
    }
}

#[test]
fn a_program_of_another_user_is_reported() {
    if !can_load() {
        return;
    }
    let directory =
        tempfile::Builder::new().prefix("suid").tempdir_in("/var/tmp").expect("/var/tmp");
    let program = directory.path().join("id");
    fs::copy("/usr/bin/id", &program).expect("a copy");
    nix::unistd::chown(&program, Some(nix::unistd::Uid::from_raw(33)), None).expect("root may");
    let program = program.to_str().expect("UTF-8").to_owned();
    // Recorded as a plain program first; then with the bit set.
    let lab = Lab::new();
    let plan = lab.write("plan", &format!("run {program}\n"));
    let actor = actor();
    let command = [actor.to_str().expect("UTF-8"), plan.to_str().expect("UTF-8")];
    let mode =
        |mode| fs::set_permissions(&program, fs::Permissions::from_mode(mode)).expect("ours");
    mode(0o755);
    lab.settle(|| lab.record(&command).output().expect("driftline runs"));
    mode(0o4755);
    let output = lab.watch(&command).output().expect("driftline runs");
    assert_drift(&lab, &output, "identity", "uid 0 -> 0 (effective 33)", &program);
}

/// What a process does after it left, and what its children do, is still the container's.
#[test]
fn leaving_the_containers_cgroup_is_reported_and_hides_nothing() {
    if !can_load() {
        return;
    }
    let cgroup = OtherCgroup::new("escape");
    let step = format!("move-to {}", cgroup.path().display());
    let name = cgroup.name();
    let deviation = Deviation::new(&step, "container.escape", &name);
    is_reported(&deviation, || {}, || {});
    let after = format!("{step}\nread /etc/shadow\nrun /usr/bin/id");
    let deviation = Deviation::new(&after, "file.read", "/etc/shadow");
    is_reported_last(&deviation, |events| {
        let id = events
            .iter()
            .any(|event| event["drift.kind"] == "exec" && event["drift.object"] == "/usr/bin/id");
        assert!(id, "{events:#?}");
    });
}

/// That it is not told twice, nor found in one run and not in another, is `a_known_use_of_sockets_and_users_is_quiet`.
#[test]
fn a_capability_used_anew_is_reported_where_it_is_seen() {
    if !can_load() {
        return;
    }
    let output = Command::new(driftline()).args(["check", "--json"]).output().expect("it runs");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let behaviours = report["behaviours"].as_array().expect("a list");
    let status = behaviours.iter().find(|status| status["behaviour"] == "capability");
    let status = status.expect("it is listed");
    if status["tier"] != "full" {
        skip(&format!("no probe sees capabilities here: {status:#}"));
        return;
    }
    is_reported_last(&Deviation::new("socket 17 3 0", "capability", "CAP_NET_RAW"), |_| {});
}

#[test]
fn check_lists_what_is_seen_of_sockets() {
    if !can_load() {
        return;
    }
    let output = Command::new(driftline()).args(["check", "--json"]).output().expect("it runs");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let behaviours = report["behaviours"].as_array().expect("a list");
    for name in ["bind", "socket", "unix", "identity", "capability", "escape"] {
        let status = behaviours.iter().find(|status| status["behaviour"] == name);
        let status = status.unwrap_or_else(|| panic!("no {name} in {behaviours:#?}"));
        assert_ne!(status["tier"], "blind", "{status:#}");
    }
}
