//! The containers of a busy node, one after the other, and what each does that its baseline does not hold.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use profiler_user::behaviour::{
    Ancestor, Behaviour, Connect, Exec, File, Named, Observation, Process, Protocol,
};
use profiler_user::container::{ContainerId, Identity, ImageIdentity, Pod, Role, Source};
use profiler_user::drift::{DriftKind, Finding, Novelty, Origin};
use profiler_user::flight::Moment;
use profiler_user::store::{Capture, LedgerEntry};

/// Workloads of the node; each has its image.
const WORKLOADS: u64 = 40;

/// The digest of one image.
pub(super) fn digest(workload: u64) -> String {
    format!("sha256:{:064x}", 0xd1 + workload % WORKLOADS)
}

fn address(number: u64) -> IpAddr {
    let [.., b, c, d] = number.to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(10, b, c, d))
}

fn id(number: u64) -> String {
    // As random as a runtime's, so that indexes are filled as they are there.
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{mixed:016x}{number:048x}")
}

pub(super) fn origin(number: u64) -> Origin {
    let workload = format!("web-{}", number % WORKLOADS);
    Origin {
        host_name: "node-1".to_owned(),
        cluster: Some("prod".to_owned()),
        node: Some("node-1".to_owned()),
        namespace: Some("shop".to_owned()),
        pod: Some(format!("web-{number}")),
        pod_uid: Some(format!("8e1f0000-0000-4000-8000-{number:012}")),
        pod_ip: Some(address(number)),
        pod_container: Some("web".to_owned()),
        attempt: Some(0),
        container_id: Some(id(number)),
        runtime: Some("containerd".to_owned()),
        image_name: Some(format!("registry.example/{workload}")),
        image_tags: vec!["1.2".to_owned()],
        image_digests: vec![format!("registry.example/{workload}@{}", digest(number))],
        image_id: Some(digest(number)),
        image_reference: Some(format!("registry.example/{workload}:1.2")),
        workload: Some(workload),
        ..Origin::default()
    }
}

/// What the ledger has of it, from its start on to its end.
pub(super) fn entry(number: u64, began: Timestamp, ended: Timestamp) -> Option<LedgerEntry> {
    let origin = origin(number);
    let pod = Pod {
        uid: origin.pod_uid?,
        name: origin.pod,
        namespace: origin.namespace,
        labels: [("app".to_owned(), origin.workload?)].into(),
        ip: origin.pod_ip,
    };
    let image = ImageIdentity {
        id: origin.image_id,
        reference: origin.image_reference,
        name: origin.image_name?,
        tags: origin.image_tags,
        repo_digests: origin.image_digests,
        architecture: Some("x86_64".to_owned()),
    };
    let identity = Identity {
        source: Source::Runtime,
        role: Role::Container,
        name: origin.pod_container,
        pod: Some(pod),
        image: Some(image),
        created: Some(began),
        started: Some(began),
        finished: Some(ended),
        exit_code: Some(0),
        reason: Some("Completed".to_owned()),
        ..Identity::of_path(ContainerId::parse(&id(number))?, origin.runtime, None)
    };
    Some(LedgerEntry {
        identity,
        cgroup: None,
        node: "node-1".to_owned(),
        seen: began,
        capture: Capture::FromStart,
        tier: Some("full".to_owned()),
        baseline: None,
        provenance: None,
    })
}

/// Deed `deed` of a container: most is reading, a tenth connects, and in one of `RARE` containers something is run that the
/// image does not have.
pub(super) fn deed(container: u64, deed: u64, time: Timestamp) -> (Observation, Finding) {
    let number = (container * 17 + deed) % 400;
    let (kind, behaviour, object) = match deed % 20 {
        0..12 => read(format!("/usr/share/app/{number}/settings.json")),
        12..15 => write(format!("/var/lib/app/{number}/state.db")),
        15..17 => ran(DriftKind::ExecArgs, "/usr/bin/python3"),
        // Some of the peers are pods that run by then.
        17 if number.is_multiple_of(10) => connect(address(container.saturating_sub(number % 40))),
        17..19 => connect(IpAddr::V4(Ipv4Addr::new(192, 0, 2, number.to_le_bytes()[0]))),
        _ if container % RARE == 7 && deed == 159 => {
            ran(DriftKind::ExecNotInImage, &format!("/tmp/.x{container}"))
        }
        _ => read(EVERYWHERE.to_owned()),
    };
    let program =
        if kind == DriftKind::ExecNotInImage { object.as_str() } else { "/usr/bin/python3" };
    let process = Process {
        pid: 4711,
        vpid: Some(23),
        parent_pid: 4700,
        uid: 33,
        executable: program.into(),
        args: [program.to_owned(), "-m".to_owned(), format!("app.worker.{number}")].into(),
        args_cut: false,
        ancestry: Arc::new([Ancestor {
            pid: 4700,
            executable: "/usr/sbin/nginx".into(),
            args: Arc::new(["nginx: worker process".to_owned()]),
        }]),
    };
    let finding = Finding {
        kind,
        pattern: object.clone(),
        object,
        novelty: Novelty::Container,
        nearest: None,
        relearn: None,
    };
    (Observation { time, process: Arc::new(process), behaviour }, finding)
}

/// What every container reads.
pub(super) const EVERYWHERE: &str = "/usr/share/app/everywhere";

/// One in so many containers is broken into.
const RARE: u64 = 100;

fn read(path: String) -> (DriftKind, Behaviour, String) {
    let file = File { path: path.clone(), read: true, write: false, denied: false };
    (DriftKind::FileRead, Behaviour::File(file), path)
}

fn write(path: String) -> (DriftKind, Behaviour, String) {
    let file = File { path: path.clone(), read: false, write: true, denied: false };
    (DriftKind::FileWrite, Behaviour::File(file), path)
}

fn ran(kind: DriftKind, program: &str) -> (DriftKind, Behaviour, String) {
    let exec = Exec {
        given: program.to_owned(),
        parent: Some("/usr/sbin/nginx".into()),
        fileless: false,
        not_in_image: kind == DriftKind::ExecNotInImage,
        cwd: "/".to_owned(),
    };
    (kind, Behaviour::Exec(exec), program.to_owned())
}

fn connect(peer: IpAddr) -> (DriftKind, Behaviour, String) {
    let peer = SocketAddr::new(peer, 5432);
    let (protocol, named) = (Protocol::Tcp, Named::default());
    let connect = Connect { protocol, peer, datagram: false, port_chosen: true, named };
    (DriftKind::NetConnect, Behaviour::Connect(connect), format!("tcp {peer}"))
}

/// What it did before, as events carry it.
pub(super) fn before(time: Timestamp) -> Vec<Moment> {
    let moment = |number: i64| Moment {
        time: time - SignedDuration::from_millis(700 * (17 - number)),
        kind: "file.read",
        object: format!("/usr/share/app/{number}/templates/page.html"),
        executable: "/usr/bin/python3".into(),
        pid: 4711,
    };
    (1..=16).map(moment).collect()
}
