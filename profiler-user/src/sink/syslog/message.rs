//! One event as a message of RFC 5424, in a frame of RFC 6587 (octet counting).

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Deserialize;

use crate::drift::Severity;
use crate::sink::SinkError;
use crate::store::StoredEvent;

/// `authpriv`: who may read the node's security log may read this.
const FACILITY: u8 = 10;

/// RFC 5424 wants an enterprise's number behind the name. None is registered for Driftline: this is the one that RFC 5612 reserves
/// for documentation, so receivers should go by the name.
const ELEMENT: &str = "driftline@32473";

/// What the header and the structured data show.
#[derive(Deserialize)]
struct Shown {
    #[serde(rename = "event.id")]
    id: String,
    #[serde(rename = "event.action")]
    action: String,
    /// The chain's own lines have none.
    #[serde(rename = "drift.object")]
    object: Option<String>,
    #[serde(rename = "host.name")]
    host: Option<String>,
    #[serde(rename = "container.id")]
    container: Option<String>,
    #[serde(rename = "k8s.namespace.name")]
    namespace: Option<String>,
    #[serde(rename = "k8s.pod.name")]
    pod: Option<String>,
}

/// `LENGTH <PRI>1 TIME HOST driftline - KIND [driftline@32473 …] LINE`; the length counts octets.
pub(super) fn frame(event: &StoredEvent) -> Result<Vec<u8>, SinkError> {
    let message = message(event)?;
    Ok([message.len().to_string().as_bytes(), b" ", message.as_bytes()].concat())
}

fn message(event: &StoredEvent) -> Result<String, SinkError> {
    let shown: Shown = serde_json::from_str(&event.line).map_err(SinkError::new)?;
    let priority = FACILITY * 8 + level(event.severity);
    let time = micros(event.last);
    let host = header(shown.host.as_deref().unwrap_or_default(), 255);
    let kind = header(&event.kind, 32);
    let seq = event.seq.to_string();
    let parameters = [
        ("eventId", Some(shown.id.as_str())),
        ("action", Some(&shown.action)),
        ("seq", Some(&seq)),
        ("severity", Some(event.severity.name())),
        ("object", shown.object.as_deref()),
        ("containerId", shown.container.as_deref()),
        ("namespace", shown.namespace.as_deref()),
        ("pod", shown.pod.as_deref()),
    ];
    let mut data = String::new();
    for (name, value) in parameters {
        if let Some(value) = value {
            let _ = write!(data, " {name}=\"{}\"", parameter(value)?);
        }
    }
    // RFC 5424 asks for it before UTF-8. ASCII needs none, and most readers of JSON stumble over it.
    let mark = if event.line.is_ascii() { "" } else { "\u{feff}" };
    Ok(format!(
        "<{priority}>1 {time} {host} driftline - {kind} [{ELEMENT}{data}] {mark}{}",
        event.line
    ))
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
fn parameter(value: &str) -> Result<String, SinkError> {
    let json = serde_json::to_string(value).map_err(SinkError::new)?;
    let inside = json.get(1..json.len() - 1).unwrap_or_default();
    let mut escaped = String::with_capacity(inside.len());
    for character in inside.chars() {
        if matches!(character, '"' | '\\' | ']') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    Ok(escaped)
}
