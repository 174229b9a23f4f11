//! Secrets in what a runtime answers: values of the environment whole, elsewhere what the rules find.

use serde_json::Value;

use crate::redact::Redactor;

const HIDDEN: &str = "{redacted}";

pub(super) fn secrets(value: &mut Value, redactor: &Redactor) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match key.to_ascii_lowercase().as_str() {
                    "env" | "envs" => environment(value),
                    // Of registries, in a runtime's configuration.
                    "auth" | "auths" | "identitytoken" => *value = Value::String(HIDDEN.to_owned()),
                    _ => named(key, value, redactor),
                }
            }
        }
        Value::Array(values) => array(values, redactor),
        Value::String(text) => *text = hidden(text, redactor),
        _ => {}
    }
}

fn named(key: &str, value: &mut Value, redactor: &Redactor) {
    let Value::String(text) = value else { return secrets(value, redactor) };
    let assigned = redactor.redact_text(&format!("{key}={text}"));
    match assigned.strip_prefix(key).and_then(|rest| rest.strip_prefix('=')) {
        Some(rest) if rest != text => rest.clone_into(text),
        _ => *text = hidden(text, redactor),
    }
}

/// Arguments are looked at together: a flag says what the next one is.
fn array(values: &mut [Value], redactor: &Redactor) {
    let texts: Option<Vec<String>> =
        values.iter().map(|one| one.as_str().map(str::to_owned)).collect();
    let Some(texts) = texts else {
        return values.iter_mut().for_each(|one| secrets(one, redactor));
    };
    for (value, text) in values.iter_mut().zip(redactor.redact_args(texts)) {
        *value = Value::String(text);
    }
}

/// Annotations hold whole objects as texts: `last-applied-configuration`.
fn hidden(text: &str, redactor: &Redactor) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(mut inner @ (Value::Object(_) | Value::Array(_))) => {
            secrets(&mut inner, redactor);
            inner.to_string()
        }
        _ => redactor.redact_text(text),
    }
}

fn environment(value: &mut Value) {
    let Value::Array(values) = value else {
        *value = Value::String(HIDDEN.to_owned());
        return;
    };
    for one in values {
        match one {
            Value::String(text) => {
                let name = text.split_once('=').map_or("", |(name, _)| name);
                *text = format!("{name}={HIDDEN}");
            }
            Value::Object(map) => {
                for (key, value) in map {
                    if !matches!(key.as_str(), "name" | "key") {
                        *value = Value::String(HIDDEN.to_owned());
                    }
                }
            }
            other => *other = Value::String(HIDDEN.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_planted_password_is_nowhere() {
        let inner = json!({"env": [{"name": "HARMLESS", "value": "Zq7planted"}]}).to_string();
        let mut answer = json!({
            "info": {"runtimeSpec": {"process": {
                "env": ["HARMLESS=Zq7planted", "PATH=/bin"],
                "args": ["mysql", "--password", "Zq7planted"],
            }}},
            "config": {"envs": [{"key": "A", "value": "Zq7planted"}]},
            "annotations": {"last-applied": inner, "password": "Zq7planted"},
            "registry": {"auth": {"username": "Zq7planted", "password": "Zq7planted"}},
            "url": "https://user:Zq7planted@example.com/",
        });
        secrets(&mut answer, &Redactor::new([7; 32]));
        let text = answer.to_string();
        assert!(!text.contains("Zq7"), "{text}");
        assert!(text.contains("HARMLESS={redacted}") && text.contains("example.com"), "{text}");
    }
}
