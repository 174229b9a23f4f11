//! OCSF: a Detection Finding with its anomaly; a word about the chain is a Base Event.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Keys, name_of, rank, text, texts, without_nulls};

/// The version of the schema that the tests hold this against.
pub(super) const VERSION: &str = "1.7.0";

/// Native keys that are wholly said elsewhere. What is said there in another way is in `unmapped` as well.
const SAID: [&str; 29] = [
    "event.id",
    "event.seq",
    "event.action",
    "drift.count",
    "drift.kind",
    "drift.sentence",
    "drift.severity",
    "drift.fingerprint",
    "drift.object",
    "observer.version",
    "host.name",
    "container.id",
    "container.name",
    "k8s.container.name",
    "container.runtime.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.pod.uid",
    "process.executable.path",
    "process.pid",
    "process.vpid",
    "process.working_directory",
    "process.user.id",
    "file.path",
    "dns.question.name",
    "source.port",
    "destination.port",
    "destination.domain",
    "threat.framework_version",
];

const SEVERITIES: [&str; 5] = ["Informational", "Low", "Medium", "High", "Critical"];

pub(super) fn convert(keys: Keys) -> Value {
    let (activity, name) = match text(&keys, "event.action") {
        Some("created") => (1, "Create"),
        Some("updated") => (2, "Update"),
        _ => (3, "Close"),
    };
    let severity = rank(&keys);
    let finding = keys.contains_key("drift.kind");
    let mut event =
        if finding { finding_of(&keys) } else { json!({"message": text(&keys, "chain.record")}) };
    let (class, caption) = if finding { (2004, "Detection Finding") } else { (0, "Base Event") };
    let activity = if finding { activity } else { 99 };
    let name = if finding { name } else { "Log Integrity" };
    let frame = json!({
        "activity_id": activity,
        "activity_name": name,
        "category_uid": if finding { 2 } else { 0 },
        "category_name": if finding { "Findings" } else { "Uncategorized" },
        "class_uid": class,
        "class_name": caption,
        "type_uid": class * 100 + activity,
        "type_name": format!("{caption}: {name}"),
        "severity_id": severity,
        "severity": SEVERITIES.get(usize::from(severity) - 1),
        "time": millis(&keys, "time.last").unwrap_or(0),
        "start_time": millis(&keys, "time"),
        "end_time": millis(&keys, "time.last"),
        "metadata": {
            "version": VERSION,
            "product": {
                "name": "Driftline",
                "vendor_name": "Driftline",
                "version": text(&keys, "observer.version"),
            },
            "uid": keys.get("event.id").and_then(Value::as_str).map(|id| {
                format!("{id}-{}", keys.get("event.seq").unwrap_or(&Value::Null))
            }),
            "correlation_uid": keys.get("event.id"),
            "sequence": keys.get("event.seq"),
            "event_code": keys.get("drift.kind"),
            "log_name": if finding { "driftline.drift" } else { "driftline.chain" },
        },
    });
    let rest: Keys =
        keys.into_iter().filter(|(key, _)| !finding || !SAID.contains(&key.as_str())).collect();
    if let (Value::Object(event), Value::Object(frame)) = (&mut event, frame) {
        event.extend(frame);
    }
    let mut event = without_nulls(event);
    if let Value::Object(event) = &mut event {
        event.insert("unmapped".to_owned(), Value::Object(rest));
    }
    event
}

fn finding_of(keys: &Keys) -> Value {
    let sentence = text(keys, "drift.sentence");
    let kind = text(keys, "drift.kind");
    let target = ["driftline.workload", "k8s.pod.name", "container.name", "container.image.name"];
    let target = target.into_iter().find_map(|key| text(keys, key));
    let techniques = texts(keys, "threat.technique.id");
    let attacks: Vec<Value> = techniques
        .into_iter()
        .map(|id| attack(id, text(keys, "threat.framework_version")))
        .collect();
    let (start, end) = (millis(keys, "time"), millis(keys, "time.last"));
    let baseline = text(keys, "baseline.id").map(|id| {
        json!([{
            "observation_parameter": kind,
            "observation_type": "Frequency Analysis",
            "observations": [{"value": text(keys, "drift.nearest").unwrap_or(id)}],
        }])
    });
    json!({
        "message": sentence,
        "count": keys.get("drift.count"),
        "is_alert": text(keys, "event.action") != Some("closed"),
        "finding_info": {
            "uid": text(keys, "event.id"),
            "title": format!("Drift: {}", kind.unwrap_or_default()),
            "desc": sentence,
            "types": [kind],
            "created_time": start,
            "first_seen_time": start,
            "last_seen_time": end,
            "analytic": {
                "type_id": 2,
                "type": "Behavioral",
                "name": text(keys, "drift.rule").or(kind),
                "version": text(keys, "drift.rules_version"),
                "uid": text(keys, "drift.fingerprint"),
            },
            "attacks": (!attacks.is_empty()).then_some(attacks),
            "related_events": related(keys),
        },
        "anomaly_analyses": [{
            "analysis_targets": [{"name": target.unwrap_or("host"), "type": "Container"}],
            "anomalies": [{
                "observation_parameter": kind,
                "observation_type": "Frequency Analysis",
                "observed_pattern": "UNSEEN",
                "observations": observations(keys, start, end),
            }],
            "baselines": baseline,
        }],
        "evidences": [evidence(keys)],
        "device": device(keys),
        "resources": text(keys, "k8s.pod.name").map(|pod| json!([{
            "type": "Pod",
            "name": pod,
            "uid": text(keys, "k8s.pod.uid"),
            "namespace": text(keys, "k8s.namespace.name"),
        }])),
    })
}

/// The events that an incident is made of.
fn related(keys: &Keys) -> Option<Vec<Value>> {
    let hops = keys.get("incident.hops")?.as_array()?;
    let ids = hops.iter().filter_map(|hop| hop.get("events")?.as_array()).flatten();
    Some(ids.map(|id| json!({"uid": id})).collect())
}

/// The object and how often it was seen; behind it, where it stands for many, the first of them.
fn observations(keys: &Keys, start: Option<i64>, end: Option<i64>) -> Vec<Value> {
    let whole = json!({
        "value": text(keys, "drift.object"),
        "count": keys.get("drift.count"),
        "timespan": {"start_time": start, "end_time": end},
    });
    let examples = texts(keys, "drift.group.examples").into_iter();
    [whole].into_iter().chain(examples.map(|example| json!({"value": example}))).collect()
}

fn evidence(keys: &Keys) -> Value {
    let user = |id: &Value| json!({"uid": id.to_string()});
    let args = texts(keys, "process.command_args");
    let process = keys.get("process.pid").map(|pid| {
        let path = text(keys, "process.executable.path").unwrap_or_default();
        json!({
            "pid": pid,
            "namespace_pid": keys.get("process.vpid"),
            "name": name_of(path),
            "cmd_line": shlex::try_join(args).ok(),
            "working_directory": text(keys, "process.working_directory"),
            "file": file(path),
            "user": keys.get("process.user.id").map(user),
            "parent_process": parent(keys),
        })
    });
    json!({
        "process": process,
        "file": text(keys, "file.path").map(file),
        "src_endpoint": endpoint(keys, "source"),
        "dst_endpoint": endpoint(keys, "destination"),
        "query": text(keys, "dns.question.name").map(|name| json!({"hostname": name})),
        "device": device(keys),
        "container": text(keys, "container.id").map(|id| json!({
            "uid": id,
            "name": text(keys, "k8s.container.name").or(text(keys, "container.name")),
            "runtime": text(keys, "container.runtime.name"),
            "pod_uuid": text(keys, "k8s.pod.uid"),
            "orchestrator": text(keys, "k8s.pod.name").map(|_| "kubernetes"),
            "image": image(keys),
        })),
    })
}

fn parent(keys: &Keys) -> Option<Value> {
    let pid = keys.get("process.parent_pid")?;
    let parent = keys.get("process.ancestry").and_then(|ancestry| ancestry.get(0));
    let path = parent.and_then(|parent| parent.get("executable")?.as_str());
    Some(json!({"pid": pid, "name": path.map(name_of), "file": path.map(file)}))
}

fn image(keys: &Keys) -> Option<Value> {
    let name = text(keys, "container.image.name");
    let uid = text(keys, "container.image.id").or(name)?;
    let tag = texts(keys, "container.image.tags").into_iter().next();
    Some(json!({"uid": uid, "name": name, "tag": tag}))
}

/// Where the event comes from; the type 1 is a server.
fn device(keys: &Keys) -> Option<Value> {
    text(keys, "host.name").map(|name| json!({"hostname": name, "type_id": 1, "type": "Server"}))
}

/// What sort of file it is nobody asked.
fn file(path: &str) -> Value {
    json!({"path": path, "name": name_of(path), "type_id": 0})
}

fn endpoint(keys: &Keys, end: &str) -> Option<Value> {
    let address = text(keys, &format!("{end}.address"))?;
    let ip = address.parse::<IpAddr>().is_ok().then_some(address);
    // A socket of the file system has a path instead.
    let name = ip.is_none().then_some(address);
    Some(json!({
        "ip": ip,
        "name": name,
        "port": keys.get(&format!("{end}.port")),
        "hostname": text(keys, &format!("{end}.domain")),
    }))
}

fn attack(id: &str, version: Option<&str>) -> Value {
    let base = id.split('.').next().unwrap_or(id);
    let sub = (base != id).then(|| json!({"uid": id}));
    json!({"technique": {"uid": base}, "sub_technique": sub, "version": version})
}

fn millis(keys: &Keys, key: &str) -> Option<i64> {
    text(keys, key)?.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}
