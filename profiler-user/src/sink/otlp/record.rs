//! Events as log records of OpenTelemetry, one resource for each container.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::{Map, Value};

use crate::drift::Severity;
use crate::store::StoredEvent;

/// What keys begin with that tell where something happened, not what.
const OF_RESOURCE: [&str; 3] = ["container.", "host.", "k8s."];

/// The first of these that is known is the service's name.
const SERVICE: [&str; 4] =
    ["driftline.workload", "k8s.container.name", "container.name", "container.image.name"];

/// The events in their order, those of one container together.
pub(super) fn request(events: &[StoredEvent]) -> ExportLogsServiceRequest {
    let mut resource_logs: Vec<ResourceLogs> = Vec::new();
    for event in events {
        let (resource, record) = record(event);
        let same = |logs: &ResourceLogs| logs.resource.as_ref() == Some(&resource);
        let at = resource_logs.iter().position(same).unwrap_or_else(|| {
            resource_logs.push(logs_of(resource));
            resource_logs.len() - 1
        });
        let scopes = resource_logs.get_mut(at).into_iter().flat_map(|logs| &mut logs.scope_logs);
        scopes.for_each(|scope| scope.log_records.push(record.clone()));
    }
    ExportLogsServiceRequest { resource_logs }
}

/// A resource without records yet.
fn logs_of(resource: Resource) -> ResourceLogs {
    ResourceLogs {
        resource: Some(resource),
        scope_logs: vec![ScopeLogs { scope: Some(scope()), ..ScopeLogs::default() }],
        ..ResourceLogs::default()
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "driftline".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}

/// A line that cannot be read has no keys; it is the body, as it is.
fn record(event: &StoredEvent) -> (Resource, LogRecord) {
    let keys: Map<String, Value> = serde_json::from_str(&event.line).unwrap_or_default();
    let text = |key: &str| keys.get(key).and_then(Value::as_str);
    let nanoseconds = u64::try_from(event.last.as_nanosecond()).unwrap_or(0);
    let (number, name) = severity(event.severity);
    let body = text("drift.sentence").unwrap_or(&event.line).to_owned();
    let schema = text("schema_version").and_then(|version| version.split('/').next());
    let event_name = schema.unwrap_or("driftline").to_owned();
    let id = text("event.id").map(|id| format!("{id}-{}", event.seq));
    let service = SERVICE.into_iter().find_map(text).unwrap_or("driftline").to_owned();

    let of_resource = |key: &String| OF_RESOURCE.iter().any(|start| key.starts_with(start));
    let (resource, others): (Vec<_>, Vec<_>) =
        keys.into_iter().partition(|(key, _)| of_resource(key));
    let mut resource = attributes(resource);
    resource.push(attribute("service.name", Any::StringValue(service)));
    let mut attributes = attributes(others);
    // The same when it comes twice.
    attributes.extend(id.map(|id| attribute("log.record.uid", Any::StringValue(id))));
    let record = LogRecord {
        time_unix_nano: nanoseconds,
        observed_time_unix_nano: nanoseconds,
        severity_number: number.into(),
        severity_text: name.to_owned(),
        body: Some(AnyValue { value: Some(Any::StringValue(body)) }),
        attributes,
        event_name,
        ..LogRecord::default()
    };
    (Resource { attributes: resource, ..Resource::default() }, record)
}

const fn severity(severity: Severity) -> (SeverityNumber, &'static str) {
    let number = match severity {
        Severity::Info => SeverityNumber::Info,
        Severity::Low => SeverityNumber::Info2,
        Severity::Medium => SeverityNumber::Warn,
        Severity::High => SeverityNumber::Error,
        Severity::Critical => SeverityNumber::Fatal,
    };
    (number, severity.name())
}

fn attributes(keys: Vec<(String, Value)>) -> Vec<KeyValue> {
    keys.into_iter()
        .map(|(key, value)| KeyValue { key, value: Some(any(value)), ..KeyValue::default() })
        .collect()
}

fn attribute(key: &str, value: Any) -> KeyValue {
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn any(value: Value) -> AnyValue {
    let value = match value {
        Value::Null => None,
        Value::Bool(value) => Some(Any::BoolValue(value)),
        Value::Number(number) => Some(match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => Any::IntValue(value),
            (None, Some(value)) => Any::DoubleValue(value),
            (None, None) => Any::StringValue(number.to_string()),
        }),
        Value::String(value) => Some(Any::StringValue(value)),
        Value::Array(values) => {
            Some(Any::ArrayValue(ArrayValue { values: values.into_iter().map(any).collect() }))
        }
        Value::Object(keys) => {
            Some(Any::KvlistValue(KeyValueList { values: attributes(keys.into_iter().collect()) }))
        }
    };
    AnyValue { value }
}
