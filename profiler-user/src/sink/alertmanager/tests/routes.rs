//! The example that is shipped for Alertmanager, in Debian's: what is grouped, what is kept back, who is called.

use tokio::time::{sleep, timeout};

use super::real::Server;
use super::*;

/// What Alertmanager sends to its receivers: `/on-call`, and the message.
async fn receivers() -> (String, Arc<Mutex<Vec<(String, Value)>>>) {
    type Came = Arc<Mutex<Vec<(String, Value)>>>;
    async fn take(State(came): State<Came>, uri: Uri, body: String) -> StatusCode {
        let message = serde_json::from_str(&body).unwrap();
        came.lock().unwrap().push((uri.path().to_owned(), message));
        StatusCode::OK
    }
    let came = Came::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let router = Router::new().fallback(any(take)).with_state(Arc::clone(&came));
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    (address, came)
}

/// The alerts of the messages that came to a receiver: workload and kind, message by message.
fn told(came: &[(String, Value)], receiver: &str) -> Vec<Vec<(String, String)>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of = |message: &Value| {
        let alerts = message["alerts"].as_array().unwrap().iter();
        let labels = alerts.map(|alert| &alert["labels"]);
        let mut all: Vec<_> =
            labels.map(|labels| (text(&labels["workload"]), text(&labels["drift_kind"]))).collect();
        all.sort();
        all
    };
    came.iter().filter(|(to, _)| to == receiver).map(|(_, message)| of(message)).collect()
}

fn drift(seq: i64, workload: &str, kind: &str, severity: crate::drift::Severity) -> StoredEvent {
    let mut event = event(seq, json!({"kind": kind, "driftline.workload": workload}));
    event.severity = severity;
    event
}

#[tokio::test]
async fn a_workload_is_one_message_and_what_is_less_grave_than_its_worst_is_kept_back() {
    use crate::drift::Severity::{Critical, High, Info, Low, Medium};

    let _is_there = rustls::crypto::ring::default_provider().install_default();
    let (address, came) = receivers().await;
    let example = include_str!("../../../../deploy/prometheus/alertmanager.example.yaml");
    assert_eq!(example.matches("group_wait: 10s").count(), 1);
    let config =
        example.replace("127.0.0.1:8080", &address).replace("group_wait: 10s", "group_wait: 3s");
    let Some(server) = Server::start_with(&config).await else { return };
    let mut sink = Alertmanager::new(&server.url, None).unwrap();
    let mut canary = event(9, json!({"kind": "exec", "drift.canary": true}));
    canary.severity = Info;
    sink.deliver(&[
        // Two kinds of one workload, and another workload: two messages.
        drift(1, "cart", "exec", High),
        drift(2, "cart", "net.connect", High),
        drift(3, "mail", "exec", High),
        // Critical, and the rest of the same workload.
        drift(4, "web", "exec.fileless", Critical),
        drift(5, "web", "file.write", Medium),
        drift(6, "db", "file.write", Medium),
        drift(7, "db", "dns", Low),
        canary,
    ])
    .await
    .unwrap();
    let watchdog = json!([{"labels": {"alertname": "DriftlineWatchdog", "severity": "none"}}]);
    let down = |name: &str| json!([{"labels": {"alertname": name, "severity": "high", "job": "driftline", "instance": "a", "sink": "otlp"}}]);
    for alerts in [watchdog, down("DriftlineSinkDown"), down("DriftlineCanaryStale")] {
        let answer = reqwest::Client::new()
            .post(format!("{}/api/v2/alerts", server.url))
            .json(&alerts)
            .send();
        assert!(answer.await.unwrap().status().is_success());
    }
    let all_came = || {
        let came = came.lock().unwrap();
        told(&came, "/on-call").len() >= 4
            && !told(&came, "/team").is_empty()
            && !told(&came, "/dead-man").is_empty()
    };
    let waited = timeout(Duration::from_secs(40), async {
        while !all_came() {
            sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(waited.await.is_ok(), "{:#?}", came.lock().unwrap());
    // Whatever else would be sent of the same groups has been sent by now.
    sleep(Duration::from_secs(4)).await;
    let came = came.lock().unwrap().clone();
    let pair = |workload: &str, kind: &str| (workload.to_owned(), kind.to_owned());
    let mut called = told(&came, "/on-call");
    called.sort();
    let sink_down = vec![pair("", "")];
    let cart = vec![pair("cart", "exec"), pair("cart", "net.connect")];
    let expected =
        [sink_down, cart, vec![pair("mail", "exec")], vec![pair("web", "exec.fileless")]];
    assert_eq!(called, expected);
    assert_eq!(told(&came, "/team"), [vec![pair("db", "file.write")]]);
    assert_eq!(told(&came, "/dead-man").len(), 1);

    // Kept back, and there to be seen.
    let alerts = server.alerts().await;
    let find = |name: &str, kind: Value| {
        let is_it = |alert: &&Value| {
            alert["labels"]["alertname"] == name
                && alert["labels"]["drift_kind"] == kind
                && alert["labels"]["workload"] != "db"
        };
        alerts.iter().find(is_it).unwrap_or_else(|| panic!("{name} {kind} in {alerts:#?}"))
    };
    for (name, kind) in
        [("DriftlineDrift", json!("file.write")), ("DriftlineCanaryStale", Value::Null)]
    {
        let alert = find(name, kind);
        assert_eq!(alert["status"]["state"], "suppressed", "{alert:#}");
        assert_eq!(alert["status"]["inhibitedBy"].as_array().unwrap().len(), 1, "{alert:#}");
    }
    let canary = find("DriftlineCanary", json!("exec"));
    assert_eq!(canary["receivers"], json!([{"name": "nobody"}]));
    assert!(sink.confirm(&event(9, json!({"drift.canary": true}))).await.is_ok());
    let unknown = sink.confirm(&event(77, json!({"drift.canary": true}))).await;
    let error = unknown.unwrap_err().to_string();
    assert!(error.contains("does not show it"), "{error}");
}
