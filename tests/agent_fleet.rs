//! Two agents tell one PostgreSQL: what happens while it is away is there afterwards, each thing once.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{
    agent::{self, Agent},
    driftline,
    pods::{Node, Pod},
    postgres::{PASSWORD, Postgres},
    worker::{ALWAYS, ON_ORDER, can_run, order, start, text, told, until, worker},
};

const LIMIT: Duration = Duration::from_secs(30);

/// One of the agents: both see the containers of the same node, each under another name.
struct One {
    name: &'static str,
    http: &'static str,
    spool: &'static str,
    events: &'static str,
}

const A: One = One {
    name: "node-a",
    http: "127.0.0.1:9465",
    spool: "/var/lib/driftline-a",
    events: "/var/lib/driftline-a/events.jsonl",
};
const B: One = One {
    name: "node-b",
    http: "127.0.0.1:9466",
    spool: "/var/lib/driftline-b",
    events: "/var/lib/driftline-b/events.jsonl",
};

impl One {
    fn start<'a>(&self, node: &'a Node, url: &str) -> Agent<'a> {
        let flags = ["--store", url, "--spool", self.spool, "--node-name", self.name];
        let more = ["--events", self.events, "--evidence-severity", "none"];
        Agent::start_at(self.http, node, "watch", &[&flags[..], &more[..]].concat())
    }

    fn has_told(&self, node: &Node, pod: &Pod, word: &str) -> bool {
        told(&agent::events_of(node, self.events), &pod.spec).iter().any(|told| told == word)
    }

    /// What its file has, line by line.
    fn lines(&self, node: &Node) -> String {
        let lines = fs::read_to_string(node.outside(self.events)).expect("readable");
        lines.trim_end().to_owned()
    }
}

/// The value of a series of the sink that ships.
fn figure(agent: &Agent<'_>, server: &Postgres, what: &str) -> f64 {
    let directory = server.directory().display();
    agent
        .metric(&format!("driftline_sink_{what}{{sink=\"store:postgres://{directory}/postgres\"}}"))
}

fn investigate(url: &str, arguments: &[&str]) -> Value {
    let mut driftline = Command::new(driftline());
    driftline.arg("investigate").args(arguments).args(["--json", "--store", url]);
    let output = driftline.output().expect("driftline runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn what_two_agents_saw_while_the_database_was_away_is_there_once() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let mut server = Postgres::start();
    // It is not there when they start, and agents watch all the same.
    server.kill();
    let (node, url) = (start(), server.url());
    let agents = [&A, &B].map(|one| (one, one.start(&node, &url)));
    let shop = node.run(worker("cart", ON_ORDER));
    let busy = node.run(worker("busy", ALWAYS));
    let both = |word: &str| {
        until(word, LIMIT, || agents.iter().all(|(one, _)| one.has_told(&node, &shop, word)));
    };
    let drained = |server: &Postgres| {
        until("nothing waits", LIMIT, || {
            agents.iter().all(|(_, agent)| figure(agent, server, "up") > 0.5)
        });
    };
    order(&node, "one");
    both("one");
    until("they say that it is away", LIMIT, || {
        agents.iter().all(|(_, agent)| figure(agent, &server, "failures_total") > 0.5)
    });
    server.restart();
    drained(&server);

    let earlier = agents.each_ref().map(|(_, agent)| figure(agent, &server, "failures_total"));
    server.kill();
    order(&node, "two");
    both("two");
    until("it is told that it is away", LIMIT, || {
        agents.iter().zip(earlier).all(|((_, agent), earlier)| {
            let waits = figure(agent, &server, "queue_length");
            figure(agent, &server, "up") < 0.5 && waits > 0.5 && {
                figure(agent, &server, "failures_total") > earlier + 0.5
            }
        })
    });
    server.restart();
    let back = Instant::now();
    drained(&server);
    eprintln!("both agents send again {:?} after the database is back", back.elapsed());
    order(&node, "three");
    both("three");

    let ids = [&shop, &busy].map(|pod| pod.container("task").id.clone());
    [shop, busy].into_iter().for_each(Pod::remove);
    for (one, agent) in agents {
        let said = agent.stop();
        eprintln!("{said}");
        assert!(said.contains("cannot reach the fleet's store"), "{said}");
        // Each time that it was away.
        assert_eq!(said.matches("takes events again").count(), 2, "{said}");
        assert!(!said.contains(PASSWORD), "{said}");
        compare(&server, &node, one);
    }
    assert_eq!(server.ask("SELECT DISTINCT agent FROM events ORDER BY 1"), "node-a\nnode-b");
    ask(&url, &ids);
}

/// Everything of this agent is there as it has it at home, nothing twice.
fn compare(server: &Postgres, node: &Node, one: &One) {
    let of = |what: &str, order: &str| {
        server.ask(&format!("SELECT {what} WHERE agent = '{}' ORDER BY {order}", one.name))
    };
    let (there, here) = (of("line FROM events", "seq"), one.lines(node));
    assert!(here.lines().count() >= 10, "{here}");
    assert!(there == here, "{}:\n{there}\n\nin its file:\n{here}", one.name);
    let home = agent::history_of(node, one.spool);
    let evidence: Vec<Value> = of("line FROM evidence", "number")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(evidence, home.evidence, "{}", one.name);
    let mut ids: Vec<_> = home.containers.iter().map(|row| row.identity.id.to_string()).collect();
    ids.sort_unstable();
    assert_eq!(of("id FROM containers", "id").lines().collect::<Vec<_>>(), ids, "{}", one.name);
    // PostgreSQL's own count of what is there: no row stands beside another.
    let counted =
        of("COUNT(*), COUNT(DISTINCT (agent, seq)), COUNT(DISTINCT line) FROM events", "1");
    let lines = here.lines().count();
    assert_eq!(counted, format!("{lines}|{lines}|{lines}"));

    // Whoever asks at home about this node is told the same.
    let spool = node.outside(one.spool).display().to_string();
    for question in ["timeline", "scope", "lateral"] {
        let arguments = [question, "--node", one.name];
        let (here, there) =
            (investigate(&spool, &arguments), investigate(&server.url(), &arguments));
        assert_eq!(here, there, "{question} of {}", one.name);
    }

    let proof = node
        .command(driftline())
        .args(["investigate", "verify-log", "--json", "--store", one.spool])
        .output()
        .expect("driftline runs");
    assert!(proof.status.success(), "{}", String::from_utf8_lossy(&proof.stderr));
    let verdict: Value = serde_json::from_slice(&proof.stdout).expect("JSON");
    assert_eq!(verdict["whole"], true, "{verdict}");
    assert_eq!(verdict["events"], lines, "{verdict}");
}

/// Questions are about both nodes, or about the one that is named.
fn ask(url: &str, ids: &[String]) {
    let told = investigate(url, &["timeline", "--container", &ids[0], "--kind", "file.write"]);
    let entries = told["entries"].as_array().expect("entries");
    let event = entries.iter().find(|entry| text(entry, "drift.object").ends_with("-two"));
    let event = text(event.expect("it was told of"), "event.id");
    let objects = |told: &Value| {
        let entries = told["entries"].as_array().expect("entries").iter();
        let object = |entry: &Value| text(entry, "drift.object").to_owned();
        entries.map(object).filter(|object| object.ends_with("-two")).count()
    };
    assert_eq!(objects(&told), 2, "{told:#}");

    let seen = investigate(url, &["seen", event]);
    let places = seen["occurrences"].as_array().expect("occurrences");
    let mut nodes: Vec<_> = places.iter().map(|one| text(one, "k8s.node.name")).collect();
    nodes.sort_unstable();
    assert_eq!(nodes, ["node-a", "node-b"], "{seen:#}");
    assert_eq!(seen["count"], 2, "{seen:#}");

    let scope = investigate(url, &["scope", event]);
    assert_eq!(strings(&scope["nodes"]), ["node-a", "node-b"], "{scope:#}");
    for name in ["node-a", "node-b"] {
        let scope = investigate(url, &["scope", "--node", name]);
        assert_eq!(strings(&scope["nodes"]), [name], "{scope:#}");
        let told = investigate(url, &["timeline", "--node", name, "--kind", "file.write"]);
        assert_eq!(objects(&told), 1, "{told:#}");
    }
}
