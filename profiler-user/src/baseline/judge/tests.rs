use super::super::fixtures::{baseline, exec, observation, read, run};
use super::*;
use crate::behaviour::{Capability, Connect, Listen, Map, Named, Protocol};

const NGINX: &str = "/usr/sbin/nginx";
const DASH: &str = "/usr/bin/dash";

fn connect(to: &str) -> Observation {
    let connect = Connect {
        protocol: Protocol::Tcp,
        peer: to.parse().unwrap(),
        datagram: false,
        port_chosen: true,
        named: Named::default(),
    };
    observation(NGINX, &[], Behaviour::Connect(connect))
}

fn listen(on: &str, port_chosen: bool) -> Observation {
    let listen = Listen { protocol: Protocol::Tcp, local: on.parse().unwrap(), port_chosen };
    observation(NGINX, &[], Behaviour::Listen(listen))
}

fn access(path: &str, read: bool, write: bool, denied: bool) -> Observation {
    let file = File { path: path.to_owned(), read, write, denied };
    observation(NGINX, &[], Behaviour::File(file))
}

fn syscall(name: &str, denied: bool) -> Observation {
    let syscall = Syscall { name: name.to_owned(), denied, foreign: false };
    observation(NGINX, &[], Behaviour::Syscall(syscall))
}

fn learned() -> Vec<Observation> {
    vec![
        exec(NGINX, &["nginx", "-g", "daemon off;"], None),
        exec(DASH, &["sh", "-c", "rm /tmp/tmpabcdefgh"], Some(NGINX)),
        exec("/tmp/go-build123456789/main", &["main", "--password={secret:0011aabb}"], Some(DASH)),
        read(NGINX, "/etc/nginx/nginx.conf"),
        read(NGINX, "/tmp/tmpabcdefgh"),
        read(DASH, "/etc/hosts"),
        access("/var/lib/nginx/body/0000000001", true, true, false),
        access("/etc/shadow", true, false, true),
        access("/srv/{odd}", true, false, false),
        connect("10.0.0.7:5432"),
        observation(NGINX, &[], Behaviour::Map(Map { path: "/lib/libc.so.6".to_owned() })),
        listen("0.0.0.0:8080", true),
        listen("127.0.0.1:43210", false),
        syscall("read", false),
        syscall("unshare", true),
    ]
}

fn judge() -> Judge {
    let mut baseline = baseline();
    for observation in learned() {
        baseline.learn(&run(), &observation);
    }
    Judge::new(&baseline, "0011aabb")
}

#[test]
fn what_just_lost_its_name_is_known_by_it() {
    let judge = judge();
    let known = |path, read, write| judge.is_known(&access(path, read, write, false));
    assert!(known("/var/lib/nginx/body/0000000002 (deleted)", true, true));
    assert!(known("/etc/nginx/nginx.conf (deleted)", true, false));
    assert!(!known("/etc/nginx/nginx.conf (deleted)", true, true));
    assert!(!known("/etc/nginx/other.conf (deleted)", true, false));
    assert!(!known("/etc/nginx/nginx.conf (deleted) (deleted)", true, false));
    let map = |path: &str| {
        let map = Map { path: path.to_owned() };
        judge.is_known(&observation(NGINX, &[], Behaviour::Map(map)))
    };
    assert!(map("/lib/libc.so.6"));
    assert!(!map("/lib/libc.so.6 (deleted)"));
}

/// Kind, object, pattern, novelty and the nearest of the one finding.
fn one(observation: &Observation) -> (DriftKind, String, String, Novelty, String) {
    let judge = judge();
    let mut findings = judge.judge(observation);
    assert_eq!(findings.len(), 1, "{findings:?}");
    let finding = findings.remove(0);
    let nearest = judge.nearest(observation, &finding).unwrap_or_default();
    let Finding { kind, object, pattern, novelty, .. } = finding;
    (kind, object, pattern, novelty, nearest)
}

fn expect(
    observation: &Observation,
    kind: DriftKind,
    object: &str,
    pattern: &str,
    novelty: Novelty,
    nearest: &str,
) {
    assert_eq!(one(observation), (kind, object.into(), pattern.into(), novelty, nearest.into()));
}

#[test]
fn what_was_learned_is_known() {
    let judge = judge();
    for observation in learned() {
        assert_eq!(judge.judge(&observation), [], "{observation:?}");
    }
}

#[test]
fn the_same_shapes_are_known() {
    let judge = judge();
    for observation in [
        exec(DASH, &["sh", "-c", "rm /tmp/tmpk3_j9x1z"], Some(NGINX)),
        exec("/tmp/go-build42/main", &["main", "--password={secret:0011aabb}"], Some(DASH)),
        read(NGINX, "/tmp/tmpsecretly"),
        access("/var/lib/nginx/body/0000004711", false, true, false),
        listen("127.0.0.1:50505", false),
        syscall("exit_group", false),
        syscall("rt_sigreturn", false),
    ] {
        assert_eq!(judge.judge(&observation), [], "{observation:?}");
    }
}

#[test]
fn an_execution_is_new_in_one_way() {
    use DriftKind::{Exec, ExecArgs, ExecParent};
    let id = exec("/usr/bin/id", &["id"], Some(NGINX));
    expect(
        &id,
        Exec,
        "/usr/bin/id",
        "/usr/bin/id",
        Novelty::Container,
        "nginx ran only /usr/bin/dash",
    );
    let by_itself = exec(DASH, &["sh", "-c", "rm /tmp/tmpabcdefgh"], Some(DASH));
    expect(
        &by_itself,
        ExecParent,
        DASH,
        DASH,
        Novelty::Executable,
        "dash was run only by /usr/sbin/nginx",
    );
    let other = exec(DASH, &["sh", "-c", "id 17"], Some(NGINX));
    let nearest = "it was run only as: sh -c 'rm /tmp/tmp{rand:8}'";
    expect(&other, ExecArgs, "sh -c 'id 17'", "sh -c 'id {num}'", Novelty::Container, nearest);
    let dropped = exec("/tmp/evil", &["evil"], None);
    let nearest = "the container was started only with /usr/sbin/nginx";
    expect(&dropped, Exec, "/tmp/evil", "/tmp/evil", Novelty::Container, nearest);
}

#[test]
fn a_fileless_execution_is_said_besides() {
    let mut memfd = exec(NGINX, &["nginx", "-g", "daemon off;"], None);
    if let Behaviour::Exec(exec) = &mut memfd.behaviour {
        exec.fileless = true;
    }
    let nearest = "nothing without a file was ever run";
    expect(&memfd, DriftKind::ExecFileless, NGINX, NGINX, Novelty::Container, nearest);
}

#[test]
fn a_file_is_new_by_access_and_outcome() {
    use DriftKind::{FileRead, FileWrite};
    use Novelty::{Container, Executable};
    let tls = read(NGINX, "/etc/nginx/tls.key");
    expect(
        &tls,
        FileRead,
        "/etc/nginx/tls.key",
        "/etc/nginx/tls.key",
        Container,
        "nginx reads /etc/nginx/nginx.conf there",
    );
    let hosts = read(NGINX, "/etc/hosts");
    expect(&hosts, FileRead, "/etc/hosts", "/etc/hosts", Executable, "only /usr/bin/dash reads it");
    let written = access("/etc/nginx/nginx.conf", false, true, false);
    expect(
        &written,
        FileWrite,
        "/etc/nginx/nginx.conf",
        "/etc/nginx/nginx.conf",
        Container,
        "nginx only reads it",
    );
    let shadow = read(NGINX, "/etc/shadow");
    expect(
        &shadow,
        FileRead,
        "/etc/shadow",
        "/etc/shadow",
        Container,
        "nginx was always refused it",
    );
    let denied = access("/etc/nginx/nginx.conf", true, false, true);
    let pattern = "/etc/nginx/nginx.conf (denied)";
    expect(
        &denied,
        FileRead,
        "/etc/nginx/nginx.conf",
        pattern,
        Container,
        "nginx was never refused it",
    );
    let root = read(NGINX, "/root/x");
    expect(&root, FileRead, "/root/x", "/root/x", Container, "nginx reads nothing under /root");
    for shape in [
        "/tmp/evil",
        "/tmp/x.sh",
        "/tmp/backdoor",
        "/tmp/tmpABCDEFGH",
        "/tmp/tmpabcdefgh/x",
        "/srv/odd",
    ] {
        assert_eq!(one(&read(NGINX, shape)).0, FileRead, "{shape}");
    }
}

#[test]
fn reading_and_writing_are_two_findings() {
    let kinds: Vec<_> = judge()
        .judge(&access("/etc/x", true, true, false))
        .iter()
        .map(|found| found.kind)
        .collect();
    assert_eq!(kinds, [DriftKind::FileRead, DriftKind::FileWrite]);
}

#[test]
fn a_peer_is_new_by_address_and_port() {
    use Novelty::Container;
    let other = "tcp 10.0.0.7:5433";
    let nearest = "nginx connects only to tcp 10.0.0.7:5432";
    expect(&connect("10.0.0.7:5433"), DriftKind::NetConnect, other, other, Container, nearest);
    let chosen = "tcp 127.0.0.1:4444";
    let nearest = "nginx listens only on tcp 0.0.0.0:8080, tcp 127.0.0.1:{ephemeral}";
    expect(
        &listen("127.0.0.1:4444", true),
        DriftKind::NetListen,
        chosen,
        chosen,
        Container,
        nearest,
    );
}

#[test]
fn a_system_call_is_new_by_outcome() {
    let nearest = "unshare was only ever refused";
    expect(
        &syscall("unshare", false),
        DriftKind::Syscall,
        "unshare",
        "unshare",
        Novelty::Container,
        nearest,
    );
    let nearest = "mount is not among the 2 system calls recorded";
    expect(
        &syscall("mount", true),
        DriftKind::Syscall,
        "mount (denied)",
        "mount (denied)",
        Novelty::Container,
        nearest,
    );
}

#[test]
fn an_unknown_executable_says_so() {
    let found = one(&read("/tmp/evil", "/root/x"));
    assert_eq!((found.3, found.4.as_str()), (Novelty::Container, "evil itself was never run"));
}

#[test]
fn a_secret_compares_by_hash_under_the_same_key_only() {
    let other = exec("/tmp/go-build42/main", &["main", "--password={secret:ffffffff}"], Some(DASH));
    assert_eq!(one(&other).0, DriftKind::ExecArgs);
    let mut baseline = baseline();
    for observation in learned() {
        baseline.learn(&run(), &observation);
    }
    assert!(Judge::new(&baseline, "ffffffff").is_known(&other));
    let plain = exec("/tmp/go-build42/main", &["main", "--password=x"], Some(DASH));
    assert!(!Judge::new(&baseline, "ffffffff").is_known(&plain));
}

#[test]
fn an_entry_made_literal_by_hand_allows_that_one_only() {
    let mut baseline = baseline();
    baseline.learn(&run(), &read(NGINX, "/tmp/tmpabcdefgh"));
    let read_set = &mut baseline.executables.get_mut(NGINX).unwrap().read;
    let seen = read_set.remove("/tmp/tmp{rand:8}").unwrap();
    read_set.insert("/tmp/tmpabcdefgh".to_owned(), seen);
    assert_eq!(baseline.learn(&run(), &read(NGINX, "/tmp/tmpabcdefgh")), 0);
    let judge = Judge::new(&baseline, "0011aabb");
    assert!(judge.is_known(&read(NGINX, "/tmp/tmpabcdefgh")));
    assert!(!judge.is_known(&read(NGINX, "/tmp/tmpabcdefgi")));
}

#[test]
fn the_known_calls_are_those_that_are_no_drift() {
    let judge = judge();
    let is_known =
        |number: u32| judge.known_calls()[(number / 64) as usize] & (1 << (number % 64)) != 0;
    // `read` was recorded; `unshare` was refused only; `exit` needs no recording; the last place is no call's.
    assert_eq!([0, 272, 60, SET_OTHER].map(is_known), [true, false, true, false]);
    for number in 0..SET_OTHER {
        let call = observe::syscall(u64::from(number), false, false);
        let call = observation(NGINX, &[], Behaviour::Syscall(call));
        assert_eq!(is_known(number), judge.is_known(&call), "{number}");
    }
}

/// The same program makes these calls, or does not, by what the kernel thinks of the machine's clock.
#[test]
fn what_the_vdso_is_asked_is_no_drift_as_a_call() {
    let judge = judge();
    let judged = |name: &str, denied, foreign| {
        let call = Syscall { name: name.to_owned(), denied, foreign };
        judge.judge(&observation(NGINX, &[], Behaviour::Syscall(call))).len()
    };
    assert_eq!(judged("clock_gettime", false, false), 0);
    assert_eq!(judged("gettimeofday", false, false), 0);
    assert_eq!(judged("clock_settime", false, false), 1);
    assert_eq!(judged("clock_gettime", true, false), 1, "a filter refused it");
    assert_eq!(judged("clock_gettime", false, true), 1, "of another ABI");
}

#[test]
fn a_capability_is_new_only_to_who_could_have_seen_it() {
    let raw = observation(NGINX, &[], Behaviour::Capability(Capability(13)));
    let (kind, object, ..) = one(&raw);
    assert_eq!((kind, object.as_str()), (DriftKind::Capability, "CAP_NET_RAW"));

    let mut blind = baseline();
    for run in blind.runs.values_mut() {
        run.tier = "restricted".to_owned();
    }
    assert_eq!(Judge::new(&blind, "0011aabb").judge(&raw), []);
    blind.learn(&run(), &observation(NGINX, &[], Behaviour::Capability(Capability(0))));
    let seeing = Judge::new(&blind, "0011aabb");
    assert_eq!(seeing.judge(&raw).len(), 1);
    blind.learn(&run(), &raw);
    assert_eq!(Judge::new(&blind, "0011aabb").judge(&raw), []);
}

#[test]
fn the_entry_that_decided_is_named() {
    let mut baseline = baseline();
    for letter in 'a'..='m' {
        let file = format!("/data/inv-kq{letter}zx.pdf");
        baseline.learn(&run(), &read(NGINX, &file));
        baseline.learn(&run(), &exec(NGINX, &["nginx", "-c", &file], None));
    }
    baseline.join_siblings(|_| false);
    let judge = Judge::new(&baseline, "0011aabb");
    let next = read(NGINX, "/data/inv-kqxxx.pdf");
    assert!(judge.is_known(&next));
    assert_eq!(judge.deciding(&next), ["/data/inv-{letters:3-8}.pdf"]);
    let next = exec(NGINX, &["nginx", "-c", "/data/x"], None);
    assert!(judge.is_known(&next));
    assert_eq!(judge.deciding(&next), ["(entrypoint)", "nginx -c {arg:/data}"]);
    let other = exec(NGINX, &["nginx", "-c", "/etc/passwd"], None);
    assert!(!judge.is_known(&other));
    assert_eq!(judge.deciding(&other), ["(entrypoint)"]);
    // What is known by the pattern leaves an example of itself, and nothing else.
    let entries = baseline.entries();
    assert_eq!(baseline.learn(&run(), &next), 0);
    assert_eq!(baseline.entries(), entries);
}
