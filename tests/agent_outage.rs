//! The runtime may be away, or another agent there: nothing gets a wrong name.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use profiler_user::store::Capture;
use serde_json::Value;
use support::{
    agent::{self, Agent, EVENTS},
    driftline,
    pods::{Node, Pod},
    worker::{
        MINUTE, ON_ORDER, assert_names, can_run, order, ran, row, start, text, told, until,
        wait_until_told, worker,
    },
};

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

/// An [`Agent`] borrows its node, whose runtime could then not be stopped.
struct Loose {
    child: Child,
    log: PathBuf,
}

impl Loose {
    fn watch(node: &Node) -> Self {
        let log = node.directory().join("agent.log");
        let child = node
            .command(driftline())
            .args(["watch", "--baselines", "/var/lib/driftline/baselines"])
            .args(["--store", "/var/lib/driftline"])
            .args(EVENTS)
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).expect("the node's directory is writable"))
            .spawn()
            .expect("driftline starts");
        let agent = Self { child, log };
        agent.wait_for("driftline: ready", 1);
        agent
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).expect("it was created")
    }

    fn wait_for(&self, words: &str, times: usize) {
        until(words, MINUTE, || count(&self.said(), words) >= times);
    }

    fn stop(mut self) -> String {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).expect("it runs");
        let status = self.child.wait().expect("a child");
        assert!(status.success(), "{status}\n{}", self.said());
        self.said()
    }
}

impl Drop for Loose {
    fn drop(&mut self) {
        let _may_have_ended = self.child.kill();
        let _status = self.child.wait();
        if thread::panicking() {
            eprintln!("the agent said:\n{}", self.said());
        }
    }
}

const BACK: &str = "driftline: connected to containerd";
const AWAY: &str = "/run/containerd/containerd.sock";

#[test]
fn half_a_minute_without_a_runtime_mislabels_nothing() {
    const OUTAGE: Duration = Duration::from_secs(30);
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let mut node = start();
    let watcher = Loose::watch(&node);
    watcher.wait_for(BACK, 1);
    let shop = node.run(worker("cart", ON_ORDER));
    let mut spec = worker("batch", ON_ORDER);
    spec.containers[0] = spec.containers[0].clone().env("LAST", "two");
    let batch = node.run(spec);
    order(&node, "one");
    wait_until_told(&node, &[&shop.spec, &batch.spec], "one");

    let began = Instant::now();
    node.stop_runtime();
    order(&node, "two");
    wait_until_told(&node, &[&shop.spec, &batch.spec], "two");
    thread::sleep(OUTAGE.saturating_sub(began.elapsed()));
    let said = watcher.said();
    node.start_runtime();
    // While the agent may not be connected yet.
    let late = node.run(worker("late", ON_ORDER));
    order(&node, "three");
    wait_until_told(&node, &[&shop.spec, &late.spec], "three");
    assert_eq!(batch.container("task").wait(), 7);
    watcher.wait_for(BACK, 2);
    let all = [ran(&shop), ran(&batch), ran(&late)];
    [batch, late].into_iter().for_each(Pod::remove);
    let rest = watcher.stop();
    eprintln!("{rest}");
    assert_eq!(count(&said, BACK), 1, "{said}");
    let about = rest.lines().filter(|line| line.contains(AWAY));
    assert_eq!(about.count(), 3, "connected, away, back:\n{rest}");

    let history = agent::history(&node);
    assert_names(&history.events, &all);
    assert_eq!(told(&history.events, &all[0].0), ["one", "two", "three"]);
    assert_eq!(told(&history.events, &all[1].0), ["one", "two"]);
    assert_eq!(told(&history.events, &all[2].0), ["one", "two", "three"]);
    let rows = all.each_ref().map(|(_, container)| row(&history, container).expect("it is known"));
    assert_eq!(rows.map(|row| row.capture), [Capture::FromStart; 3]);
    assert_eq!(rows.map(|row| row.identity.finished.is_some()), [false, true, true]);
    assert_eq!(rows[1].identity.exit_code, Some(7));
    assert_eq!(agent::events(&node), history.events);
}

#[test]
fn an_agent_that_starts_without_a_runtime_names_what_it_saw_when_there_is_one() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let mut node = start();
    let pods = ["cart", "web"].map(|name| node.run(worker(name, ON_ORDER)));
    node.stop_runtime();
    let watcher = Loose::watch(&node);
    order(&node, "one");
    // Nothing can be seen of it from outside before it has a name.
    thread::sleep(Duration::from_secs(3));
    let all = pods.each_ref().map(ran);
    let labelled = agent::events(&node);
    let ours = |event: &&Value| all.iter().any(|ran| text(event, "k8s.pod.uid") == ran.0.uid);
    assert_eq!(labelled.iter().filter(ours).count(), 0, "nobody knows the names");
    node.start_runtime();
    wait_until_told(&node, &all.each_ref().map(|ran| &ran.0), "one");
    order(&node, "two");
    wait_until_told(&node, &all.each_ref().map(|ran| &ran.0), "two");
    eprintln!("{}", watcher.stop());

    let history = agent::history(&node);
    assert_names(&history.events, &all);
    for (spec, container) in &all {
        assert_eq!(told(&history.events, spec), ["one", "two"]);
        let row = row(&history, container).expect("it is known");
        assert_eq!(row.capture, Capture::Partial);
    }
}

#[test]
fn a_second_agent_on_the_same_store_is_refused_and_the_first_goes_on() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = start();
    let first = Agent::start(&node, "watch", &EVENTS);
    for verb in ["watch", "record"] {
        let second = node
            .command(driftline())
            .args([verb, "--baselines", "/var/lib/driftline/baselines"])
            .args(["--store", "/var/lib/driftline"])
            .output()
            .expect("driftline runs");
        let said = String::from_utf8_lossy(&second.stderr);
        assert_eq!(second.status.code(), Some(122), "{said}");
        let in_use = format!(
            "the store directory /var/lib/driftline is in use by another driftline (pid {}); \
             end that one, or give each its own --store",
            first.pid()
        );
        assert!(said.contains(&in_use), "{said}");
    }
    let pod = node.run(worker("cart", ON_ORDER));
    order(&node, "one");
    wait_until_told(&node, &[&pod.spec], "one");
    assert!(first.metric("driftline_store_failures_total").abs() < 0.5);
    let all = [ran(&pod)];
    first.stop();
    assert_names(&agent::history(&node).events, &all);
}
