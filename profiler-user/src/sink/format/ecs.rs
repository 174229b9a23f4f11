//! ECS: nested names of its own, and `driftline.*` for the rest.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::{Keys, name_of, rank, text, texts, without_nulls};

/// The version of the field list that the tests hold this against.
pub(super) const VERSION: &str = "9.4.0";

/// Native keys whose values stand as they are under another name.
const RENAMED: [(&str, &str); 28] = [
    ("event.id", "event.id"),
    ("event.seq", "event.sequence"),
    ("event.action", "event.action"),
    ("time", "event.start"),
    ("observer.version", "observer.version"),
    ("host.name", "host.name"),
    ("container.id", "container.id"),
    ("container.name", "container.name"),
    ("k8s.container.name", "container.name"),
    ("container.image.name", "container.image.name"),
    ("container.image.tags", "container.image.tag"),
    ("container.runtime.name", "container.runtime"),
    ("k8s.cluster.name", "orchestrator.cluster.name"),
    ("k8s.namespace.name", "orchestrator.namespace"),
    ("k8s.pod.name", "orchestrator.resource.name"),
    ("k8s.pod.uid", "orchestrator.resource.id"),
    ("process.executable.path", "process.executable"),
    ("process.command_args", "process.args"),
    ("process.working_directory", "process.working_directory"),
    ("process.pid", "process.pid"),
    ("process.vpid", "process.vpid"),
    ("process.parent_pid", "process.parent.pid"),
    ("file.path", "file.path"),
    ("file.target_path", "file.target_path"),
    ("file.mode", "file.mode"),
    ("network.transport", "network.transport"),
    ("destination.domain", "destination.domain"),
    ("dns.question.name", "dns.question.name"),
];

/// The two ends of a connection.
const ENDS: [&str; 2] = ["source", "destination"];

pub(super) fn convert(mut keys: Keys) -> Value {
    let mut event = described(&keys);
    for (from, to) in RENAMED {
        if let Some(value) = keys.remove(from) {
            put(&mut event, to, value);
        }
    }
    for end in ENDS {
        for part in ["address", "port"] {
            if let Some(value) = keys.remove(&format!("{end}.{part}")) {
                put(&mut event, &format!("{end}.{part}"), value);
            }
        }
    }
    // These are said above.
    for said in ["time.last", "drift.sentence"] {
        keys.remove(said);
    }
    for (key, value) in keys {
        put(&mut event, &format!("driftline.{key}"), value);
    }
    without_nulls(event)
}

/// What is not just renamed.
fn described(keys: &Keys) -> Value {
    let kind = text(keys, "drift.kind");
    let (category, action) = sort(kind.unwrap_or_default());
    let techniques = texts(keys, "threat.technique.id");
    let bases: Vec<&str> = techniques.iter().map(|id| id.split('.').next().unwrap_or(id)).collect();
    let subs: Vec<&&str> = techniques.iter().filter(|id| id.contains('.')).collect();
    let executable = text(keys, "process.executable.path");
    let parent = keys.get("process.ancestry").and_then(|ancestry| ancestry.get(0));
    let user = ["user.id", "process.user.id"].iter().find_map(|key| keys.get(*key));
    let as_text = |id: &Value| Value::String(id.to_string());
    let address = |end: &str| {
        text(keys, &format!("{end}.address")).filter(|text| text.parse::<IpAddr>().is_ok())
    };
    let [source, destination] = ENDS.map(address);
    let ips: Vec<&str> =
        [source, destination, text(keys, "k8s.pod.ip")].into_iter().flatten().collect();
    let digests: Vec<&str> = texts(keys, "container.image.repo_digests")
        .into_iter()
        .filter_map(|digest| Some(digest.split_once('@')?.1))
        .collect();
    let in_pod = keys.contains_key("k8s.pod.name");
    let risk = [1, 21, 47, 73, 99].get(usize::from(rank(keys)) - 1);
    json!({
        "@timestamp": keys.get("time.last"),
        "ecs": {"version": VERSION},
        "message": text(keys, "drift.sentence").or(text(keys, "chain.record")).unwrap_or("event"),
        "event": {
            "kind": if kind.is_some() { "alert" } else { "event" },
            "category": category,
            "type": action,
            "module": "driftline",
            "provider": "driftline",
            "dataset": if kind.is_some() { "driftline.drift" } else { "driftline.chain" },
            "code": kind,
            "reason": text(keys, "drift.sentence"),
            "severity": rank(keys),
            "risk_score": risk,
            "end": keys.get("time.last"),
        },
        "observer": {"vendor": "Driftline", "product": "Driftline", "type": "ids"},
        "rule": {
            "id": text(keys, "drift.fingerprint"),
            "name": text(keys, "drift.rule").or(kind),
            "version": text(keys, "drift.rules_version"),
        },
        "threat": (!techniques.is_empty()).then(|| json!({
            "framework": "MITRE ATT&CK",
            "technique": {
                "id": bases,
                "subtechnique": (!subs.is_empty()).then(|| json!({"id": subs})),
            },
        })),
        "process": {
            "name": executable.map(name_of),
            "args_count": keys.get("process.command_args").and_then(Value::as_array).map(Vec::len),
            "user": {"id": keys.get("process.user.id").map(as_text)},
            "parent": parent.map(|parent| json!({
                "executable": parent.get("executable"),
                "args": parent.get("args"),
            })),
        },
        "file": {"name": text(keys, "file.path").map(name_of)},
        "user": {
            "id": user.map(as_text),
            "effective": {"id": keys.get("user.effective.id").map(as_text)},
        },
        "source": {"ip": source},
        "destination": {"ip": destination},
        "container": {"image": {"hash": {"all": (!digests.is_empty()).then_some(digests)}}},
        "orchestrator": in_pod.then(|| json!({
            "type": "kubernetes",
            "resource": {"type": "pod", "ip": text(keys, "k8s.pod.ip").map(|ip| [ip])},
        })),
        "related": {"ip": (!ips.is_empty()).then_some(ips)},
    })
}

/// `event.category` and `event.type`, of the values that ECS allows.
fn sort(kind: &str) -> ([&'static str; 2], [&'static str; 1]) {
    let sort = match kind {
        "exec" | "exec.parent" | "exec.args" | "exec.fileless" | "exec.injected"
        | "exec.not_in_image" => ("process", "start"),
        "file.read" | "file.map_exec" => ("file", "access"),
        "file.write" | "file.meta" => ("file", "change"),
        "file.delete" => ("file", "deletion"),
        "file.link" => ("file", "creation"),
        "net.connect" | "net.accept" | "net.unix" | "incident.lateral" => ("network", "connection"),
        "net.listen" | "net.socket" => ("network", "start"),
        "dns" => ("network", "protocol"),
        "" | "image.unprofiled" | "sensor.gap" => ("host", "info"),
        _ => ("process", "info"),
    };
    let first = if kind.is_empty() { "configuration" } else { "intrusion_detection" };
    ([first, sort.0], [sort.1])
}

/// Puts a value at a path of names; where a part of it holds a value already, the rest is one name.
fn put(to: &mut Value, path: &str, value: Value) {
    let Value::Object(keys) = to else { return };
    let (first, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
    match (rest, keys.get_mut(first)) {
        (Some(rest), Some(inner)) if inner.is_object() => put(inner, rest, value),
        (Some(rest), None | Some(Value::Null)) => {
            let mut inner = json!({});
            put(&mut inner, rest, value);
            keys.insert(first.to_owned(), inner);
        }
        (Some(_), Some(_)) => {
            keys.insert(path.to_owned(), value);
        }
        (None, Some(Value::Object(there))) if !there.is_empty() => {
            there.insert("value".to_owned(), value);
        }
        (None, _) => {
            keys.insert(first.to_owned(), value);
        }
    }
}
