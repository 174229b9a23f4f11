use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsPartialSuccess;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::*;
use crate::drift::sample;
use crate::drift::{DriftKind, Origin};
use crate::sink::Spool;
use crate::sink::hostile;
use crate::store::testing::{verified, write};
use crate::store::{Store, Write};

/// What is answered: status, `Retry-After`, records rejected.
type Reply = (u16, &'static str, i64);

/// A receiver that reads requests by OpenTelemetry's own types; 200 once no reply is left.
#[derive(Clone, Default)]
struct Receiver {
    came: Arc<Mutex<Vec<ExportLogsServiceRequest>>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    /// Refuses, as malformed, requests with this in a body.
    malformed: Arc<Mutex<Option<&'static str>>>,
}

async fn take(
    State(receiver): State<Receiver>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(&'static str, &'static str); 2], Vec<u8>) {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let request = ExportLogsServiceRequest::decode(body).unwrap();
    let of_bad = |bad| records(&request).iter().any(|(_, record)| body_of(record).contains(bad));
    let is_bad = receiver.malformed.lock().unwrap().is_some_and(of_bad);
    let reply = receiver.replies.lock().unwrap().pop_front();
    let (status, pause, rejected_log_records) =
        if is_bad { (400, "", 0) } else { reply.unwrap_or((200, "", 0)) };
    if status == 200 {
        receiver.came.lock().unwrap().push(request);
    }
    let error_message = "too old\nfor me".to_owned();
    let partial = ExportLogsPartialSuccess { rejected_log_records, error_message };
    let partial_success = (rejected_log_records > 0).then_some(partial);
    let answer = ExportLogsServiceResponse { partial_success }.encode_to_vec();
    let headers = [("content-type", "application/x-protobuf"), ("retry-after", pause)];
    (StatusCode::from_u16(status).unwrap(), headers, answer)
}

impl Receiver {
    async fn listen(&self, address: &str) -> (String, JoinHandle<()>) {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = Router::new().route("/v1/logs", post(take)).with_state(self.clone());
        (address, tokio::spawn(async { axum::serve(listener, router).await.unwrap() }))
    }

    fn records(&self) -> Vec<(Vec<KeyValue>, LogRecord)> {
        self.came.lock().unwrap().iter().flat_map(records).collect()
    }
}

/// Each with what its resource says.
fn records(request: &ExportLogsServiceRequest) -> Vec<(Vec<KeyValue>, LogRecord)> {
    let mut all = Vec::new();
    for logs in &request.resource_logs {
        let resource = &logs.resource.as_ref().unwrap().attributes;
        for record in logs.scope_logs.iter().flat_map(|scope| &scope.log_records) {
            all.push((resource.clone(), record.clone()));
        }
    }
    all
}

fn text(value: Option<&AnyValue>) -> &str {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => text,
        other => panic!("no text: {other:?}"),
    }
}

fn body_of(record: &LogRecord) -> &str {
    text(record.body.as_ref())
}

fn get<'a>(attributes: &'a [KeyValue], key: &str) -> &'a Any {
    let found = attributes.iter().find(|one| one.key == key);
    let value = found.unwrap_or_else(|| panic!("{key} is not there")).value.as_ref();
    value.and_then(|value| value.value.as_ref()).unwrap()
}

fn string(text: &str) -> Any {
    Any::StringValue(text.to_owned())
}

async fn until(mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(30), waiting).await.unwrap();
}

/// A store with this receiver behind it.
async fn way(address: &str) -> (tempfile::TempDir, Store, Spool, JoinSet<()>) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).await.unwrap();
    let (mut spool, mut tasks) = (Spool::new(store.clone()), JoinSet::new());
    spool.add(Otlp::new(&format!("http://{address}")).unwrap(), &mut tasks).await.unwrap();
    (dir, store, spool, tasks)
}

fn in_pod(pod: &str, object: &str) -> Write {
    let mut event = sample::event(DriftKind::FileRead, &sample::read(object));
    event.origin = Arc::new(Origin {
        namespace: Some("shop".to_owned()),
        pod: Some(pod.to_owned()),
        node: Some("node-1".to_owned()),
        container_id: Some(format!("id-of-{pod}")),
        image_tags: vec!["1.2".to_owned(), "latest".to_owned()],
        workload: Some("web".to_owned()),
        ..Origin::of_command("node-1".to_owned(), "registry/web")
    });
    Write::Event(Box::new(event))
}

#[tokio::test]
async fn records_are_of_their_container_and_hostile_names_come_as_they_are() {
    let receiver = Receiver::default();
    let (address, _serving) = receiver.listen("127.0.0.1:0").await;
    let (_dir, store, spool, _tasks) = way(&address).await;
    let objects = hostile::names();
    let pod = |n: usize| if n.is_multiple_of(2) { "web-0" } else { "web-1" };
    let writes = objects.iter().enumerate().map(|(n, object)| in_pod(pod(n), object));
    store.commit(writes.collect()).await.unwrap();
    until(|| spool.status()[0].queue_length == 0).await;
    let events = verified(&store).await;
    let requests = receiver.came.lock().unwrap().clone();
    let with_records: Vec<_> =
        requests.iter().filter(|one| !one.resource_logs.is_empty()).collect();
    assert_eq!(with_records.len(), 1);
    assert_eq!(with_records[0].resource_logs.len(), 2, "one resource for each container");
    let records = receiver.records();
    assert_eq!(records.len(), objects.len());
    for (resource, record) in &records {
        let Any::IntValue(seq) = get(&record.attributes, "event.seq") else { panic!("no number") };
        let event = &events[usize::try_from(*seq).unwrap() - 1];
        let n = usize::try_from(*seq).unwrap() - 1;
        let value: serde_json::Value = serde_json::from_str(&event.line).unwrap();
        assert_eq!(get(&record.attributes, "drift.object"), &string(&objects[n]));
        let id = format!("{}-{seq}", value["event.id"].as_str().unwrap());
        assert_eq!(get(&record.attributes, "log.record.uid"), &string(&id));
        assert_eq!(body_of(record), value["drift.sentence"].as_str().unwrap());
        assert_eq!(u128::from(record.time_unix_nano), event.last.as_nanosecond().unsigned_abs());
        assert_eq!((record.severity_number, &*record.severity_text), (10, "low"));
        assert_eq!(record.event_name, "driftline.drift");
        for (key, expected) in [
            ("k8s.pod.name", pod(n)),
            ("k8s.namespace.name", "shop"),
            ("k8s.node.name", "node-1"),
            ("container.id", &format!("id-of-{}", pod(n))),
            ("container.image.name", "registry/web"),
            ("service.name", "web"),
        ] {
            assert_eq!(get(resource, key), &string(expected));
        }
        let Any::ArrayValue(tags) = get(resource, "container.image.tags") else {
            panic!("no list")
        };
        assert_eq!(
            tags.values.iter().map(|tag| text(Some(tag))).collect::<Vec<_>>(),
            ["1.2", "latest"]
        );
        // Nothing of the line is missing.
        let keys = resource.len() + record.attributes.len();
        assert_eq!(keys, value.as_object().unwrap().len() + 2);
    }
}

#[tokio::test]
async fn what_is_rejected_is_counted_and_what_cannot_be_taken_now_waits() {
    let receiver = Receiver::default();
    let (address, _serving) = receiver.listen("127.0.0.1:0").await;
    // The first is for the request without records.
    let replies = [(200, "", 0), (429, "1", 0), (503, "", 0), (404, "", 0), (200, "", 2)];
    receiver.replies.lock().unwrap().extend(replies);
    let (_dir, store, spool, _tasks) = way(&address).await;
    until(|| spool.status()[0].up == Some(true)).await;
    let begun = Instant::now();
    store.commit((0..5).map(|n| write(&format!("/{n}"))).collect()).await.unwrap();
    until(|| spool.status()[0].queue_length == 0).await;
    assert!(begun.elapsed() > Duration::from_secs(1), "it asked to be left alone for a second");
    let status = spool.status().remove(0);
    assert_eq!((status.failures, status.refused), (3, 2));
    assert_eq!(receiver.records().len(), 5, "once");
    assert_eq!(status.name, format!("otlp:http://{address}/v1/logs"));
}

#[tokio::test]
async fn one_event_that_is_refused_costs_no_other() {
    let receiver = Receiver::default();
    let (address, _serving) = receiver.listen("127.0.0.1:0").await;
    *receiver.malformed.lock().unwrap() = Some("/bad");
    let (_dir, store, spool, _tasks) = way(&address).await;
    let names = ["/a", "/bad", "/b", "/c", "/d"];
    store.commit(names.iter().map(|name| write(name)).collect()).await.unwrap();
    until(|| spool.status()[0].queue_length == 0).await;
    assert_eq!((spool.status()[0].failures, spool.status()[0].refused), (0, 1));
    let taken: Vec<_> = receiver.records();
    let taken: Vec<_> =
        taken.iter().map(|(_, record)| get(&record.attributes, "drift.object")).collect();
    assert_eq!(taken, ["/a", "/b", "/c", "/d"].map(string).iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_receiver_that_was_away_gets_everything() {
    let receiver = Receiver::default();
    let (address, serving) = receiver.listen("127.0.0.1:0").await;
    let (_dir, store, spool, _tasks) = way(&address).await;
    store.commit(vec![write("/before")]).await.unwrap();
    until(|| spool.status()[0].queue_length == 0).await;
    serving.abort();
    let _aborted = serving.await;
    store.commit((0..600).map(|n| write(&format!("/{n}"))).collect()).await.unwrap();
    until(|| spool.status()[0].up == Some(false)).await;
    let (_, _serving) = receiver.listen(&address).await;
    until(|| spool.status()[0].queue_length == 0).await;
    assert_eq!(receiver.records().len(), 601);
}

#[test]
fn addresses_are_checked_and_passwords_not_shown() {
    for (url, name) in [
        ("http://me:hunter2@collector:4318", "otlp:http://collector:4318/v1/logs"),
        ("https://logs.example/otlp/", "otlp:https://logs.example/otlp/v1/logs"),
        ("http://collector:4318/v1/logs", "otlp:http://collector:4318/v1/logs"),
    ] {
        let sink = Otlp::new(url).unwrap();
        assert_eq!(sink.name(), name);
        assert!(!format!("{sink:?}").contains("hunter2"));
    }
    for bad in ["collector:4318", "grpc://collector:4317", ""] {
        assert!(Otlp::new(bad).is_err(), "{bad}");
    }
}
