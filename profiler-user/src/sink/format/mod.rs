//! `--events-format`: the native line, or the same event as others name it.
//!
//! **Invariant:** nothing of an event is left out. What a schema has no name for stands by its native key, below `driftline` in ECS and in
//! `unmapped` in OCSF. The hash chain is over native lines, and only those can be proved with it.

mod ecs;
mod ocsf;

use std::borrow::Cow;

use clap::ValueEnum;
use serde_json::{Map, Value};

/// How an event is written, as one line of JSON.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// Flat keys of OpenTelemetry and `drift.*`, as in the history
    #[default]
    Native,
    /// Elastic Common Schema
    Ecs,
    /// OCSF Detection Finding (2004)
    Ocsf,
}

/// The native keys of an event.
type Keys = Map<String, Value>;

impl Format {
    /// How each line of any format begins, so that a file of ours is known.
    pub(super) const BEGINNINGS: [&[u8]; 3] =
        [br#"{"schema_version":"driftline."#, br#"{"@timestamp":""#, br#"{"activity_id":"#];

    /// From a native line. A line that cannot be read stays what it is: it shall not be lost.
    pub fn render(self, line: &str) -> Cow<'_, str> {
        let convert = match self {
            Self::Native => return Cow::Borrowed(line),
            Self::Ecs => ecs::convert,
            Self::Ocsf => ocsf::convert,
        };
        match serde_json::from_str(line) {
            Ok(keys) => Cow::Owned(convert(keys).to_string()),
            Err(_) => Cow::Borrowed(line),
        }
    }

    /// The native `event.seq` of a line of this format.
    pub(super) fn seq(self, line: &[u8]) -> Option<i64> {
        let pointer = match self {
            Self::Native => "/event.seq",
            Self::Ecs => "/event/sequence",
            Self::Ocsf => "/metadata/sequence",
        };
        serde_json::from_slice::<Value>(line).ok()?.pointer(pointer)?.as_i64()
    }
}

fn text<'a>(keys: &'a Keys, key: &str) -> Option<&'a str> {
    keys.get(key)?.as_str()
}

fn texts<'a>(keys: &'a Keys, key: &str) -> Vec<&'a str> {
    let list = keys.get(key).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The last part of a path.
fn name_of(path: &str) -> &str {
    path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path)
}

/// 1 to 5; 1 also for words about the chain.
fn rank(keys: &Keys) -> u8 {
    match text(keys, "drift.severity") {
        Some("critical") => 5,
        Some("high") => 4,
        Some("medium") => 3,
        Some("low") => 2,
        _ => 1,
    }
}

/// Leaves out what is unknown.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(keys) => {
            let known = keys.into_iter().map(|(key, value)| (key, without_nulls(value)));
            let is_known = |value: &Value| {
                !value.is_null() && value.as_object().is_none_or(|keys| !keys.is_empty())
            };
            Value::Object(known.filter(|(_, value)| is_known(value)).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
