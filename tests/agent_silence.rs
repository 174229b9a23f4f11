//! What is silenced calls nobody and is in the record; when that is over, what goes on is told.

use std::{fs, process::Output, time::Duration};

use support::{
    agent::{self, Agent, EVENTS},
    driftline,
    pods::{Node, Pod, PodSpec},
    receiver::Receiver,
    told::{busybox, can_run, events_of, metric, until, wait_for_event},
};

const SOON: Duration = Duration::from_secs(15);

fn silence(node: &Node, args: &[&str]) -> Output {
    let mut command = node.command(driftline());
    command.arg("silence").args(args).args(["--store", "/var/lib/driftline"]);
    command.output().expect("driftline runs")
}

fn pod(node: &Node, namespace: &str) -> Pod {
    node.run(PodSpec::new(namespace, "job").container(busybox("app", "sleep 1000")))
}

fn shell(pod: &Pod, script: &str) {
    assert_eq!(pod.container("app").exec(&["/bin/sh", "-c", script]).code, 0);
}

#[test]
fn a_silence_keeps_from_calling_and_from_nothing_else() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let (alerts, hook) = (Receiver::start(&node, 9093, 200), Receiver::start(&node, 9095, 200));
    let sinks =
        [["--alertmanager", "http://127.0.0.1:9093"], ["--webhook", "http://127.0.0.1:9095/hook"]];
    let mut watcher = Agent::start(&node, "watch", &[&EVENTS[..], sinks.as_flattened()].concat());
    // The first of an image without a baseline is told of, whatever it does.
    let loud = pod(&node, "cart");
    wait_for_event(&node, &loud, "image.unprofiled", SOON);

    let wide = silence(&node, &["add", "--for", "1h", "--reason", "x", "--namespace", "shop"]);
    assert_eq!(wide.status.code(), Some(2), "{wide:?}");
    let why = "the restore is rehearsed (OPS-7)";
    let kinds = ["--kind", "exec.injected", "--kind", "file.write"];
    let place = ["--object", "/*", "--namespace", "shop", "--by", "ann"];
    let args = [&["add", "--for", "1h", "--reason", why][..], &kinds, &place].concat();
    let added = silence(&node, &args);
    assert!(added.status.success(), "{added:?}");
    assert!(String::from_utf8_lossy(&added.stderr).contains("warning: it silences every object"));
    let id = String::from_utf8(added.stdout).expect("UTF-8").trim().to_owned();
    until(Duration::from_secs(2), "the silence", || {
        metric(&watcher, "driftline_silences_active") > 0.5
    });
    let listed = silence(&node, &["list"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains(&id) && listed.contains(&format!("ann: {why}")), "{listed}");

    let quiet = pod(&node, "shop");
    shell(&quiet, "echo x >>/etc/shadow");
    let writes = |pod| {
        until(SOON, "the write", || {
            events_of(&node, pod).iter().any(|event| event["drift.object"] == "/etc/shadow")
        });
        let mut events = events_of(&node, pod);
        events.retain(|event| event["drift.object"] == "/etc/shadow");
        events
    };
    let event = writes(&quiet).remove(0);
    for (key, value) in [
        ("drift.silence.id", id.as_str()),
        ("drift.silence.reason", why),
        ("drift.silence.by", "ann"),
        ("drift.rule", "accounts-written"),
    ] {
        assert_eq!(event[key], value, "{event:#}");
    }
    shell(&loud, "echo x >>/etc/shadow");
    let told = wait_for_event(&node, &loud, "file.write", SOON);
    assert!(told["drift.silence.id"].is_null(), "{told:#}");
    let [quiet_uid, loud_uid] = [&quiet, &loud].map(|pod| pod.spec.uid.clone());
    // Sinks get events in their order: where the second is, the first was passed by.
    let id_of_told = told["event.id"].as_str().expect("each event has one");
    until(SOON, "the other pod's request", || hook.has(id_of_told) && hook.has(&loud_uid));
    until(SOON, "the other pod's alert", || alerts.has("file.write"));
    assert!(!hook.has(&quiet_uid) && !alerts.has("\"namespace\":\"shop\""));
    let series = "driftline_silenced_drift_events_total{severity=\"high\"}";
    assert!(metric(&watcher, series) > 0.5);

    let ended = silence(&node, &["end", &id, "--by", "bob"]);
    assert!(ended.status.success(), "{ended:?}");
    until(Duration::from_secs(2), "its end", || {
        metric(&watcher, "driftline_silences_active") < 0.5
    });
    // That this is written is known to the kernel, and crosses again all the same. A repeat is told once a minute.
    shell(&quiet, "echo x >>/etc/shadow");
    until(Duration::from_secs(90), "what goes on", || hook.has(&quiet_uid));
    until(SOON, "its alert", || alerts.has("\"namespace\":\"shop\""));
    let last = writes(&quiet).pop().expect("it is there");
    assert_eq!(last["event.action"], "updated");
    assert!(last["drift.silence.id"].is_null(), "{last:#}");

    fs::write(node.outside("/var/lib/driftline/silences.json"), "{").expect("writable");
    watcher.wait_for("silences.json cannot be used", Duration::from_secs(3));
    assert!(metric(&watcher, "driftline_silences_broken") > 0.5);
    let said = watcher.stop();
    assert_eq!(said.matches("silences.json cannot be used").count(), 1, "{said}");
    let words: Vec<_> = agent::history(&node)
        .events
        .into_iter()
        .filter(|event| event["chain.record"] == "silence")
        .collect();
    let over: Vec<_> =
        words.iter().map(|word| (&word["event.action"], &word["event.id"])).collect();
    assert_eq!(over, [(&"created".into(), &id.as_str().into()), (&"closed".into(), &id.into())]);
    assert_eq!(
        (&words[1]["silence.over"], &words[1]["silence.ended_by"]),
        (&"ended".into(), &"bob".into())
    );
    [quiet, loud].into_iter().for_each(Pod::remove);
}
