//! Differences as SARIF 2.1.0 (OASIS, 2020): what is new is a result, at the line of the second file that holds it.

use serde_json::{Value, json};

use super::diff::{Difference, Differences};
use crate::drift::{DriftKind, Severity};

/// `text`: of the second file.
pub(super) fn log(differences: &Differences<'_>, text: &str) -> Value {
    let rules: Vec<_> = DriftKind::ALL.into_iter().map(rule).collect();
    let file = uri(&differences.to.file.to_string_lossy());
    let results: Vec<_> =
        differences.new.iter().map(|it| result(it, &file, line(text, it))).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "driftline",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(kind: DriftKind) -> Value {
    json!({"id": kind.name(), "shortDescription": {"text": format!("New behaviour: {kind}")}})
}

fn result(it: &Difference<'_>, file: &str, line: Option<usize>) -> Value {
    let why = it.why.map(|why| format!(": {why}")).unwrap_or_default();
    let index = DriftKind::ALL.iter().position(|kind| *kind == it.kind);
    let mut location = json!({"artifactLocation": {"uri": file}});
    if let Some(line) = line {
        location["region"] = json!({"startLine": line});
    }
    json!({
        "ruleId": it.kind.name(),
        "ruleIndex": index,
        "level": level(it.severity),
        "message": {"text": format!("{} is new{why}", it.phrase())},
        "locations": [{"physicalLocation": location}],
        "partialFingerprints": {
            "driftline/v1": format!("{} {} {}", it.list, it.executable.unwrap_or_default(), it.object),
        },
        "properties": {"severity": it.severity, "tags": it.techniques},
    })
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// A relative reference: bytes that may not stand in one are encoded.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte);
    let encoded = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    path.bytes().map(encoded).collect()
}

/// The entry's line, behind its executable's and its list's.
fn line(text: &str, it: &Difference<'_>) -> Option<usize> {
    let quoted = |key: &str| serde_json::to_string(key).ok().map(|key| format!("{key}: "));
    let mut lines = text.lines().enumerate();
    let steps = [it.executable, Some(it.list), Some(it.object)];
    let mut found = None;
    for step in steps.into_iter().flatten() {
        let key = quoted(step)?;
        found = Some(lines.find(|(_, line)| line.trim_start().starts_with(&key))?.0 + 1);
        if step == it.list && (it.list == "fileless" || it.list == "not_in_image") {
            break;
        }
    }
    found
}
