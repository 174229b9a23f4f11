//! One event as a message of RFC 5424, in a frame of RFC 6587 (octet counting).

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Deserialize;

use crate::drift::{Action, Severity};
use crate::store::StoredEvent;

/// `authpriv`: who may read the node's security log may read this.
const FACILITY: u8 = 10;

/// RFC 5424 wants an enterprise's number behind the name. None is registered for Driftline: this is the one that RFC 5612 reserves
/// for documentation, so receivers should go by the name.
const ELEMENT: &str = "driftline@32473";

/// What the header and the structured data show of a line. What is not there, or is something else than text, is left out:
/// a line of a later version goes out all the same.
#[derive(Default, Deserialize)]
struct Shown {
    #[serde(rename = "event.id")]
    id: Option<String>,
    /// The chain's own lines have none.
    #[serde(rename = "drift.object")]
    object: Option<String>,
    #[serde(rename = "drift.count")]
    count: Option<u64>,
    /// Of an event that tells of many.
    #[serde(rename = "drift.group.objects")]
    objects: Option<u64>,
    #[serde(rename = "host.name")]
    host: Option<String>,
    #[serde(rename = "container.id")]
    container: Option<String>,
    #[serde(rename = "container.image.name")]
    image: Option<String>,
    #[serde(rename = "k8s.namespace.name")]
    namespace: Option<String>,
    #[serde(rename = "k8s.pod.name")]
    pod: Option<String>,
}

/// `LENGTH <PRI>1 TIME HOST driftline - KIND [driftline@32473 …] LINE`; the length counts octets.
pub(super) fn frame(event: &StoredEvent) -> Vec<u8> {
    let message = message(event);
    [message.len().to_string().as_bytes(), b" ", message.as_bytes()].concat()
}

fn message(event: &StoredEvent) -> String {
    let shown: Shown = serde_json::from_str(&event.line).unwrap_or_default();
    let priority = FACILITY * 8 + level(event.severity);
    let time = micros(event.last);
    let host = header(shown.host.as_deref().unwrap_or_default(), 255);
    let kind = header(&event.kind, 32);
    let seq = event.seq.to_string();
    let count = shown.count.map(|count| count.to_string());
    let objects = shown.objects.map(|objects| objects.to_string());
    let parameters = [
        ("eventId", shown.id.as_deref()),
        ("action", Some(action(event.action))),
        ("seq", Some(&*seq)),
        ("severity", Some(event.severity.name())),
        ("kind", Some(&*event.kind)),
        ("count", count.as_deref()),
        ("objects", objects.as_deref()),
        ("object", shown.object.as_deref()),
        ("image", shown.image.as_deref()),
        ("containerId", shown.container.as_deref()),
        ("namespace", shown.namespace.as_deref()),
        ("pod", shown.pod.as_deref()),
    ];
    let mut data = String::new();
    for (name, value) in parameters {
        if let Some(value) = value {
            let _ = write!(data, " {name}=\"{}\"", parameter(value));
        }
    }
    // RFC 5424 asks for it before UTF-8. ASCII needs none, and most readers of JSON stumble over it.
    let mark = if event.line.is_ascii() { "" } else { "\u{feff}" };
    format!("<{priority}>1 {time} {host} driftline - {kind} [{ELEMENT}{data}] {mark}{}", event.line)
}

const fn action(action: Action) -> &'static str {
    match action {
        Action::Created => "created",
        Action::Updated => "updated",
        Action::Closed => "closed",
    }
}

/// RFC 5424 allows six digits.
fn micros(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

const fn level(severity: Severity) -> u8 {
    match severity {
        Severity::Critical => 2,
        Severity::High => 3,
        Severity::Medium => 4,
        Severity::Low => 5,
        Severity::Info => 6,
    }
}

/// A field of the header: printable ASCII without spaces; `-` where nothing is left.
fn header(value: &str, longest: usize) -> String {
    let kept: String = value.chars().filter(char::is_ascii_graphic).take(longest).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}

/// As inside a JSON string, so that control characters are told apart from text; then as RFC 5424 escapes it.
fn parameter(value: &str) -> String {
    let json = serde_json::Value::from(value).to_string();
    let inside = json.get(1..json.len() - 1).unwrap_or_default();
    let mut escaped = String::with_capacity(inside.len());
    for character in inside.chars() {
        if matches!(character, '"' | '\\' | ']') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
