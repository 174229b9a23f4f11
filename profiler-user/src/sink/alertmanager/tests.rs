use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::any;
use serde_json::{Value, json};

use super::*;
use crate::store::Write;
use crate::store::testing::write;

mod real;
mod routes;
mod tls;

/// What a request held: path, authorization, alerts.
type Request = (String, Option<String>, Vec<Value>);

/// An Alertmanager that does as it is told.
#[derive(Clone, Default)]
struct Fake {
    requests: Arc<Mutex<Vec<Request>>>,
    /// Refuses all requests with this.
    refuse: Arc<Mutex<Option<StatusCode>>>,
    /// Refuses, as malformed, requests with an alert of this kind.
    bad_kind: Arc<Mutex<Option<&'static str>>>,
}

impl Fake {
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(any(answer)).with_state(self.clone());
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        url
    }

    fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

async fn answer(
    State(fake): State<Fake>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, &'static str) {
    let alerts: Vec<Value> =
        if body.is_empty() { Vec::new() } else { serde_json::from_str(&body).unwrap() };
    let is_bad = |kind| alerts.iter().any(|alert| alert["labels"]["drift_kind"] == kind);
    let bad = fake.bad_kind.lock().unwrap().is_some_and(is_bad);
    let authorization =
        headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    fake.requests.lock().unwrap().push((uri.path().to_owned(), authorization, alerts));
    let refused = *fake.refuse.lock().unwrap();
    match refused {
        Some(status) => (status, "go\naway"),
        None if bad => (StatusCode::BAD_REQUEST, "start time must be before end time"),
        None => (StatusCode::OK, ""),
    }
}

/// An event of now, with the keys that a cluster gives it.
fn event(seq: i64, change: Value) -> StoredEvent {
    let now = Timestamp::now();
    let mut line = json!({
        "event.id": format!("01K{seq}"), "event.seq": seq, "drift.count": 1, "drift.object": "/bin/sh",
        "drift.sentence": "nginx ran /bin/sh", "k8s.cluster.name": "prod", "k8s.namespace.name": "shop",
        "driftline.workload": "web", "container.image.name": "registry/web", "k8s.pod.name": "web-0",
        "k8s.container.name": "web", "k8s.node.name": "node-1", "container.id": "c0",
    });
    let mut event = StoredEvent {
        seq,
        line: String::new(),
        action: crate::drift::Action::Created,
        kind: "exec".to_owned(),
        severity: crate::drift::Severity::High,
        time: now,
        last: now,
    };
    let Value::Object(change) = change else { panic!("keys are an object") };
    for (key, value) in change {
        match (key.as_str(), value.as_str()) {
            ("kind", Some(kind)) => kind.clone_into(&mut event.kind),
            ("action", _) => event.action = crate::drift::Action::Updated,
            ("ago", _) => {
                let ago = SignedDuration::from_secs(value.as_i64().unwrap());
                (event.time, event.last) = (now - ago, now - ago);
            }
            _ => line[key] = value,
        }
    }
    event.line = line.to_string();
    event
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_alert_says_what_tells_it_apart_in_labels_and_the_rest_beside_them() {
    let fake = Fake::default();
    let url = format!("{}/am/", fake.start().await).replace("//1", "//me:pa%20ss@1");
    let mut sink =
        Alertmanager::new(&url, Some("https://runbooks.example/drift".to_owned())).unwrap();
    assert!(sink.name().starts_with("alertmanager:http://127.0.0.1:"), "{}", sink.name());
    assert!(!format!("{sink:?}").contains("pa"), "{sink:?}");
    let event = event(1, json!({}));
    sink.deliver(std::slice::from_ref(&event)).await.unwrap();
    let (path, authorization, alerts) = fake.requests().remove(0);
    assert_eq!(path, "/am/api/v2/alerts");
    assert_eq!(authorization.as_deref(), Some("Basic bWU6cGEgc3M="));
    assert_eq!(
        alerts[0]["labels"],
        json!({
            "alertname": "DriftlineDrift", "drift_kind": "exec", "severity": "high", "cluster": "prod",
            "namespace": "shop", "workload": "web", "image_repo": "registry/web",
        })
    );
    let since = format!("{:.0}", event.time);
    assert_eq!(
        alerts[0]["annotations"],
        json!({
            "summary": "nginx ran /bin/sh",
            "description": format!(
                "Behaviour of kind exec that no baseline holds was seen once since {since}, last at {since}. \
                 The newest: nginx ran /bin/sh."
            ),
            "count": "1", "last_object": "/bin/sh", "event_ids": "01K1", "pod": "web-0", "node": "node-1",
            "container": "web", "runbook_url": "https://runbooks.example/drift",
            "timeline_query": format!(
                "driftline investigate timeline --namespace shop --workload web --kind exec --since {since}"
            ),
        })
    );
    assert_eq!(time(&alerts[0]["startsAt"]), event.time);
    assert_eq!(time(&alerts[0]["endsAt"]), event.last + QUIET);
}

#[tokio::test]
async fn what_is_unknown_is_absent_and_one_label_set_is_one_alert() {
    let fake = Fake::default();
    let mut sink = Alertmanager::new(&fake.start().await, None).unwrap();
    let bare = json!({
        "k8s.cluster.name": null, "k8s.namespace.name": "", "driftline.workload": null, "k8s.pod.name": null,
        "k8s.container.name": null, "k8s.node.name": null, "host.name": "here",
    });
    let mut more = bare.clone();
    more["drift.object"] = "/bin/id".into();
    let mut other = bare.clone();
    other["kind"] = "syscall".into();
    sink.deliver(&[event(1, bare), event(2, more), event(3, other)]).await.unwrap();
    let (_, _, mut alerts) = fake.requests().remove(0);
    alerts.sort_by_key(|alert| alert["labels"]["drift_kind"].to_string());
    assert_eq!(alerts.len(), 2);
    let labels = alerts[0]["labels"].as_object().unwrap();
    assert_eq!(
        labels.keys().collect::<Vec<_>>(),
        ["alertname", "drift_kind", "image_repo", "severity"]
    );
    let annotations = &alerts[0]["annotations"];
    assert_eq!(annotations["count"], "2");
    assert_eq!(annotations["event_ids"], "01K1 01K2");
    assert_eq!(annotations["last_object"], "/bin/id");
    assert_eq!((&annotations["node"], &annotations["container"]), (&json!("here"), &json!("c0")));
}

#[tokio::test]
async fn repeats_are_counted_once_also_when_a_batch_comes_again() {
    let fake = Fake::default();
    let mut sink = Alertmanager::new(&fake.start().await, None).unwrap();
    *fake.refuse.lock().unwrap() = Some(StatusCode::SERVICE_UNAVAILABLE);
    let repeat = json!({"event.id": "01K1", "drift.count": 40, "action": "updated"});
    let events = [event(1, json!({})), event(2, repeat), event(3, json!({}))];
    for _ in 0..3 {
        let error = sink.deliver(&events).await.unwrap_err().to_string();
        assert!(error.ends_with(" answers 503 Service Unavailable: go\\naway"), "{error}");
    }
    fake.requests();
    *fake.refuse.lock().unwrap() = None;
    sink.deliver(&events).await.unwrap();
    let (_, _, alerts) = fake.requests().remove(0);
    assert_eq!(alerts[0]["annotations"]["count"], "41");
}

#[tokio::test]
async fn one_malformed_alert_does_not_cost_the_others() {
    let fake = Fake::default();
    let mut sink = Alertmanager::new(&fake.start().await, None).unwrap();
    *fake.bad_kind.lock().unwrap() = Some("dns");
    let alone = event(1, json!({"kind": "dns"}));
    assert!(sink.deliver(std::slice::from_ref(&alone)).await.is_err(), "nothing was taken");
    let kinds = ["exec", "syscall", "file.read", "file.write", "net.connect"];
    let others = (2..).zip(kinds).map(|(seq, kind)| event(seq, json!({"kind": kind})));
    let events: Vec<_> = [alone].into_iter().chain(others).collect();
    fake.requests();
    sink.deliver(&events).await.unwrap();
    let mut taken: Vec<_> = fake
        .requests()
        .into_iter()
        .flat_map(|(_, _, alerts)| alerts)
        .map(|alert| alert["labels"]["drift_kind"].as_str().unwrap().to_owned())
        .collect();
    taken.sort();
    taken.dedup();
    assert!(kinds.iter().all(|kind| taken.contains(&(*kind).to_owned())), "{taken:?}");
    assert!(sink.next_tick().unwrap() > Instant::now() + Duration::from_secs(50), "all are done");
}

#[tokio::test]
async fn an_alert_that_could_only_be_sent_late_is_not_born_dead() {
    let fake = Fake::default();
    let mut sink = Alertmanager::new(&fake.start().await, None).unwrap();
    let old = event(1, json!({"ago": 7200}));
    sink.deliver(std::slice::from_ref(&old)).await.unwrap();
    let (_, _, alerts) = fake.requests().remove(0);
    assert_eq!(time(&alerts[0]["startsAt"]), old.time);
    assert!(time(&alerts[0]["endsAt"]) > Timestamp::now() + SignedDuration::from_mins(4));
}

#[tokio::test]
async fn after_a_restart_what_is_open_is_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let now = Timestamp::now();
    let writes = [2 * 3600, 600, 300, 0].into_iter().map(|ago| {
        let Write::Event(mut event) = write(&format!("/{ago}")) else { unreachable!() };
        event.time = now - SignedDuration::from_secs(ago);
        event.last = event.time;
        Write::Event(event)
    });
    store.commit(writes.collect()).await.unwrap();
    let fake = Fake::default();
    let mut sink = Alertmanager::new(&fake.start().await, None).unwrap();
    // The last one was not delivered yet.
    sink.restore(&store, 3).await.unwrap();
    assert!(sink.next_tick().unwrap() <= Instant::now());
    sink.tick().await.unwrap();
    let (_, _, alerts) = fake.requests().remove(0);
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0]["annotations"]["count"], "2");
    assert_eq!(time(&alerts[0]["startsAt"]), now - SignedDuration::from_secs(600));
    assert_eq!(time(&alerts[0]["endsAt"]), now - SignedDuration::from_secs(300) + QUIET);
    let due = sink.next_tick().unwrap() - Instant::now();
    assert!(due > Duration::from_secs(55) && due <= RESEND, "{due:?}");
    sink.deliver(&store.events_after(3, 9).await.unwrap()).await.unwrap();
    let (_, _, alerts) = fake.requests().remove(0);
    assert_eq!(alerts[0]["annotations"]["count"], "3");
}

#[tokio::test]
async fn trying_it_out_sends_no_alert() {
    let fake = Fake::default();
    let url = fake.start().await.replace("//1", "//me:hunter2@1");
    let mut sink = Alertmanager::new(&format!("{url}/am/"), None).unwrap();
    sink.try_out().await.unwrap().unwrap();
    let (path, authorization, alerts) = fake.requests().remove(0);
    assert_eq!((path.as_str(), alerts), ("/am/api/v2/status", Vec::new()));
    assert!(authorization.is_some());
    *fake.refuse.lock().unwrap() = Some(StatusCode::UNAUTHORIZED);
    let error = sink.try_out().await.unwrap().unwrap_err().to_string();
    assert!(error.ends_with("/am answers 401 Unauthorized: go\\naway"), "{error}");
}

#[tokio::test]
async fn no_error_shows_a_password() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let mut sink =
        Alertmanager::new(&format!("http://me:hunter2@{closed}/?token=hunter2"), None).unwrap();
    let error = sink.deliver(&[event(1, json!({}))]).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("http://{closed} cannot be reached: ")), "{error}");
    assert!(error.contains("Connection refused") && !error.contains("hunter2"), "{error}");
    for url in
        ["ftp://me:hunter2@host", "http://me:hunter2@", "me:hunter2", "http://me:hunter2@[::"]
    {
        let error = Alertmanager::new(url, None).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn one_that_never_answers_is_given_up_after_ten_seconds() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut sink = Alertmanager::new(&url, None).unwrap();
    let begun = Instant::now();
    let error = sink.deliver(&[event(1, json!({}))]).await.unwrap_err().to_string();
    assert!(error.ends_with("cannot be reached: no answer within 10 s"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(15));
    drop(listener);
}

#[tokio::test]
async fn a_word_about_the_chain_is_no_alert() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let machine = crate::drift::Node { host_name: "node-1".to_owned(), name: None, cluster: None };
    let note = crate::store::HeadNote {
        id: ulid::Ulid::new(),
        action: crate::drift::Action::Created,
        machine,
    };
    store.commit(vec![write("/a"), Write::Head(Box::new(note))]).await.unwrap();
    let events = store.events_after(0, 9).await.unwrap();
    assert_eq!(events.iter().map(StoredEvent::is_drift).collect::<Vec<_>>(), [true, false]);
    let mut open = OpenAlerts::new(None);
    open.merge(&events[1], true);
    assert!(open.due(Instant::now()).is_empty());
    open.merge(&events[0], true);
    assert_eq!(open.due(Instant::now()).len(), 1);
}

#[tokio::test]
async fn what_is_silenced_is_no_alert_and_what_comes_after_it_counts_for_itself() {
    let fake = Fake::default();
    let mut sink = Alertmanager::new(&fake.start().await, None).unwrap();
    let silenced = json!({"drift.count": 7, "event.id": "01K", "drift.silence.id": "01S"});
    sink.deliver(&[event(1, silenced)]).await.unwrap();
    assert_eq!(fake.requests().len(), 0);
    let goes_on = json!({"action": "updated", "drift.count": 9, "event.id": "01K"});
    sink.deliver(&[event(2, goes_on)]).await.unwrap();
    let requests = fake.requests();
    assert_eq!(requests[0].2[0]["annotations"]["count"], "2");
}
