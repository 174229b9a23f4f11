//! An intruder goes through three pods on two nodes, which are deleted at once. Each node's agent sees its own half; the store
//! that they share has all of it.

use std::{collections::BTreeSet, fs, path::Path, process::Command, thread, time::Duration};

use serde_json::Value;
use support::{
    agent::{self, Agent, EVENTS},
    console, driftline,
    intrusion::{LOOT, ask, commands, quoted, service},
    pods::{self, Node, Pod},
    postgres::{PASSWORD, Postgres},
    told::{can_run, until},
};

const SHORT: Duration = Duration::from_secs(40);

fn whole_chain(event: &Value) -> bool {
    event["drift.kind"] == "incident.lateral"
        && event["incident.hops"].as_array().is_some_and(|hops| hops.len() == 2)
}

/// Both nodes judge by the same baselines, and hash with the same key.
fn copy(from: &Node, to: &Node) {
    let [from, to] = [from, to].map(|node| node.outside("/var/lib/driftline"));
    fs::create_dir_all(&to).expect("the node's directory is writable");
    let copied =
        Command::new("cp").arg("-a").arg(from.join("baselines")).arg(to).status().expect("cp runs");
    assert!(copied.success());
}

#[test]
fn an_intrusion_over_two_nodes_is_told_and_reported_when_no_pod_is_left() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let server = Postgres::start();
    let (one, two) = (Node::start_apart(1), Node::start_apart(2));
    pods::join(&one, &two);
    let recorder = Agent::start(&one, "record", &[]);
    let pod = service(&one, "web");
    assert_eq!(ask(&one, &pod, "ping"), "pong\n");
    pod.remove();
    recorder.stop();
    copy(&one, &two);

    let url = server.url();
    let watchers = [("node-1", &one), ("node-2", &two)].map(|(name, node)| {
        let own = ["--node-name", name, "--spool", "/var/lib/driftline", "--store", &url];
        Agent::start_at(agent::AGENT, node, "watch", &[&own[..], &EVENTS].concat())
    });
    let web = service(&one, "web-1");
    let api = service(&two, "api-1");
    let db = service(&one, "db-1");
    // Until they are named.
    thread::sleep(Duration::from_secs(3));
    let printed = ask(&one, &web, &quoted(&commands(&[&web, &api, &db])));
    assert_eq!(printed.matches("uid=0").count(), 3, "{printed}");
    let addresses = [api.ip(), db.ip()];
    let ids = [&web, &api, &db].map(|pod| pod.containers()[0].id.clone());
    [web, api, db].into_iter().for_each(Pod::remove);

    // Neither node has seen more than its own pods.
    let pods_of = |node: &Node| -> BTreeSet<String> {
        let drift = agent::events(node).into_iter();
        let drift = drift.filter(|event| event["drift.kind"] != "incident.lateral");
        drift.map(|event| event["k8s.pod.name"].as_str().unwrap_or("none").to_owned()).collect()
    };
    let told = || [&one, &two].into_iter().flat_map(agent::events).filter(whole_chain);
    until(SHORT, "the chain over both nodes is told", || told().next().is_some());
    assert_eq!(pods_of(&one), BTreeSet::from(["db-1".to_owned(), "web-1".to_owned()]));
    assert_eq!(pods_of(&two), BTreeSet::from(["api-1".to_owned()]));
    let incident = told().next().expect("it was told");
    assert!(told().all(|event| event["event.id"] == incident["event.id"]));
    assert_eq!(incident["drift.object"], "shop/web-1 -> shop/api-1 -> shop/db-1", "{incident:#}");
    let hops = incident["incident.hops"].as_array().expect("a list");
    for (hop, (address, to)) in hops.iter().zip(addresses.iter().zip(&ids[1..])) {
        assert_eq!(hop["address"], address.as_str(), "{incident:#}");
        assert_eq!(hop["to"]["container.id"], to.as_str());
    }
    // Evidence is complete once an agent has ended, and so is its copy.
    for watcher in watchers {
        watcher.stop();
    }

    let timeline = console::asked(Path::new(&url), &["investigate", "timeline", "--json"]);
    for node in ["node-1", "node-2"] {
        assert!(
            timeline.contains(&format!("\"k8s.node.name\": \"{node}\"")),
            "{node} in {timeline}"
        );
    }
    report(&url, &[&one, &two], &ids);
}

/// Entry, commands, files with their content, hops and times.
fn report(url: &str, nodes: &[&Node], ids: &[String]) {
    let homes: Vec<_> =
        nodes.iter().map(|node| node.outside("/var/lib/driftline").display().to_string()).collect();
    let mut words = vec!["investigate", "report"];
    for home in &homes {
        words.extend(["--evidence", home]);
    }
    let report = console::asked(Path::new(url), &words);
    let hops = "shop/web-1 to shop/api-1 to shop/db-1";
    for wanted in [hops, "/tmp/implant", "/tmp/loot", "uname -a", "/bin/id", LOOT, "stolen"] {
        assert!(report.contains(wanted), "{wanted} in\n{report}");
    }
    assert!(!report.contains(PASSWORD), "a password in\n{report}");
    for id in ids {
        assert!(report.contains(&id[..12]), "{id} in\n{report}");
    }
    for at in ["node-1", "node-2"] {
        assert!(report.contains(at), "{at} in\n{report}");
    }
    // A place that has none is said at once.
    let refused = Command::new(driftline())
        .args(["investigate", "report", "--store", url, "--evidence", "/nowhere"])
        .output()
        .expect("driftline runs");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(124), "{said}");
    assert!(said.contains("/nowhere/evidence") && refused.stdout.is_empty(), "{said}");
}
