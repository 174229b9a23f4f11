use std::collections::BTreeSet;

use jsonschema::Validator;
use serde_json::json;

use super::*;
use crate::behaviour::Operation;
use crate::drift::sample;
use crate::drift::{Action, DriftKind, Event, Node, Origin};
use crate::sink::hostile;
use crate::store::testing::verified;
use crate::store::{HeadNote, Store, Write};

fn schema(text: &str) -> Validator {
    jsonschema::validator_for(&serde_json::from_str(text).unwrap()).unwrap()
}

fn ecs_schema() -> Validator {
    schema(include_str!("schema/ecs-9.4.0.json"))
}

fn ocsf_schema() -> Validator {
    schema(include_str!("schema/ocsf-1.7.0.json"))
}

#[track_caller]
fn assert_valid(schema: &Validator, value: &Value) {
    let errors: Vec<_> = schema
        .iter_errors(value)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{value:#}");
}

/// One of each sort of behaviour, in a pod.
fn events() -> Vec<Event> {
    use DriftKind as Kind;
    let observed = [
        (
            Kind::Exec,
            sample::exec("/bin/sh", &["sh", "-c", "id; echo 'x y'"], Some("/usr/sbin/nginx")),
        ),
        (Kind::ExecFileless, sample::exec("memfd:x", &["x"], None)),
        (Kind::FileRead, sample::read("/etc/shadow")),
        (Kind::FileWrite, sample::file("/etc/passwd", true, true)),
        (
            Kind::FileLink,
            sample::change(Operation::SymbolicLink("/etc/shadow".to_owned()), "/tmp/x"),
        ),
        (Kind::FileMeta, sample::change(Operation::Mode(0o4755), "/tmp/x")),
        (Kind::FileMapExec, sample::map("/lib/evil.so")),
        (Kind::NetConnect, sample::connect("/bin/curl", "[2001:db8::7]:443")),
        (Kind::NetListen, sample::listen("0.0.0.0:4444")),
        (Kind::NetAccept, sample::accept("10.0.0.1:80", "192.0.2.9:51000")),
        (Kind::NetUnix, sample::unix("/run/containerd/containerd.sock")),
        (Kind::NetSocket, sample::socket(17, 3, 0)),
        (Kind::Dns, sample::dns("evil.example")),
        (Kind::Syscall, sample::syscall("ptrace")),
        (Kind::Capability, sample::capability(21)),
        (Kind::Identity, sample::identity(33, 0)),
        (Kind::ContainerEscape, sample::escape("/")),
    ];
    let mut events: Vec<_> =
        observed.iter().map(|(kind, observation)| sample::event(*kind, observation)).collect();
    events.push(sample::scan(150));
    events.push(sample::incident());
    for event in events.iter_mut().skip(1) {
        event.origin = std::sync::Arc::new(Origin { image_reference: None, ..sample::origin() });
        event.seq = Some(7);
    }
    sample::with_history(&mut events[0]);
    sample::with_history(&mut events[7]);
    // One that a silence holds for, and a canary.
    let (id, until) = (ulid::Ulid::from_parts(1, 1), sample::later(60));
    let (reason, by) = ("known".to_owned(), "ann".to_owned());
    events[2].silence = Some(Box::new(crate::silence::Mark { id, reason, by, until }));
    events[3].canary = true;
    events
}

fn native(event: &Event) -> String {
    serde_json::to_string(event).unwrap()
}

fn rendered(format: Format, line: &str) -> Value {
    serde_json::from_str(&format.render(line)).unwrap()
}

/// Every text in a value, with what is in lists.
fn leaves(value: &Value, all: &mut BTreeSet<String>) {
    match value {
        Value::Object(keys) => keys.values().for_each(|value| leaves(value, all)),
        Value::Array(values) => values.iter().for_each(|value| leaves(value, all)),
        Value::String(text) => drop(all.insert(text.clone())),
        Value::Number(number) => drop(all.insert(number.to_string())),
        Value::Bool(_) | Value::Null => {}
    }
}

#[test]
fn every_sort_of_event_fits_the_published_schemas() {
    let (ecs, ocsf) = (ecs_schema(), ocsf_schema());
    for event in events() {
        let line = native(&event);
        assert_valid(&ecs, &rendered(Format::Ecs, &line));
        assert_valid(&ocsf, &rendered(Format::Ocsf, &line));
    }
}

/// A test that cannot fail proves nothing.
#[test]
fn the_schemas_refuse_what_is_not_theirs() {
    let line = native(&events()[3]);
    let good = rendered(Format::Ecs, &line);
    for (pointer, key, value) in
        [("/event", "kindd", json!("alert")), ("/event", "kind", json!("odd"))]
    {
        let mut bad = good.clone();
        bad.pointer_mut(pointer).unwrap()[key] = value;
        assert!(!ecs_schema().is_valid(&bad), "{key}");
    }
    let good = rendered(Format::Ocsf, &line);
    for (pointer, key, value) in [
        ("/finding_info", "uid", Value::Null),
        ("", "severity_id", json!("4")),
        ("", "activity_id", json!(7)),
        ("/metadata", "versions", json!("1")),
        ("/evidences/0/container/image", "uid", Value::Null),
    ] {
        let mut bad = good.clone();
        bad.pointer_mut(pointer).unwrap()[key] = value;
        assert!(!ocsf_schema().is_valid(&without_nulls(bad)), "{key}");
    }
}

#[test]
fn nothing_of_an_event_is_left_out() {
    for event in events() {
        let line = native(&event);
        let value: Value = serde_json::from_str(&line).unwrap();
        let mut expected = BTreeSet::new();
        leaves(&value, &mut expected);
        for format in [Format::Ecs, Format::Ocsf] {
            let mut found = BTreeSet::new();
            let converted = rendered(format, &line);
            leaves(&converted, &mut found);
            // Said in words or numbers of the schema's own.
            let said = ["created", value["drift.severity"].as_str().unwrap()];
            let missing: Vec<_> =
                expected.difference(&found).filter(|text| !said.contains(&text.as_str())).collect();
            assert!(missing.is_empty(), "{format:?}: {missing:?}\n{converted:#}");
        }
    }
}

#[test]
fn what_others_look_for_is_where_they_look() {
    let line = native(&events()[7]);
    let ecs = rendered(Format::Ecs, &line);
    for (pointer, expected) in [
        ("/event/kind", json!("alert")),
        ("/event/category", json!(["intrusion_detection", "network"])),
        ("/event/sequence", json!(7)),
        ("/process/executable", json!("/bin/curl")),
        ("/container/image/hash/all", json!(["sha256:abcd"])),
        ("/orchestrator/resource/name", json!("web-0")),
        ("/orchestrator/namespace", json!("shop")),
        ("/destination/ip", json!("2001:db8::7")),
        ("/destination/port", json!(443)),
        ("/driftline/drift/kind", json!("net.connect")),
        ("/rule/name", json!("default/net.connect")),
        ("/rule/version", json!("1")),
        ("/driftline/k8s/node/name", json!("node-1")),
        ("/driftline/policy/provenance", json!(["unpinned", "registry-unapproved"])),
        ("/driftline/attestation/cve_critical", json!(1)),
        ("/driftline/drift/seen/count", json!(3)),
        ("/driftline/context/before/1/object", json!("tcp 192.0.2.7:80")),
    ] {
        assert_eq!(ecs.pointer(pointer), Some(&expected), "{pointer} in {ecs:#}");
    }
    let ocsf = rendered(Format::Ocsf, &line);
    for (pointer, expected) in [
        ("/class_uid", json!(2004)),
        ("/type_uid", json!(200_401)),
        ("/is_alert", json!(true)),
        ("/finding_info/analytic/type_id", json!(2)),
        ("/finding_info/analytic/name", json!("default/net.connect")),
        ("/anomaly_analyses/0/anomalies/0/observed_pattern", json!("UNSEEN")),
        ("/anomaly_analyses/0/anomalies/0/observations/0/value", json!("tcp [2001:db8::7]:443")),
        ("/evidences/0/container/uid", json!("c0ffee")),
        ("/evidences/0/dst_endpoint/ip", json!("2001:db8::7")),
        ("/evidences/0/process/pid", json!(4711)),
        ("/resources/0/namespace", json!("shop")),
        ("/unmapped/attestation.sbom", json!(["cyclonedx"])),
        ("/unmapped/drift.seen/containers", json!(2)),
        ("/unmapped/context.before/2/kind", json!("exit")),
    ] {
        assert_eq!(ocsf.pointer(pointer), Some(&expected), "{pointer} in {ocsf:#}");
    }
    let shell = rendered(Format::Ecs, &native(&events()[0]));
    assert_eq!(shell["threat"]["technique"]["id"][0], "T1059");
}

#[test]
fn hostile_names_come_as_they_are() {
    for name in hostile::names() {
        let line = native(&sample::event(DriftKind::FileRead, &sample::read(&name)));
        for (format, pointer) in [
            (Format::Ecs, "/file/path"),
            (Format::Ecs, "/driftline/drift/object"),
            (Format::Ocsf, "/evidences/0/file/path"),
            (Format::Ocsf, "/anomaly_analyses/0/anomalies/0/observations/0/value"),
        ] {
            let text = format.render(&line);
            assert!(!text.chars().any(|character| character < ' '), "one line: {text}");
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value.pointer(pointer).and_then(Value::as_str), Some(&*name));
        }
    }
}

#[tokio::test]
async fn a_word_about_the_chain_is_an_event_and_no_alert() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let machine = Node { host_name: "node-1".to_owned(), name: None, cluster: None };
    let note = HeadNote { id: ulid::Ulid::new(), action: Action::Created, machine };
    store.commit(vec![crate::store::testing::write("/a")]).await.unwrap();
    store.commit(vec![Write::Head(Box::new(note))]).await.unwrap();
    let head = verified(&store).await.remove(1).line;
    let hash: Value = serde_json::from_str::<Value>(&head).unwrap()["chain.hash"].clone();
    let ecs = rendered(Format::Ecs, &head);
    assert_valid(&ecs_schema(), &ecs);
    assert_eq!(
        (&ecs["event"]["kind"], &ecs["driftline"]["chain"]["hash"]),
        (&json!("event"), &hash)
    );
    let ocsf = rendered(Format::Ocsf, &head);
    assert_valid(&ocsf_schema(), &ocsf);
    assert_eq!((&ocsf["class_uid"], &ocsf["unmapped"]["chain.hash"]), (&json!(0), &hash));
}

#[tokio::test]
async fn a_word_about_a_silence_is_an_event_and_says_all_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let silence = crate::silence::Silence {
        id: ulid::Ulid::from_parts(1, 1),
        reason: "known".to_owned(),
        by: "ann".to_owned(),
        created: sample::start(),
        until: sample::later(60),
        severity: crate::drift::Severity::High,
        selector: crate::silence::Selector {
            kinds: vec![DriftKind::Exec],
            ..crate::silence::Selector::default()
        },
        ended: None,
    };
    let machine = Node { host_name: "node-1".to_owned(), name: None, cluster: None };
    let note = crate::store::SilenceNote { silence, over: None, machine };
    store.commit(vec![Write::Silence(Box::new(note))]).await.unwrap();
    let line = verified(&store).await.remove(0).line;
    let (ecs, ocsf) = (rendered(Format::Ecs, &line), rendered(Format::Ocsf, &line));
    assert_valid(&ecs_schema(), &ecs);
    assert_valid(&ocsf_schema(), &ocsf);
    assert_eq!(ecs["driftline"]["silence"]["reason"], "known", "{ecs:#}");
    assert_eq!(ocsf["unmapped"]["silence.match"], "kind exec", "{ocsf:#}");
}

#[test]
fn a_line_that_cannot_be_read_is_not_lost() {
    assert_eq!(Format::Ecs.render("not JSON"), "not JSON");
    for format in [Format::Native, Format::Ecs, Format::Ocsf] {
        let mut event = events().remove(3);
        event.seq = Some(42);
        let line = native(&event);
        let text = format.render(&line);
        assert_eq!(format.seq(text.as_bytes()), Some(42));
        assert!(Format::BEGINNINGS.iter().any(|beginning| text.as_bytes().starts_with(beginning)));
    }
}
