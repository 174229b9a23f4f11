//! The whole story from the pod that the manifest describes: record, watch, break in, be called.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{
    agent::{self, AGENT},
    pods::{self, Container, ContainerSpec, Manifest, NGINX, NODE_NAME, Node, Pod, PodSpec, REDIS},
    signer::Signer,
};

/// What Prometheus is told to do.
const PROMETHEUS: &str = "\
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [driftline.rules.yaml]
alerting: { alertmanagers: [{ static_configs: [{ targets: ['127.0.0.1:9093'] }] }] }
scrape_configs: [{ job_name: driftline, static_configs: [{ targets: ['127.0.0.1:9465'] }] }]
";

fn can_run() -> bool {
    pods::can_run() && support::can_load()
}

fn nginx() -> PodSpec {
    PodSpec::new("shop", "web").label("app", "web").container(ContainerSpec::new("nginx", NGINX))
}

fn redis() -> PodSpec {
    let redis = ContainerSpec::new("redis", REDIS);
    PodSpec::new("shop", "cache").label("app", "cache").container(redis)
}

/// Polls until something is there.
fn eventually<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what} did not come within {limit:?}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// The agent's pod, ready.
fn agent(node: &Node, manifest: &Manifest) -> Pod {
    let pod = node.run(manifest.pod(node));
    eventually("the agent's readiness", Duration::from_secs(30), || {
        let ready = node.try_get(AGENT, "/readyz").is_ok_and(|(status, _)| status == 200);
        let code = pod.containers()[0].status().state;
        assert!(code < 2, "the agent ended: {}", printed(&pod));
        ready.then_some(())
    });
    pod
}

fn printed(pod: &Pod) -> String {
    fs::read_to_string(pod.log(&pod.containers()[0])).unwrap_or_default()
}

/// Three of each, at work.
fn workload(node: &Node) -> Vec<Pod> {
    let mut pods = node.replicas(&nginx(), 3);
    pods.extend(node.replicas(&redis(), 3));
    for pod in &pods {
        match pod.containers()[0].name.as_str() {
            "nginx" => assert_eq!(node.get(&format!("{}:80", pod.ip()), "/").0, 200),
            _ => assert_eq!(ping(&pod.containers()[0]), "PONG\n"),
        }
    }
    pods
}

/// As a kubelet's probe.
fn ping(redis: &Container) -> String {
    redis.exec(&["/usr/bin/redis-cli", "PING"]).stdout
}

fn alerts(node: &Node) -> Vec<Value> {
    let (_, alerts) = node.get("127.0.0.1:9093", "/api/v2/alerts");
    serde_json::from_str(&alerts).expect("Alertmanager answers JSON")
}

/// What the recording agent leaves, signed, as the data of a `ConfigMap`.
fn record(node: &Node, signer: &Signer) -> Vec<(String, String)> {
    let recorder = agent(node, &Manifest::read("record.yaml"));
    for _ in 0..2 {
        workload(node).into_iter().for_each(Pod::remove);
    }
    recorder.containers()[0].stop(20);
    let said = printed(&recorder);
    assert_eq!(recorder.containers()[0].status().exit_code, 0, "{said}");
    recorder.remove();
    let baselines = agent::baselines(node);
    let of = |role: &str| {
        let is_it = |one: &&Value| one["image"]["container"] == role;
        baselines
            .iter()
            .find(is_it)
            .unwrap_or_else(|| panic!("no {role} in {baselines:#?}\n{said}"))
    };
    assert_eq!(of("nginx")["runs"].as_object().map(serde_json::Map::len), Some(6), "{said}");
    assert_eq!(of("redis")["runs"].as_object().map(serde_json::Map::len), Some(6), "{said}");
    let probe = &of("redis")["executables"]["/usr/bin/redis-cli"]["parents"];
    assert!(probe["(injected)"].is_object(), "{probe}");

    let directory = node.outside("/var/lib/driftline/baselines");
    let files = || {
        let files = fs::read_dir(&directory).expect("the recording is there");
        files.map(|file| file.expect("an entry").path())
    };
    let ends = |path: &PathBuf, ends: &[&str]| {
        path.extension().is_some_and(|extension| ends.iter().any(|end| extension == *end))
    };
    files().filter(|path| ends(path, &["json"])).for_each(|path| signer.sign(&path, &[]));
    let files: Vec<_> = files()
        .filter(|path| ends(path, &["json", "dsse"]))
        .map(|path| {
            let name = path.file_name().expect("a name").to_str().expect("UTF-8").to_owned();
            (name, fs::read_to_string(path).expect("readable"))
        })
        .collect();
    let is_key = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    assert!(files.iter().all(|(name, _)| name.chars().all(is_key)), "keys of a ConfigMap");
    files
}

/// The event says whose it is, in full.
fn assert_named(read: &Value, victim: &Pod) {
    let status = victim.containers()[0].status();
    for (key, expected) in [
        ("drift.kind", "file.read"),
        ("drift.severity", "high"),
        ("k8s.namespace.name", "shop"),
        ("k8s.pod.name", &victim.spec.name),
        ("k8s.pod.uid", &victim.spec.uid),
        ("k8s.node.name", NODE_NAME),
        ("k8s.container.name", "nginx"),
        ("container.id", &victim.containers()[0].id),
        ("container.runtime.name", "containerd"),
        ("container.image.name", "registry.test/shop/nginx"),
        ("container.image.reference", NGINX),
        ("container.image.id", &status.image_ref),
        ("baseline.status", "exact"),
        ("baseline.signature", "verified"),
    ] {
        assert_eq!(read[key], *expected, "{key} of {read:#}");
    }
}

/// What `driftline investigate` answers, as JSON, from the history of an agent that has ended.
fn asked(node: &Node, question: &[&str]) -> Value {
    let output = Command::new(support::driftline())
        .arg("investigate")
        .args(question)
        .args(["--json", "--store"])
        .arg(node.outside("/var/lib/driftline"))
        .output()
        .expect("driftline runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{question:?}: {said}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Every question of a responder has its answer, of a pod and its container of which only the names are left.
fn assert_answered(node: &Node, pod: &str, container: &str, read: &str) {
    let timeline = asked(node, &["timeline", "--pod", pod]);
    let entries = timeline["entries"].as_array().expect("entries");
    let is_told = |what: &str| {
        entries.iter().any(|entry| entry["entry"] == "drift" && entry["drift.object"] == what)
    };
    assert!(is_told("/etc/shadow"), "{timeline:#}");
    assert_eq!(entries[0]["entry"], "started", "{timeline:#}");

    let seen = asked(node, &["seen", read]);
    assert_eq!((&seen["count"], &seen["example"]["event.id"]), (&1.into(), &read.into()));
    let scope = asked(node, &["scope", read]);
    assert_eq!(scope["pods"], serde_json::json!([format!("shop/{pod}")]), "{scope:#}");
    assert_eq!(scope["nodes"], serde_json::json!([NODE_NAME]), "{scope:#}");

    // The shell came before what it ran.
    let before = asked(node, &["before", read, "--window", "5m"]);
    let drift = before["drift"].as_array().expect("a list");
    assert!(drift.iter().any(|told| told["drift.kind"] == "exec.injected"), "{before:#}");
    assert_eq!(before["event"]["container.id"], container, "{before:#}");

    let life = asked(node, &["container", &container[..12]]);
    assert_eq!(life["identity"]["pod"]["name"], pod, "{life:#}");
    assert_eq!(life["baseline_status"], "exact", "{life:#}");
    assert!(life["drift"].as_array().is_some_and(|drift| !drift.is_empty()), "{life:#}");

    let report = Command::new(support::driftline())
        .args(["investigate", "report", "--format", "html", "--store"])
        .arg(node.outside("/var/lib/driftline"))
        .output()
        .expect("driftline runs");
    let page = String::from_utf8(report.stdout).expect("UTF-8");
    for wanted in [pod, container, "etc&#x2f;shadow", "The log was proved whole"] {
        assert!(page.contains(wanted), "{wanted} in {page}");
    }
}

#[test]
fn from_the_daemon_set_a_break_in_is_recorded_by_name_and_rings_the_bell_twice() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    node.import(std::slice::from_ref(pods::agent()));

    let signer = Signer::new(node.directory());
    let files = record(&node, &signer);
    let alertmanager = node.alertmanager(&[(
        "alertmanager.yml",
        "route: { receiver: none, group_by: [alertname, namespace] }\nreceivers: [{ name: none }]\n",
    )]);
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/../profiler-user/deploy/prometheus");
    let rules = fs::read_to_string(format!("{rules}/driftline.rules.yaml")).expect("the rules");
    let prometheus =
        node.prometheus(&[("prometheus.yml", PROMETHEUS), ("driftline.rules.yaml", &rules)]);

    let mut manifest = Manifest::read("watch.yaml");
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    manifest.config_map("driftline-baselines", &files);
    let public = fs::read_to_string(signer.trust().join("own.pub")).expect("the key");
    manifest.config_map("driftline-trust", &[("own.pub", &public)]);
    let (alertmanager_at, trust) = ("http://127.0.0.1:9093", "/etc/driftline/trust");
    manifest.config_map("driftline", &[("alertmanager", alertmanager_at), ("trust", trust)]);
    let watcher = agent(&node, &manifest);
    let pods = workload(&node);
    eventually("a scrape", Duration::from_secs(20), || {
        let (_, up) = node.get(prometheus.address, "/api/v1/query?query=driftline_baselines");
        up.contains("\"2\"]").then_some(())
    });
    let said = printed(&watcher);
    let of_pods = |line: &&str| pods.iter().any(|pod| line.contains(&pod.spec.name));
    assert_eq!(said.lines().find(of_pods), None, "{said}");

    // The break-in.
    let victim = &pods[1];
    let shell = victim.containers()[0].exec(&["/bin/sh", "-c", "cat /etc/shadow; id"]);
    assert_eq!(shell.code, 0, "{}", shell.stderr);

    let from_sink = eventually("the sink's alert", Duration::from_secs(20), || {
        let is_sink = |alert: &Value| {
            let labels = &alert["labels"];
            labels["drift_kind"] == "exec.injected" && labels["workload"].is_string()
        };
        alerts(&node).into_iter().find(is_sink)
    });
    let labels = &from_sink["labels"];
    assert_eq!(labels["namespace"], "shop", "{from_sink:#}");
    assert_eq!(labels["workload"], "web", "{from_sink:#}");
    assert_eq!(labels["image_repo"], "registry.test/shop/nginx", "{from_sink:#}");
    for absent in ["node", "pod", "pid", "path", "instance"] {
        assert!(labels[absent].is_null(), "{from_sink:#}");
    }
    let from_rule = eventually("the rule's alert", Duration::from_secs(30), || {
        let is_rule = |alert: &Value| {
            // The metric's own label; the sink's alert has the workload's instead.
            alert["labels"]["alertname"] == "DriftlineDrift"
                && alert["labels"]["kind"] == "exec.injected"
        };
        alerts(&node).into_iter().find(is_rule)
    });
    assert_eq!(from_rule["labels"]["severity"], "high", "{from_rule:#}");
    drop((prometheus, alertmanager));

    watcher.containers()[0].stop(20);
    assert_eq!(watcher.containers()[0].status().exit_code, 0, "{}", printed(&watcher));
    let said = printed(&watcher);
    watcher.remove();
    let history = agent::history(&node);
    let read = history.events.iter().find(|event| event["drift.object"] == "/etc/shadow");
    let read = read.unwrap_or_else(|| panic!("no such event in {:#?}\n{said}", history.events));
    assert_named(read, victim);
    // Nobody else drifted, the agent itself least of all.
    let others = history.events.iter().filter(|event| {
        event["k8s.pod.uid"] != victim.spec.uid.as_str()
            && pods.iter().any(|pod| event["k8s.pod.uid"] == pod.spec.uid.as_str())
    });
    assert_eq!(others.count(), 0, "{:#?}\n{said}", history.events);

    // The containers are gone, the answers are not.
    let (name, id) = (victim.spec.name.clone(), victim.containers()[0].id.clone());
    let read = read["event.id"].as_str().expect("an id").to_owned();
    pods.into_iter().for_each(Pod::remove);
    assert_answered(&node, &name, &id, &read);
}
