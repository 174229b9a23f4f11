//! Pods that move: a peer on the node goes by its workload, at whatever address, and by another namespace's where a bind
//! file says so.

use std::{fs, thread, time::Duration};

use serde_json::Value;
use support::{
    actor,
    agent::{self, Agent, EVENTS},
    pods::{self, ContainerSpec, Node, Pod, PodSpec},
    told::{busybox, can_run, events_of, until, wait_for_event},
};

const SHORT: Duration = Duration::from_secs(30);
const CLIENT: &str = "registry.test/shop/client:1";

fn node() -> Node {
    let node = Node::start();
    let image = pods::busybox(CLIENT).program("/bin/actor", &actor()).expect("the actor is there");
    node.import(&[image.entrypoint(&["/bin/actor", "/etc/plan/plan"]).build().expect("in memory")]);
    node
}

/// Listens on port 8080.
fn server(node: &Node, namespace: &str, workload: &str) -> Pod {
    let httpd = busybox("httpd", "exec httpd -f -p 8080");
    let spec = PodSpec::new(namespace, workload).label("app", workload).container(httpd);
    let pod = node.run(spec);
    drop(node.connect(&format!("{}:8080", pod.ip())));
    pod
}

/// Connects to that pod, and has ended. It begins when a runtime has long named it: until then it goes by its address.
fn client(node: &Node, namespace: &str, workload: &str, server: &Pod) -> Pod {
    let plan = format!("sleep-ms 2000\nconnect {}:8080\nsleep-ms 200\n", server.ip());
    fs::create_dir_all(node.outside("/var/lib/plan")).expect("the node is writable");
    fs::write(node.outside("/var/lib/plan/plan"), plan).expect("the node is writable");
    let container = ContainerSpec::new("client", CLIENT);
    let container = container.mount("/var/lib/plan", "/etc/plan", true);
    let spec = PodSpec::new(namespace, workload).label("app", workload).container(container);
    let pod = node.run(spec);
    assert_eq!(pod.containers()[0].wait(), 0, "{}", pod.printed(&pod.containers()[0]));
    pod
}

/// What came of both within two seconds.
fn told(node: &Node, pods: &[&Pod]) -> Vec<Value> {
    thread::sleep(Duration::from_secs(2));
    pods.iter().flat_map(|pod| events_of(node, pod)).collect()
}

fn entries(node: &Node, role: &str, executable: &str, list: &str) -> Vec<String> {
    let baselines = agent::baselines(node);
    let baseline = baselines.iter().find(|baseline| baseline["image"]["container"] == role);
    let baseline = baseline.unwrap_or_else(|| panic!("no {role} in {baselines:#?}"));
    let entries = baseline["executables"][executable][list].as_object();
    entries.map(|entries| entries.keys().cloned().collect()).unwrap_or_default()
}

#[test]
fn a_pod_is_known_by_its_workload_wherever_it_runs() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = node();
    let recorder = Agent::start(&node, "record", &[]);
    let db = server(&node, "shop", "db");
    for _ in 0..2 {
        client(&node, "shop", "web", &db).remove();
    }
    let before = db.ip();
    db.remove();
    recorder.stop();
    assert_eq!(entries(&node, "client", "/bin/actor", "connect"), ["tcp pod:shop/db:8080"]);
    let accepts = entries(&node, "httpd", "/bin/sh", "accept");
    assert!(accepts.contains(&"tcp :8080 from pod:shop/web".to_owned()), "{accepts:?}");

    let watcher = Agent::start(&node, "watch", &EVENTS);
    let db = server(&node, "shop", "db");
    assert_ne!(db.ip(), before, "it is to be found at another address");
    let web = client(&node, "shop", "web", &db);
    assert_eq!(told(&node, &[&db, &web]), [Value::Null; 0]);

    // Another workload, as a server and as a client.
    let other = server(&node, "shop", "other");
    let astray = client(&node, "shop", "web", &other);
    let event = wait_for_event(&node, &astray, "net.connect", SHORT);
    let object = format!("tcp {}:8080", other.ip());
    assert_eq!(event["drift.object"], object.as_str(), "{event:#}");
    let sentence = event["drift.sentence"].as_str().expect("text");
    assert!(sentence.contains("(pod shop/other)"), "{sentence}");
    let intruder = client(&node, "shop", "intruder", &db);
    let event = wait_for_event(&node, &db, "net.accept", SHORT);
    let sentence = event["drift.sentence"].as_str().expect("text");
    assert!(sentence.contains("(pod shop/intruder)"), "{sentence}");
    watcher.stop();
    for pod in [web, astray, intruder, other, db] {
        pod.remove();
    }

    // In another namespace, which the bind file calls the same.
    let bind = node.outside("/var/lib/driftline/bind.json");
    let map =
        r#"{"schema_version":"driftline.bind/v1","map":[{"from":"pod:shop/","to":"pod:live/"}]}"#;
    fs::write(&bind, map).expect("the node is writable");
    let flags = [EVENTS[0], EVENTS[1], "--bind", "/var/lib/driftline/bind.json"];
    let mut watcher = Agent::start(&node, "watch", &flags);
    let (live, shop) = (server(&node, "live", "db"), server(&node, "shop", "db"));
    let web = client(&node, "live", "web", &live);
    assert_eq!(told(&node, &[&live, &web]), [Value::Null; 0]);
    let astray = client(&node, "live", "web", &shop);
    let event = wait_for_event(&node, &astray, "net.connect", SHORT);
    assert!(event["baseline.bind"].as_str().expect("an id").starts_with("sha256:"), "{event:#}");
    let nearest = event["drift.nearest"].as_str().expect("text");
    let bound = "tcp pod:live/db:8080 (recorded as tcp pod:shop/db:8080)";
    assert!(nearest.contains(bound), "{nearest}");

    // It is read again; one that breaks changes nothing.
    fs::write(&bind, "{").expect("the node is writable");
    watcher.wait_for("until then it goes on as it was read before", SHORT);
    fs::write(&bind, map.replace("pod:live/", "pod:shop/")).expect("the node is writable");
    thread::sleep(Duration::from_secs(4));
    let again = client(&node, "live", "web", &live);
    let object = format!("tcp {}:8080", live.ip());
    until(SHORT, "it is drift now", || {
        let is_it = |event: &Value| event["drift.object"] == object.as_str();
        events_of(&node, &again).iter().any(is_it)
    });
    watcher.stop();
}
