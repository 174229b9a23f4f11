use std::collections::VecDeque;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::*;
use crate::sink::{Spool, hostile};
use crate::store::Store;
use crate::store::testing::{verified, write};

mod template;

const SECRET: &str = "sixteen bytes or more";

/// A receiver: what came, and what it is to answer next; 200 once nothing is left.
#[derive(Clone, Default)]
struct Receiver {
    came: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    answers: Arc<Mutex<VecDeque<(u16, &'static str)>>>,
}

impl Receiver {
    async fn listen(&self, address: &str) -> (String, JoinHandle<()>) {
        async fn take(
            State(receiver): State<Receiver>,
            headers: HeaderMap,
            body: Bytes,
        ) -> (StatusCode, [(&'static str, &'static str); 1]) {
            receiver.came.lock().unwrap().push((headers, body));
            let answer = receiver.answers.lock().unwrap().pop_front();
            let (status, pause) = answer.unwrap_or((200, ""));
            (StatusCode::from_u16(status).unwrap(), [("retry-after", pause)])
        }
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = Router::new().route("/secret/path", post(take)).with_state(self.clone());
        (address, tokio::spawn(async { axum::serve(listener, router).await.unwrap() }))
    }

    fn answer(&self, answers: &[(u16, &'static str)]) {
        self.answers.lock().unwrap().extend(answers);
    }

    fn bodies(&self) -> Vec<String> {
        let came = self.came.lock().unwrap();
        came.iter().map(|(_, body)| String::from_utf8(body.to_vec()).unwrap()).collect()
    }

    fn header(&self, at: usize, name: &str) -> String {
        self.came.lock().unwrap()[at].0[name].to_str().unwrap().to_owned()
    }
}

async fn until(mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(30), waiting).await.unwrap();
}

struct Way {
    _dir: tempfile::TempDir,
    store: Store,
    spool: Spool,
    _tasks: JoinSet<()>,
}

/// A store with a webhook behind it.
async fn way(address: &str) -> Way {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).await.unwrap();
    let file = dir.path().join("key");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    let key = Some(Key::read(&file).unwrap());
    let sink = Webhook::new(&format!("http://{address}/secret/path"), key, Format::Native).unwrap();
    let (mut spool, mut tasks) = (Spool::new(store.clone()), JoinSet::new());
    spool.add(sink, &mut tasks).await.unwrap();
    Way { _dir: dir, store, spool, _tasks: tasks }
}

/// By a program that is not ours.
fn by_openssl(text: &[u8]) -> Option<String> {
    let mut command = Command::new("openssl");
    command.args(["dgst", "-sha256", "-mac", "HMAC", "-macopt", &format!("key:{SECRET}")]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    child.stdin.take().unwrap().write_all(text).unwrap();
    let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    Some(output.rsplit_once("= ").unwrap().1.trim().to_owned())
}

/// One drift a second for an hour.
const HOUR: usize = 3600;

#[tokio::test]
async fn a_receiver_that_was_away_gets_what_an_hour_brought_each_once_and_in_order() {
    let receiver = Receiver::default();
    // Nobody listens at an address that is free.
    let (address, serving) = receiver.listen("127.0.0.1:0").await;
    serving.abort();
    let _aborted = serving.await;
    let way = way(&address).await;
    for minute in 0..60 {
        let objects = (0..HOUR / 60).map(|second| format!("/{minute}/{second}"));
        way.store.commit(objects.map(|object| write(&object)).collect()).await.unwrap();
    }
    until(|| way.spool.status()[0].last_error.is_some()).await;
    assert_eq!(way.spool.status()[0].queue_length, HOUR as u64);
    let (_, _serving) = receiver.listen(&address).await;
    let all = async {
        while receiver.came.lock().unwrap().len() < HOUR {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_mins(3), all).await.unwrap();
    until(|| way.spool.status()[0].queue_length == 0).await;
    let lines: Vec<_> = verified(&way.store).await.into_iter().map(|event| event.line).collect();
    assert!(receiver.bodies() == lines, "each once, in order");
}

#[tokio::test]
async fn each_event_comes_whole_signed_and_with_a_name_of_its_own() {
    let receiver = Receiver::default();
    let (address, _serving) = receiver.listen("127.0.0.1:0").await;
    let way = way(&address).await;
    let objects = hostile::names();
    way.store.commit(objects.iter().map(|object| write(object)).collect()).await.unwrap();
    until(|| receiver.bodies().len() == objects.len()).await;
    let events = verified(&way.store).await;
    for (at, (event, body)) in events.iter().zip(receiver.bodies()).enumerate() {
        assert_eq!(body, event.line);
        let value: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(value["drift.object"], objects[at]);
        assert_eq!(receiver.header(at, "content-type"), "application/json");
        let name = format!("{}-{}", value["event.id"].as_str().unwrap(), event.seq);
        assert_eq!(receiver.header(at, "idempotency-key"), name);
        let signature = receiver.header(at, "driftline-signature");
        let (time, hash) = signature.split_once(",v1=").unwrap();
        let seconds = time.strip_prefix("t=").unwrap();
        assert!((Timestamp::now().as_second() - seconds.parse::<i64>().unwrap()).abs() < 60);
        match by_openssl(format!("{seconds}.{body}").as_bytes()) {
            Some(expected) => assert_eq!(hash, expected),
            None => eprintln!("SKIPPED: openssl cannot be run"),
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_receiver_waits_and_what_is_wrong_with_an_event_goes() {
    let receiver = Receiver::default();
    let (address, _serving) = receiver.listen("127.0.0.1:0").await;
    let way = way(&address).await;
    receiver.answer(&[(503, "1"), (200, ""), (401, ""), (302, ""), (422, ""), (413, "")]);
    way.store.commit((0..5).map(|n| write(&format!("/{n}"))).collect()).await.unwrap();
    until(|| way.spool.status()[0].queue_length == 0).await;
    let objects: Vec<_> = receiver
        .bodies()
        .iter()
        .map(|body| {
            let value: serde_json::Value = serde_json::from_str(body).unwrap();
            value["drift.object"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(objects, ["/0", "/0", "/1", "/1", "/1", "/2", "/3", "/4"]);
    let status = way.spool.status().remove(0);
    assert_eq!((status.failures, status.refused), (3, 2));
    // No line of it was asked to wait for longer than was said.
    assert!(status.name.starts_with(&format!("webhook:http://{address}#")), "{}", status.name);
    assert!(!status.name.contains("secret"));
}

#[tokio::test]
async fn a_receiver_that_was_away_gets_everything() {
    let receiver = Receiver::default();
    let (address, serving) = receiver.listen("127.0.0.1:0").await;
    let way = way(&address).await;
    way.store.commit(vec![write("/before")]).await.unwrap();
    until(|| receiver.bodies().len() == 1).await;
    serving.abort();
    let _aborted = serving.await;
    way.store.commit((0..300).map(|n| write(&format!("/{n}"))).collect()).await.unwrap();
    until(|| way.spool.status()[0].last_error.is_some()).await;
    let (_, _serving) = receiver.listen(&address).await;
    until(|| way.spool.status()[0].queue_length == 0).await;
    let lines: Vec<_> = verified(&way.store).await.into_iter().map(|event| event.line).collect();
    let bodies = receiver.bodies();
    assert!(lines.iter().all(|line| bodies.contains(line)));
}

#[tokio::test]
async fn trying_it_out_sends_no_event() {
    let receiver = Receiver::default();
    let (address, serving) = receiver.listen("127.0.0.1:0").await;
    let mut sink =
        Webhook::new(&format!("http://{address}/secret/path"), None, Format::Ocsf).unwrap();
    sink.try_out().await.unwrap().unwrap();
    assert!(receiver.bodies().is_empty(), "it takes POST alone");
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.commit(vec![write("/a")]).await.unwrap();
    let events = verified(&store).await;
    sink.deliver(&events).await.unwrap();
    assert_eq!(
        receiver.bodies(),
        [Format::Ocsf.render(&events[0].line)],
        "in the format asked for"
    );
    serving.abort();
    let _aborted = serving.await;
    let error = sink.try_out().await.unwrap().unwrap_err().to_string();
    assert!(error.contains("cannot be reached: ") && !error.contains("secret"), "{error}");
}

#[test]
fn bad_addresses_and_keys_are_refused_without_showing_them() {
    for bad in ["hooks.example/s3cret", "ftp://hooks.example/s3cret", "", "https://:s3cret"] {
        let error = Webhook::new(bad, None, Format::Native).unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{error}");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "too short\n").unwrap();
    assert!(Key::read(file.path()).is_err());
    std::fs::write(file.path(), SECRET).unwrap();
    assert_eq!(format!("{:?}", Key::read(file.path()).unwrap()), "Key(…)");
}
