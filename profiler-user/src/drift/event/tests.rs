use serde_json::{Value, json};

use super::*;
use crate::drift::sample;

fn written(event: &Event) -> Value {
    let mut value = serde_json::to_value(event).unwrap();
    // Random.
    assert_eq!(value["event.id"].as_str().unwrap().len(), 26);
    value["event.id"] = "01".into();
    value
}

#[test]
fn a_drift_is_written_with_the_keys_of_the_design() {
    let shell = sample::exec("/usr/bin/dash", &["sh", "-c", "id"], Some("/usr/sbin/nginx"));
    let event = sample::event(DriftKind::Exec, &shell);
    assert_eq!(
        written(&event),
        json!({
            "schema_version": "driftline.drift/v1",
            "event.id": "01",
            "event.action": "created",
            "time": "2026-11-21T20:59:01.123456789Z",
            "time.last": "2026-11-21T20:59:01.123456789Z",
            "drift.count": 1,
            "observer.version": env!("CARGO_PKG_VERSION"),
            "drift.kind": "exec",
            "drift.object": "/usr/bin/dash",
            "drift.severity": "critical",
            "drift.novelty": "container",
            "drift.rule": "shell-by-server",
            "drift.rules_version": "1",
            "drift.accept": format!(
                "driftline baseline approve {} --reason TEXT --events FILE",
                event.id
            ),
            "drift.sentence": "/usr/sbin/nginx (pid 4700) ran `sh -c id` (/usr/bin/dash, pid 4711): \
                a server that starts a shell is what a break-in looks like; \
                nothing in this container ran it in 5 recorded runs",
            "drift.fingerprint": sample::event(DriftKind::Exec, &shell).fingerprint,
            "threat.technique.id": ["T1059.004", "T1505.003"],
            "threat.framework_version": "19",
            "host.name": "node-1",
            "container.image.name": "demo",
            "process.executable.path": "/usr/bin/dash",
            "process.command_args": ["sh", "-c", "id"],
            "process.working_directory": "/",
            "process.pid": 4711,
            "process.vpid": 23,
            "process.parent_pid": 4700,
            "process.user.id": 33,
            "process.ancestry": [{
                "pid": 4700, "executable": "/usr/sbin/nginx", "args": ["nginx: worker process"]
            }],
            "baseline.id": "sha256:0123",
            "baseline.coverage": 0.979,
            "baseline.status": "exact",
            "sensor.tier": "full",
            "sensor.lost_events": 0,
        })
    );
}

/// The keys that an event has beyond those that every event has.
fn own_keys(kind: DriftKind, observation: &Observation) -> Value {
    let mut value = written(&sample::event(kind, observation));
    value.as_object_mut().unwrap().retain(|key, _| {
        ["file.", "network.", "source.", "destination.", "syscall."]
            .iter()
            .any(|prefix| key.starts_with(prefix))
    });
    value
}

#[test]
fn only_the_objects_own_keys_are_there() {
    for (kind, observation, keys) in [
        (DriftKind::FileRead, sample::read("/a"), json!({"file.path": "/a"})),
        (
            DriftKind::FileRead,
            sample::file("/a", false, true),
            json!({"file.path": "/a", "file.denied": true}),
        ),
        (
            DriftKind::NetConnect,
            sample::connect("/bin/app", "[2001:db8::1]:443"),
            json!({
                "network.transport": "tcp",
                "destination.address": "2001:db8::1", "destination.port": 443,
            }),
        ),
        (
            DriftKind::NetListen,
            sample::listen("0.0.0.0:4444"),
            json!({
                "network.transport": "tcp",
                "destination.address": "0.0.0.0", "destination.port": 4444,
            }),
        ),
        (
            DriftKind::NetAccept,
            sample::accept("10.0.0.1:80", "10.0.0.9:5555"),
            json!({
                "network.transport": "tcp",
                "source.address": "10.0.0.9", "source.port": 5555,
                "destination.address": "10.0.0.1", "destination.port": 80,
            }),
        ),
        (DriftKind::Syscall, sample::syscall("unshare"), json!({"syscall.name": "unshare"})),
    ] {
        assert_eq!(own_keys(kind, &observation), keys);
    }
}

#[test]
fn a_time_always_has_nanoseconds() {
    let mut observation = sample::read("/a");
    observation.time = "2026-11-21T20:59:01Z".parse().unwrap();
    let value = written(&sample::event(DriftKind::FileRead, &observation));
    assert_eq!(value["time"], "2026-11-21T20:59:01.000000000Z");
}

#[test]
fn without_a_technique_there_is_no_version_of_attack() {
    let value = written(&sample::event(DriftKind::FileWrite, &sample::write("/tmp/x")));
    assert_eq!(value.get("threat.technique.id"), None);
    assert_eq!(value.get("threat.framework_version"), None);
}

/// Which rule or entry decided, and what would have to be typed: each event says so, whatever it is about.
#[test]
fn every_event_names_what_decided_and_what_would_accept_it() {
    use crate::behaviour::Operation;

    let observed = [
        (DriftKind::Exec, sample::exec("/bin/sh", &["sh"], Some("/bin/app"))),
        (DriftKind::ExecParent, sample::exec("/bin/sh", &["sh"], Some("/bin/app"))),
        (DriftKind::ExecArgs, sample::exec("/bin/sh", &["sh"], Some("/bin/app"))),
        (DriftKind::ExecInjected, sample::exec("/bin/sh", &["sh"], None)),
        (DriftKind::ExecFileless, sample::exec("memfd:x", &["x"], None)),
        (DriftKind::ExecNotInImage, sample::exec("/dropped/x", &["x"], None)),
        (DriftKind::FileRead, sample::read("/a")),
        (DriftKind::FileWrite, sample::write("/a")),
        (DriftKind::FileDelete, sample::change(Operation::Delete, "/a")),
        (DriftKind::FileLink, sample::change(Operation::Rename("/b".to_owned()), "/a")),
        (DriftKind::FileMeta, sample::change(Operation::Owner, "/a")),
        (DriftKind::FileMapExec, sample::map("/a.so")),
        (DriftKind::NetConnect, sample::connect("/bin/app", "10.0.0.7:5432")),
        (DriftKind::NetListen, sample::listen("0.0.0.0:80")),
        (DriftKind::NetAccept, sample::accept("10.0.0.1:80", "10.0.0.9:5555")),
        (DriftKind::NetUnix, sample::unix("/run/app.sock")),
        (DriftKind::NetSocket, sample::socket(17, 3, 0)),
        (DriftKind::Dns, sample::dns("db.shop")),
        (DriftKind::Identity, sample::identity(33, 0)),
        (DriftKind::Capability, sample::capability(21)),
        (DriftKind::ContainerEscape, sample::escape("/")),
        (DriftKind::Syscall, sample::syscall("ptrace")),
        (DriftKind::SyscallAbi, sample::syscall("foreign_3")),
    ];
    let told: std::collections::BTreeSet<_> = observed.iter().map(|(kind, _)| *kind).collect();
    for (kind, observation) in &observed {
        let event = sample::event(*kind, observation);
        assert!(!event.rule.is_empty() && !event.rules_version.is_empty(), "{kind}");
        let accept = event.accept.expect("a command");
        assert!(
            accept.starts_with(&format!("driftline baseline approve {} ", event.id)),
            "{accept}"
        );
        // And what that command reads allows it.
        let line = serde_json::to_string(&sample::event(*kind, observation)).unwrap();
        let drifted: crate::baseline::Drifted = serde_json::from_str(&line).unwrap();
        let grant = crate::baseline::Grant {
            approved: sample::start(),
            by: None,
            reason: "it was looked at".to_owned(),
            expires: None,
            scope: crate::baseline::Scope::Image,
        };
        let approval = crate::baseline::Approval::of(&drifted, grant).unwrap();
        assert!(approval.entries().count() > 0, "{kind}");

        let finding = sample::finding(*kind, Novelty::Container, observation);
        let bare = Context::unjudged(sample::context().origin, "full");
        let mut all = crate::drift::Aggregator::new(1);
        let told = all.observe(&bare, observation, finding, |_| None).remove(0);
        let crate::drift::Told::Event(event) = told else { panic!("the first is told on its own") };
        let accept = event.accept.expect("a command");
        assert!(accept.contains(&event.fingerprint) && accept.contains("silence add"), "{accept}");
    }
    for kind in DriftKind::ALL.into_iter().filter(|kind| !told.contains(kind)) {
        for refused in [false, true] {
            let (object, sentence) = ("x".to_owned(), "x".to_owned());
            let (time, last) = (sample::start(), sample::start());
            let notice = Notice { kind, object, sentence, refused, time, last };
            let event = notice.event(&sample::context());
            assert!(!event.rule.is_empty(), "{kind}");
            // What nobody saw nobody can accept.
            assert_eq!(event.accept.is_some(), kind == DriftKind::ImageUnprofiled, "{kind}");
        }
    }
}
