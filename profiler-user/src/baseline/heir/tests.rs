use super::super::fixtures::{baseline, exec, observation, read, run};
use super::super::run::Run;
use super::*;
use crate::behaviour::{Behaviour, Connect, Named, Protocol, Syscall};
use crate::bind::Bind;

const NGINX: &str = "/usr/sbin/nginx";

fn connect(to: &str) -> Observation {
    let (protocol, named) = (Protocol::Tcp, Named::default());
    let peer = to.parse().unwrap();
    let connect = Connect { protocol, peer, datagram: false, port_chosen: true, named };
    observation(NGINX, &[], Behaviour::Connect(connect))
}

fn call(name: &str) -> Observation {
    let syscall = Syscall { name: name.to_owned(), denied: false, foreign: false };
    observation(NGINX, &[], Behaviour::Syscall(syscall))
}

fn recorded() -> Baseline {
    let mut baseline = baseline();
    for one in [
        exec(NGINX, &["nginx"], None),
        exec(NGINX, &["nginx", "-t"], Some("/bin/sh")),
        read(NGINX, "/etc/nginx.conf"),
        read(NGINX, "/tmp/tmpabcdefgh"),
        connect("10.1.0.7:5432"),
        call("read"),
        call("write"),
    ] {
        baseline.learn(&run(), &one);
    }
    baseline
}

fn heir(ancestor: &Baseline) -> Baseline {
    let mut image = Image::here("x");
    image.id = Some("sha256:2222".to_owned());
    let mut heir = Ancestor::new(ancestor).heir(image);
    let started = "2026-01-02T15:04:00Z".parse().unwrap();
    heir.take_up_run(run(), Run::new(started, "production", "full"));
    heir
}

fn entries(baseline: &Baseline) -> Vec<String> {
    let all = baseline.list().into_iter();
    all.map(|entry| format!("{} {}", entry.list, entry.key)).collect()
}

#[test]
fn an_heir_holds_what_its_ancestor_does_and_it_was_seen_to_do_and_nothing_else() {
    let ancestor = recorded();
    let judge = Judge::new(&ancestor, "0011aabb");
    let mut heir = heir(&ancestor);
    let mut inherit = |one: &Observation| heir.inherit(&judge, &run(), one);
    assert_eq!(inherit(&read(NGINX, "/tmp/tmpqrstuvwx")), 1);
    assert_eq!(inherit(&read(NGINX, "/tmp/tmphgfedcba")), 0);
    assert_eq!(inherit(&call("read")), 1);
    // Nobody ran it by this parent with these arguments: what of it is known is counted, and the rest is drift.
    assert_eq!(inherit(&exec(NGINX, &["nginx", "-s", "stop"], None)), 1);
    for new in [
        read(NGINX, "/etc/shadow"),
        read("/bin/cat", "/etc/nginx.conf"),
        exec("/bin/sh", &["sh"], Some(NGINX)),
        connect("10.1.0.8:5432"),
        call("ptrace"),
    ] {
        assert_eq!(inherit(&new), 0, "{new:?}");
    }
    let expected = ["syscalls read", "parents (entrypoint)", "read /tmp/tmp{rand:8}"];
    assert_eq!(entries(&heir), expected);
    let temporary = &heir.executables[NGINX].read["/tmp/tmp{rand:8}"];
    assert_eq!((temporary.count(), temporary.runs()), (2, 1));
    assert_eq!(heir.ancestors, BTreeSet::from([ancestor.id()]));
    assert_eq!(heir.redaction_key, ancestor.redaction_key);
    assert!(Judge::new(&heir, "0011aabb").is_known(&read(NGINX, "/tmp/tmpaaaabbbb")));
    // What of the ancestor was not used yet.
    let unused = ancestor.list().into_iter().filter(|entry| heir.counterpart(entry).is_none());
    assert_eq!(unused.count(), ancestor.entries() - 3);
}

#[test]
fn what_the_ancestor_no_longer_holds_goes() {
    let ancestor = recorded();
    let judge = Judge::new(&ancestor, "0011aabb");
    let mut heir = heir(&ancestor);
    for one in [read(NGINX, "/etc/nginx.conf"), connect("10.1.0.7:5432"), call("write")] {
        assert_eq!(heir.inherit(&judge, &run(), &one), 1);
    }
    let before = heir.clone();
    heir.hold_to(&judge);
    assert_eq!(heir, before);
    let mut reviewed = ancestor.clone();
    reviewed.syscalls.remove("write");
    heir.hold_to(&Judge::new(&reviewed, "0011aabb"));
    assert_eq!(entries(&heir), ["read /etc/nginx.conf", "connect tcp 10.1.0.7:5432"]);
    reviewed.executables.clear();
    heir.hold_to(&Judge::new(&reviewed, "0011aabb"));
    assert!(heir.executables.is_empty());
}

/// A file for another environment says what takes the place of an entry, and the heir has the entry.
#[test]
fn what_was_bound_is_inherited_as_it_was_recorded_and_what_was_accepted_is_not() {
    let ancestor = recorded();
    let bind = r#"{"schema_version":"driftline.bind/v1","map":[{"from":"10.1.0.0/16","to":"10.9.0.0/16"}],
        "relearn":["peers"],"accept":[{"executable":"/usr/sbin/nginx","list":"peers","entry":"tcp 10.9.9.9:6379"}]}"#;
    let bind = Bind::parse(bind.as_bytes()).unwrap();
    let judge = Judge::bound(&ancestor, "0011aabb", &bind);
    let mut heir = heir(&ancestor);
    assert!(judge.is_known(&connect("10.9.9.9:6379")) && judge.is_known(&connect("10.9.0.1:5432")));
    assert_eq!(heir.inherit(&judge, &run(), &connect("10.9.9.9:6379")), 0);
    assert_eq!(heir.inherit(&judge, &run(), &connect("10.9.0.1:5432")), 1);
    assert_eq!(entries(&heir), ["connect tcp 10.1.0.7:5432"]);
    heir.hold_to(&judge);
    assert_eq!(heir.entries(), 1);
}
