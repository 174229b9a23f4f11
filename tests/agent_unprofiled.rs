//! An image that nobody recorded is watched all the same: what hardly any image does is told of it, by the workload itself as from outside.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use support::{
    agent::{self, Agent, EVENTS},
    pods::{Node, Pod, PodSpec},
    told::{busybox, can_run, events_of, until},
};

/// What the workload does, and what is to be told of it: kind, object, the rule that decided, severity.
const STEPS: [(&str, &str, &str, &str, &str); 9] = [
    ("echo 'x:!:1:::::' >/etc/shadow", "file.write", "/etc/shadow", "accounts-written", "high"),
    ("read line </etc/shadow", "file.read", "/etc/shadow", "password-hashes", "high"),
    (
        "cp /bin/busybox /srv/busybox; /srv/busybox id",
        "exec.not_in_image",
        "/srv/busybox",
        "",
        "critical",
    ),
    (
        "exec 7</srv/busybox; rm /srv/busybox; /proc/self/fd/7 id",
        "exec.fileless",
        "/srv/busybox",
        "",
        "critical",
    ),
    (
        "cp /bin/busybox /srv/x; chmod 4755 /srv/x",
        "file.meta",
        "mode 4755 /srv/x",
        "set-id-bit",
        "high",
    ),
    (
        "ln -s /etc/shadow /srv/link",
        "file.link",
        "symlink /etc/shadow /srv/link",
        "link-to-credentials",
        "high",
    ),
    (": >/etc/ld.so.preload", "file.write", "/etc/ld.so.preload", "preload-file", "critical"),
    (
        "mkdir -p /etc/cron.d; : >/etc/cron.d/x",
        "file.write",
        "/etc/cron.d/x",
        "schedule-written",
        "high",
    ),
    ("mount -t tmpfs none /mnt", "syscall", "mount", "mount-syscall", "high"),
];

#[test]
fn what_needs_no_baseline_is_told_without_one() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let watcher = Agent::start(&node, "watch", &EVENTS);
    let steps: Vec<_> = STEPS.iter().map(|(step, ..)| format!("({step})\n")).collect();
    let steps = steps.concat();
    let script = format!("mkdir -p /srv /mnt; sleep 1\n{steps}sleep 1000");
    let pod = node.run(PodSpec::new("shop", "job").container(busybox("app", &script)));
    let of = |kind: &str, object: &str| {
        let is_it = |event: &Value| event["drift.kind"] == kind && event["drift.object"] == object;
        events_of(&node, &pod).into_iter().find(is_it)
    };
    let (_, kind, object, ..) = STEPS[STEPS.len() - 1];
    until(Duration::from_secs(20), "the last step", || of(kind, object).is_some());
    assert_eq!(pod.container("app").exec(&["/bin/sh", "-c", "id"]).code, 0);
    until(Duration::from_secs(10), "the shell", || of("exec.injected", "/bin/sh").is_some());
    let all: BTreeMap<_, _> = events_of(&node, &pod)
        .into_iter()
        .map(|event| ((event["drift.kind"].to_string(), event["drift.object"].to_string()), event))
        .collect();
    for (step, kind, object, rule, severity) in STEPS {
        let event = of(kind, object).unwrap_or_else(|| {
            panic!("{step}: no {kind} of {object} in {:#?}\n{}", all.keys(), watcher.said())
        });
        assert_eq!(event["drift.severity"], severity, "{step}: {event:#}");
        if !rule.is_empty() {
            assert_eq!(event["drift.rule"], rule, "{step}: {event:#}");
        }
        assert_eq!(event["baseline.status"], "none", "{event:#}");
        let accept = event["drift.accept"].as_str().expect("a command");
        let fingerprint = event["drift.fingerprint"].as_str().expect("text");
        assert!(accept.contains("silence add") && accept.contains(fingerprint), "{accept}");
    }
    // What any image does is not.
    for (kind, object) in all.keys() {
        assert!(!object.contains("/bin/cp") && !object.contains("/bin/sleep"), "{kind} {object}");
    }
    let unprofiled = |event: &&Value| event["drift.kind"] == "image.unprofiled";
    assert_eq!(agent::events(&node).iter().filter(unprofiled).count(), 1, "once for the image");
    let told = watcher.metric("driftline_drift_events_total{kind=\"file.read\",severity=\"high\"}");
    assert!(told >= 1.);
    assert!(watcher.metric("driftline_images_unprofiled") >= 1.);
    watcher.stop();
    Pod::remove(pod);
}
