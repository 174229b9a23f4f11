//! An intruder goes through three pods, which are deleted at once: what the agent tells of it by itself, and what a report
//! says when no container is left. `DRIFTLINE_WRITE=1` writes the outputs of `docs/runbook.md` anew, from this intrusion.

use std::{fs, path::Path, thread, time::Duration};

use serde_json::Value;
use support::{
    agent::{self, Agent, EVENTS},
    console,
    intrusion::{LOOT, ask, commands, quoted, service, wait_for_way},
    pods::{Node, Pod},
    told::{can_run, until, wait_for_event},
};

const SHORT: Duration = Duration::from_secs(30);

fn incidents(node: &Node) -> Vec<Value> {
    let is_one = |event: &Value| event["drift.kind"] == "incident.lateral";
    agent::events(node).into_iter().filter(is_one).collect()
}

#[test]
fn an_intrusion_through_three_pods_is_told_and_reported_when_none_of_them_is_left() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let recorder = Agent::start(&node, "record", &[]);
    let [web, api, cache] = ["web", "api", "cache"].map(|name| service(&node, name));
    wait_for_way(&node, &web, &cache);
    [web, api, cache].into_iter().for_each(Pod::remove);
    recorder.stop();

    let watcher = Agent::start(&node, "watch", &EVENTS);
    let [web, api, db] = ["web-1", "api-1", "db-1"].map(|name| service(&node, name));
    let cache = service(&node, "cache");
    // They are named, and talk as always; that something drifts in one of them makes no chain of that.
    thread::sleep(Duration::from_secs(3));
    for pod in [&web, &api, &db] {
        assert_eq!(ask(&node, pod, "ping"), "pong\n");
    }
    wait_for_way(&node, &web, &cache);
    assert_eq!(cache.container("app").exec(&["/bin/cp", "/bin/busybox", "/tmp/tool"]).code, 0);
    wait_for_event(&node, &cache, "file.write", SHORT);
    thread::sleep(Duration::from_secs(2));
    let connects = |event: &Value| event["drift.kind"] == "net.connect";
    assert!(!agent::events(&node).iter().any(connects), "{:#?}", agent::events(&node));
    assert_eq!(incidents(&node), [Value::Null; 0]);
    cache.remove();
    let printed = ask(&node, &web, &quoted(&commands(&[&web, &api, &db])));
    assert_eq!(printed.matches("uid=0").count(), 3, "{printed}");
    let addresses = [api.ip(), db.ip()];
    [web, api, db].into_iter().for_each(Pod::remove);

    let whole =
        |event: &Value| event["incident.hops"].as_array().is_some_and(|hops| hops.len() == 2);
    until(SHORT, "the chain is told", || incidents(&node).iter().any(whole));
    let all = incidents(&node);
    let incident = all.iter().find(|event| whole(event)).expect("it was found");
    assert!(all.iter().all(|event| event["event.id"] == incident["event.id"]), "{all:#?}");
    assert_eq!(incident["drift.object"], "shop/web-1 -> shop/api-1 -> shop/db-1");
    assert_eq!(incident["drift.severity"], "critical");
    for (hop, address) in
        incident["incident.hops"].as_array().expect("a list").iter().zip(addresses)
    {
        assert_eq!(hop["address"], address.as_str(), "{incident:#}");
        assert_eq!(hop["port"], 8080);
        assert!(hop["events"].as_array().expect("a list").len() > 1, "{incident:#}");
    }
    watcher.stop();
    // Nor again by the next agent, which asks once more.
    let (before, watcher) = (all.len(), Agent::start(&node, "watch", &EVENTS));
    thread::sleep(Duration::from_secs(4));
    watcher.stop();
    assert_eq!(incidents(&node).len(), before);

    let store = node.outside("/var/lib/driftline");
    let report = console::asked(&store, &["investigate", "report"]);
    for wanted in [
        "shop/web-1 to shop/api-1 to shop/db-1",
        "/tmp/implant",
        "/tmp/loot",
        "uname -a",
        "The log was proved whole",
        // From the evidence.
        LOOT,
    ] {
        assert!(report.contains(wanted), "{wanted} in\n{report}");
    }
    let page = console::asked(&store, &["investigate", "report", "--format", "html"]);
    assert!(page.contains("<svg ") && page.replace("&#x2f;", "/").contains("/tmp/loot"));
    runbook(&node, &store, incident);
    if std::env::var_os("DRIFTLINE_WRITE").is_some() {
        ship(&node, &store);
    }
}

/// What `docs/tabletop.md` rehearses with: this history, the baselines of that night, and the same with one approval too many.
fn ship(node: &Node, store: &Path) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tabletop");
    let _first_time = fs::remove_dir_all(&shipped);
    let copy = |from: &Path, to: &str| {
        let to = shipped.join(to);
        fs::create_dir_all(&to).expect("writable");
        for entry in fs::read_dir(from).expect("it is there") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name");
            let is_wanted = |kind| path.extension().is_some_and(|extension| extension == kind);
            if ["db", "json", "seg", "flight"].into_iter().any(is_wanted)
                || (path.is_file() && from.ends_with("flight"))
            {
                fs::copy(&path, to.join(name)).expect("writable");
            }
        }
    };
    copy(store, "store");
    copy(&store.join("flight"), "store/flight");
    let baselines = node.outside("/var/lib/driftline/baselines");
    copy(&baselines, "baselines");
    copy(&baselines, "approved");
    let told = agent::events(node);
    let tool = |event: &&Value| {
        event["drift.kind"] == "exec.not_in_image" && event["k8s.pod.name"] == "web-1"
    };
    let event = &told.iter().find(tool).expect("the tool was run")["event.id"];
    let approved = shipped.join("approved").display().to_string();
    let words = ["baseline", "approve", event.as_str().expect("text"), "--baselines", &approved];
    console::asked(store, &[&words[..], &["--reason", "it woke me"]].concat());
}

/// Runs each command that the runbook names, with the ids of this intrusion; writes their outputs into it where asked to.
fn runbook(node: &Node, store: &Path, incident: &Value) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/runbook.md");
    let text = fs::read_to_string(path).expect("the runbook is there");
    let hop = &incident["incident.hops"][0];
    let is = |value: &Value| value.as_str().expect("text").to_owned();
    let ids = hop["events"].as_array().expect("a list");
    let dropped = |event: &&Value| {
        event["drift.kind"] == "exec.not_in_image" && ids.contains(&event["event.id"])
    };
    let told = agent::events(node);
    let event = is(&told.iter().find(dropped).expect("the tool was run")["event.id"]);
    let first = told.iter().find(|told| told["event.id"] == hop["events"][0]).expect("it is told");
    let (seq, container) = (first["event.seq"].to_string(), is(&hop["to"]["container.id"]));
    let ids = [("event", &*event), ("seq", &*seq), ("container", &container[..12])];
    let ask = |words: &[&str]| {
        console::asked(store, words).replace(&*store.to_string_lossy(), "/var/lib/driftline")
    };
    let (written, commands) = console::page(&text, &ids, ask);
    assert!(commands > 8, "{commands} commands in {path}");
    console::write(Path::new(path), &written);
}
