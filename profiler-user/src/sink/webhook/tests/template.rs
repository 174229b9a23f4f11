//! Bodies by templates, and headers of the receiver's own.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::*;
use crate::behaviour::Operation;
use crate::drift::{Action, BaselineSignature, DriftKind, Event, Node, Notice, sample};
use crate::store::{HeadNote, Write};

fn shipped(name: &str) -> Template {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/webhook/");
    Template::load(format!("{path}{name}").as_ref()).unwrap()
}

/// What is tried at the start: a drift with all that may be known of it, one of a command, one that no process did, a canary, and a word
/// about the history; and the first once more, which the history then knows. `samples.jsonl` holds them, written by this.
async fn samples() -> Vec<String> {
    let args = ["sh", "-c", "id"];
    let mut whole =
        sample::event(DriftKind::Exec, &sample::exec("/bin/sh", &args, Some("/bin/app")));
    whole.origin = Arc::new(sample::origin());
    sample::with_history(&mut whole);
    whole.nearest = Some("app ran only /bin/app".to_owned());
    whole.pattern = Some("/bin/{word}".to_owned());
    whole.baseline_signature = Some(BaselineSignature::Verified);
    let id = ulid::Ulid::from_parts(2, 2);
    let again = Event { id, time: sample::later(60), last: sample::later(60), ..whole.clone() };
    let command = sample::event(DriftKind::FileMeta, &sample::change(Operation::Mode(0o755), "/a"));
    let bare = crate::drift::Context::unjudged(Arc::default(), "full");
    let notice = Notice {
        kind: DriftKind::SensorGap,
        object: "agent".to_owned(),
        sentence: "no driftline ran on this node for 9 s".to_owned(),
        refused: false,
        time: sample::start(),
        last: sample::start(),
    };
    let mut canary = sample::event(DriftKind::Exec, &sample::exec("/bin/driftline", &["x"], None));
    canary.canary = true;
    canary.severity = crate::drift::Severity::Info;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let event = |event: Event| Write::Event(Box::new(event));
    let mut writes: Vec<_> =
        [whole, command, notice.event(&bare), canary, sample::incident(), again].map(event).into();
    let machine = Node { host_name: "node-1".to_owned(), name: None, cluster: None };
    let head = HeadNote { id: ulid::Ulid::from_parts(1, 1), action: Action::Created, machine };
    writes.push(Write::Head(Box::new(head)));
    store.commit(writes).await.unwrap();
    verified(&store).await.into_iter().map(|event| event.line).collect()
}

fn keys(line: &str) -> BTreeSet<String> {
    serde_json::from_str::<Map<String, Value>>(line).unwrap().keys().cloned().collect()
}

#[tokio::test]
async fn a_template_is_tried_on_events_as_they_are() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sink/webhook/samples.jsonl");
    let real = samples().await;
    if std::env::var_os("DRIFTLINE_WRITE").is_some() {
        std::fs::write(path, format!("{}\n", real.join("\n"))).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap();
    let all = |lines: Vec<&str>| lines.into_iter().map(keys).collect::<Vec<_>>();
    assert_eq!(
        all(kept.lines().collect()),
        all(real.iter().map(String::as_str).collect()),
        "write it anew with DRIFTLINE_WRITE=1"
    );
}

#[tokio::test]
async fn the_shipped_templates_make_what_their_receivers_want() {
    let (slack, pagerduty) = (shipped("slack.json.j2"), shipped("pagerduty.json.j2"));
    let samples = samples().await;
    let made = |template: &Template, line: &str| -> Option<Value> {
        template.render(line).unwrap().map(|text| serde_json::from_str(&text).unwrap())
    };
    let message = made(&slack, &samples[0]).unwrap();
    let event: Value = serde_json::from_str(&samples[0]).unwrap();
    let severity = event["drift.severity"].as_str().unwrap();
    assert_eq!(message["text"], format!("*{severity}* exec on node-1"));
    let attachment = &message["attachments"][0];
    assert_eq!(attachment["fallback"], event["drift.sentence"]);
    assert_eq!(attachment["fields"][0]["value"], "prod/shop/web-0/nginx");
    let [_, command, notice, canary, incident, again, head] = &*samples else { panic!("seven") };
    assert!(again.contains("\"drift.seen\":{\"first\""), "{again}");
    assert!(made(&slack, again).is_some() && made(&pagerduty, again).is_some());
    assert!(made(&slack, incident).is_some() && made(&pagerduty, incident).is_some());
    assert_eq!(made(&slack, command).unwrap()["attachments"][0]["fields"][0]["value"], "node-1");
    assert!(made(&slack, notice).is_some());
    assert_eq!((made(&slack, canary), made(&slack, head)), (None, None));

    let with = |severity: &str, action: &str| {
        let mut event = event.clone();
        event["drift.severity"] = severity.into();
        event["event.action"] = action.into();
        event.to_string()
    };
    let incident = made(&pagerduty, &with("high", "created")).unwrap();
    assert_eq!(incident["event_action"], "trigger");
    assert_eq!(incident["dedup_key"], event["event.id"]);
    for (key, value) in [
        ("summary", event["drift.sentence"].clone()),
        ("source", json!("web-0")),
        ("severity", json!("error")),
        ("component", json!("web")),
        ("group", json!("shop")),
        ("class", json!("exec")),
        ("timestamp", event["time"].clone()),
    ] {
        assert_eq!(incident["payload"][key], value, "{incident:#}");
    }
    assert_eq!(incident["payload"]["custom_details"]["process.executable.path"], "/bin/sh");
    assert_eq!(
        made(&pagerduty, &with("critical", "created")).unwrap()["payload"]["severity"],
        "critical"
    );
    for line in [with("low", "created"), with("high", "updated"), head.clone()] {
        assert_eq!(made(&pagerduty, &line), None);
    }
    assert_eq!(made(&pagerduty, canary).unwrap()["event_action"], "resolve");
}

#[tokio::test]
async fn hostile_names_stay_what_they_are_in_a_template() {
    for template in [shipped("slack.json.j2"), shipped("pagerduty.json.j2")] {
        for name in hostile::names() {
            let mut event = sample::event(DriftKind::FileRead, &sample::read(&name));
            event.severity = crate::drift::Severity::High;
            event.sentence.clone_from(&name);
            let line = serde_json::to_string(&event).unwrap();
            let made: Value =
                serde_json::from_str(&template.render(&line).unwrap().unwrap()).unwrap();
            let said = made.pointer("/payload/custom_details/drift.sentence");
            let said = said.or(made.pointer("/attachments/0/fallback")).unwrap();
            assert_eq!(said, name.as_str());
        }
    }
}

#[test]
fn a_template_that_may_fail_later_is_refused_now() {
    for (text, why) in [
        ("{{", "syntax error"),
        ("{% if x %}{}", "unexpected end of input"),
        (r#"{"a": {{ event["k8s.pod.name"] }}}"#, "undefined value"),
        (r#"{"a": {{ event["drift.sentense"] }}}"#, "undefined value"),
        (r#"{"a": {{ unknown }}}"#, "undefined value"),
        (r#"{"a": "{{ event["event.id"] }}"}"#, "no JSON"),
        ("hello", "no JSON"),
        (r"{{ event | nofilter }}", "unknown filter"),
    ] {
        let error = Template::new(text.to_owned()).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
    assert!(
        Template::new(r#"{"a": {{ event["k8s.pod.name"] | default("-") }}}"#.to_owned()).is_ok()
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "{ s3cret").unwrap();
    let error = Template::load(file.path()).unwrap_err().to_string();
    assert!(error.contains("webhook template /") && !error.contains("s3cret"), "{error}");
    let error = Template::load("/no/such/file".as_ref()).unwrap_err().to_string();
    assert!(error.contains("No such file"), "{error}");
}

#[tokio::test]
async fn what_a_template_makes_is_signed_and_sent_with_the_receivers_own_headers() {
    let receiver = Receiver::default();
    let (address, serving) = receiver.listen("127.0.0.1:0").await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), SECRET).unwrap();
    let key = Key::read(file.path()).unwrap();
    let text = r#"{% if event["drift.object"] is defined and event["drift.object"] != "/no" %}{"o": {{ event["drift.object"] }}}{% endif %}"#;
    let template = Arc::new(Template::new(text.to_owned()).unwrap());
    let mut headers = Headers::default();
    headers.add("Authorization: Bearer s3cret:with:colons").unwrap();
    std::fs::write(file.path(), "# of the team\n\nX-Account:  7 \r\n").unwrap();
    headers.add_file(file.path()).unwrap();
    assert_eq!(format!("{headers:?}"), r#"["authorization", "x-account"]"#);
    let url = format!("http://{address}/secret/path");
    let sink = Webhook::new(&url, Some(key), Format::Native).unwrap();
    let mut sink = sink.with_template(Some(template)).with_headers(&headers);
    assert!(!format!("{sink:?}").contains("s3cret"));
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.commit(vec![write("/a\"b"), write("/no"), write("/c")]).await.unwrap();
    let events = verified(&store).await;
    sink.deliver(&events).await.unwrap();
    assert_eq!(receiver.bodies(), [r#"{"o": "/a\"b"}"#, r#"{"o": "/c"}"#]);
    assert_eq!(receiver.header(0, "authorization"), "Bearer s3cret:with:colons");
    assert_eq!(receiver.header(1, "x-account"), "7");
    let signature = receiver.header(0, "driftline-signature");
    let (time, hash) = signature.split_once(",v1=").unwrap();
    let signed = format!("{}.{}", time.strip_prefix("t=").unwrap(), receiver.bodies()[0]);
    match by_openssl(signed.as_bytes()) {
        Some(expected) => assert_eq!(hash, expected),
        None => eprintln!("SKIPPED: openssl cannot be run"),
    }
    // Of what it leaves out, it is asked whether the receiver is there.
    assert!(sink.confirm(&events[0]).await.is_ok() && sink.confirm(&events[1]).await.is_ok());
    serving.abort();
    let _aborted = serving.await;
    assert!(sink.confirm(&events[0]).await.is_ok() && sink.confirm(&events[1]).await.is_err());
}

#[test]
fn headers_that_cannot_be_are_refused_without_their_values() {
    let mut headers = Headers::default();
    for (text, why) in [
        ("s3cret", "no name with a colon"),
        (": s3cret", "is no name of a header"),
        ("X Y: s3cret", "is no name of a header"),
        ("X-Key: s3cret\u{7f}", "the value of the header x-key"),
        ("X-Key: s3cret\nHost: x", "the value of the header x-key"),
        ("Driftline-Signature: s3cret", "driftline's own"),
        ("content-length: s3cret", "driftline's own"),
    ] {
        let error = headers.add(text).unwrap_err().to_string();
        assert!(error.contains(why) && !error.contains("s3cret"), "{error}");
    }
    let error = headers.add_file("/no/such/file".as_ref()).unwrap_err().to_string();
    assert!(error.contains("No such file"), "{error}");
}
