use super::*;
use crate::drift::kind::Novelty;
use crate::drift::sample;

fn tell(kind: DriftKind, novelty: Novelty, observation: &Observation) -> String {
    let finding = sample::finding(kind, novelty, observation);
    sentence(&sample::context(), observation, &finding, None)
}

fn new(kind: DriftKind, observation: &Observation) -> String {
    tell(kind, Novelty::Container, observation)
}

#[test]
fn a_program_is_told_with_who_ran_it() {
    let shell = sample::exec("/usr/bin/dash", &["sh", "-c", "id"], Some("/usr/sbin/nginx"));
    assert_eq!(
        new(DriftKind::Exec, &shell),
        "/usr/sbin/nginx (pid 4700) ran `sh -c id` (/usr/bin/dash, pid 4711); \
         nothing in this container ran it in 5 recorded runs"
    );
    assert_eq!(
        new(DriftKind::ExecParent, &shell),
        "/usr/sbin/nginx (pid 4700) ran `sh -c id` (/usr/bin/dash, pid 4711); \
         /usr/bin/dash was recorded, but /usr/sbin/nginx never started it in 5 recorded runs"
    );
    assert_eq!(
        new(DriftKind::Exec, &sample::exec("/bin/app", &[], None)),
        "the container started with /bin/app (pid 4711); \
         nothing in this container ran it in 5 recorded runs"
    );
}

#[test]
fn a_file_is_told_with_how_it_ended() {
    assert_eq!(
        new(DriftKind::FileRead, &sample::file("/etc/shadow", false, true)),
        "/usr/bin/cat (pid 4711) tried to read /etc/shadow and was refused; \
         nothing in this container read it in 5 recorded runs"
    );
    assert_eq!(
        tell(DriftKind::FileWrite, Novelty::Executable, &sample::write("/tmp/a\x1b[1m")),
        "/usr/bin/cat (pid 4711) wrote /tmp/a\\u{1b}[1m; \
         others in this container wrote it, /usr/bin/cat never in 5 recorded runs"
    );
}

#[test]
fn the_network_and_system_calls_are_told() {
    for (kind, observation, expected) in [
        (
            DriftKind::NetConnect,
            sample::connect("/usr/bin/bash", "127.0.0.1:9000"),
            "/usr/bin/bash (pid 4711) connected to tcp 127.0.0.1:9000; \
             nothing in this container talked to it in 5 recorded runs",
        ),
        (
            DriftKind::NetListen,
            sample::listen("0.0.0.0:4444"),
            "/usr/bin/perl (pid 4711) began to listen on tcp 0.0.0.0:4444; \
             nothing in this container listened there in 5 recorded runs",
        ),
        (
            DriftKind::NetAccept,
            sample::accept("0.0.0.0:4444", "10.0.0.9:41000"),
            "/usr/bin/perl (pid 4711) took a connection from 10.0.0.9 on tcp 0.0.0.0:4444; \
             nothing in this container took one from there in 5 recorded runs",
        ),
        (
            DriftKind::Syscall,
            sample::syscall("unshare"),
            "/usr/bin/unshare (pid 4711) made the system call unshare; \
             nothing in this container made that call in 5 recorded runs",
        ),
        (
            DriftKind::SyscallAbi,
            sample::syscall("foreign_4"),
            "/usr/bin/unshare (pid 4711) made the system call foreign_4 through the i386 or \
             x32 ABI; nothing in this container made that call in 5 recorded runs",
        ),
        (
            DriftKind::NetSocket,
            sample::socket(2, 3, 1),
            "/bin/app (pid 4711) made a socket of the sort inet raw icmp; \
             nothing in this container made such a socket in 5 recorded runs",
        ),
        (
            DriftKind::Capability,
            sample::capability(21),
            "/bin/app (pid 4711) used the capability CAP_SYS_ADMIN; \
             nothing in this container used it in 5 recorded runs",
        ),
        (
            DriftKind::NetUnix,
            sample::unix("/run/docker.sock"),
            "/bin/app (pid 4711) connected to the Unix socket /run/docker.sock; \
             nothing in this container talked to it in 5 recorded runs",
        ),
        (
            DriftKind::Identity,
            sample::identity(33, 0),
            "/bin/app (pid 4711) went from user 33 to 0; \
             nothing in this container did that in 5 recorded runs",
        ),
        (
            DriftKind::Dns,
            sample::dns("pool.example"),
            "/bin/app (pid 4711) resolved the name pool.example to 192.0.2.7; \
             nothing in this container asked for it in 5 recorded runs",
        ),
        (
            DriftKind::ContainerEscape,
            sample::escape("/system.slice"),
            "/bin/app (pid 4711) was moved out of its container, to the cgroup /system.slice; \
             nothing in this container was moved there in 5 recorded runs",
        ),
    ] {
        assert_eq!(new(kind, &observation), expected);
    }
}

#[test]
fn a_peer_is_told_by_its_name_too() {
    let mut named = sample::connect("/usr/bin/curl", "192.0.2.7:443");
    if let Behaviour::Connect(connect) = &mut named.behaviour {
        connect.named.names = ["pool.example".into()].into();
    }
    assert_eq!(
        new(DriftKind::NetConnect, &named),
        "/usr/bin/curl (pid 4711) connected to tcp 192.0.2.7:443 (pool.example); \
         nothing in this container talked to it in 5 recorded runs"
    );
}

#[test]
fn why_and_the_nearest_entry_are_part_of_it() {
    let observation = sample::read("/etc/shadow");
    let mut finding = sample::finding(DriftKind::FileRead, Novelty::Container, &observation);
    finding.nearest = Some("cat read only /etc/motd".to_owned());
    assert_eq!(
        sentence(&sample::context(), &observation, &finding, Some("it holds hashes")),
        "/usr/bin/cat (pid 4711) read /etc/shadow: it holds hashes; nothing in this \
         container read it in 5 recorded runs; cat read only /etc/motd"
    );
}
