//! Who takes what every sink sends, and what came to them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use prost::Message as _;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

/// An Alertmanager, a webhook's receiver, an OTLP collector and a syslog server.
#[derive(Clone, Default)]
pub(super) struct Receivers {
    requests: Arc<Mutex<Vec<(String, Bytes)>>>,
    syslog: Arc<Mutex<Vec<u8>>>,
}

impl Receivers {
    /// As `HOST:PORT` of those that speak HTTP, and of syslog.
    pub(super) async fn listen(&self) -> [String; 2] {
        async fn take(State(receivers): State<Receivers>, uri: Uri, body: Bytes) {
            receivers.requests.lock().unwrap().push((uri.path().to_owned(), body));
        }
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let syslog = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = [&http, &syslog].map(|one| one.local_addr().unwrap().to_string());
        let router = Router::new().fallback(take).with_state(self.clone());
        tokio::spawn(async { axum::serve(http, router).await.unwrap() });
        let bytes = Arc::clone(&self.syslog);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = syslog.accept().await {
                let bytes = Arc::clone(&bytes);
                tokio::spawn(async move {
                    let mut part = vec![0; 64 * 1024];
                    while let Ok(length @ 1..) = stream.read(&mut part).await {
                        bytes.lock().unwrap().extend_from_slice(&part[..length]);
                    }
                });
            }
        });
        addresses
    }

    fn bodies(&self, path: &str) -> Vec<Bytes> {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|(to, _)| to == path).map(|(_, body)| body.clone()).collect()
    }

    /// What was told of, by webhook, OTLP and syslog.
    pub(super) fn objects(&self) -> [(&'static str, HashSet<String>); 3] {
        let bodies = self.bodies("/hook");
        let hook = bodies.iter().flat_map(|body| in_text(body)).collect();
        let logs = self.bodies("/v1/logs");
        let logs = logs.iter().flat_map(|body| in_logs(body)).collect();
        let syslog = in_text(&self.syslog.lock().unwrap()).into_iter().collect();
        [("webhook", hook), ("otlp", logs), ("syslog", syslog)]
    }

    /// Occurrences that the alerts of one run of the agent count: those that came since this was last called.
    pub(super) fn counted(&self) -> u64 {
        let bodies = self.bodies("/api/v2/alerts");
        self.requests.lock().unwrap().retain(|(path, _)| path != "/api/v2/alerts");
        let count = |body: &Bytes| -> u64 {
            let alerts: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
            let alerts = alerts.as_array().into_iter().flatten();
            let counts = alerts.filter_map(|alert| alert["annotations"]["count"].as_str());
            counts.filter_map(|count| count.parse::<u64>().ok()).sum()
        };
        bodies.iter().map(count).max().unwrap_or(0)
    }
}

/// The objects of native lines.
fn in_text(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let parts = text.split("\"drift.object\":\"").skip(1);
    parts.filter_map(|part| Some(part.split_once('"')?.0.to_owned())).collect()
}

fn in_logs(body: &[u8]) -> Vec<String> {
    let request = ExportLogsServiceRequest::decode(body).unwrap();
    let scopes = request.resource_logs.into_iter().flat_map(|logs| logs.scope_logs);
    let attributes =
        scopes.flat_map(|scope| scope.log_records).flat_map(|record| record.attributes);
    let objects = attributes.filter(|attribute| attribute.key == "drift.object");
    let text = |value| if let Any::StringValue(text) = value { Some(text) } else { None };
    objects.filter_map(|attribute| text(attribute.value?.value?)).collect()
}
