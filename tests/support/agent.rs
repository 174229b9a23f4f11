//! The agent on a node of the tests, started beside its pods rather than in one.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use profiler_user::store::{LedgerFilter, LedgerRow, Store};
use serde_json::Value;

use crate::{driftline, pods::Node};

/// Where the agent serves its metrics.
pub const AGENT: &str = "127.0.0.1:9465";

/// An agent sees the containers of every node of this machine: tests with one run one after the other.
pub fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    // A test that failed has left nothing behind.
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running `driftline record` or `watch`; killed when dropped.
pub struct Agent<'a> {
    node: &'a Node,
    child: Child,
    log: PathBuf,
    /// Where it serves its metrics.
    http: String,
}

impl<'a> Agent<'a> {
    /// `driftline VERB` over all containers of the node, until it says that it is ready.
    pub fn start(node: &'a Node, verb: &str, flags: &[&str]) -> Self {
        Self::start_as("node-1", node, verb, flags)
    }

    /// The same where the node has this name.
    pub fn start_as(name: &str, node: &'a Node, verb: &str, flags: &[&str]) -> Self {
        let own = ["--store", "/var/lib/driftline", "--node-name", name];
        Self::start_at(AGENT, node, verb, &[&own, flags].concat())
    }

    /// One of several: each needs an address of its own for its metrics, and a store and a name among its flags.
    pub fn start_at(http: &str, node: &'a Node, verb: &str, flags: &[&str]) -> Self {
        static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let log = node.directory().join(format!("agent-{count}.log"));
        let child = node
            .command(driftline())
            .arg(verb)
            .args(["--baselines", "/var/lib/driftline/baselines"])
            .args(["--http", http, "--cluster", "lab"])
            .args(flags)
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("the node's directory is writable"))
            .spawn()
            .expect("driftline starts");
        let mut agent = Self { node, child, log, http: http.to_owned() };
        agent.wait_for("driftline: ready", Duration::from_secs(20));
        agent
    }

    /// Waits until the agent has said this.
    pub fn wait_for(&mut self, words: &str, limit: Duration) {
        let end = Instant::now() + limit;
        while !self.said().contains(words) {
            let ended = self.child.try_wait().expect("a child");
            assert!(
                ended.is_none() && Instant::now() < end,
                "no {words:?} ({ended:?}):\n{}",
                self.said()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).expect("it was created")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it ended by itself, as a recording does that has seen enough.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// Ends it as a kubelet does, if it has not ended by itself; what it said.
    pub fn stop(mut self) -> String {
        if !self.has_ended() {
            kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).expect("it runs");
        }
        let status = self.child.wait().expect("a child");
        assert!(status.success(), "{status}\n{}", self.said());
        self.said()
    }

    /// SIGKILL, out of nothing.
    pub fn kill(mut self) -> String {
        self.child.kill().expect("it runs");
        self.child.wait().expect("a child");
        self.said()
    }

    /// The agent's metrics as text.
    pub fn metrics(&self) -> String {
        let (status, text) = self.node.get(&self.http, "/metrics");
        assert_eq!(status, 200, "{text}");
        text
    }

    /// The value of a series, written as the metrics have it.
    pub fn metric(&self, series: &str) -> f64 {
        let metrics = self.metrics();
        let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series} in\n{metrics}")).parse().expect("a number")
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        let _may_have_ended = self.child.kill();
        let _status = self.child.wait();
        if thread::panicking() {
            eprintln!("the agent said:\n{}", self.said());
        }
    }
}

/// The lines of the node's file of drift events.
pub fn events(node: &Node) -> Vec<Value> {
    events_of(node, EVENTS[1])
}

/// The lines of this file of the node.
pub fn events_of(node: &Node, path: &str) -> Vec<Value> {
    let path = node.outside(path);
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect()
}

/// The flag that makes [`events`] work.
pub const EVENTS: [&str; 2] = ["--events", "/var/lib/driftline/events.jsonl"];

/// The recorded baselines, by their image's label.
pub fn baselines(node: &Node) -> Vec<Value> {
    let directory = node.outside("/var/lib/driftline/baselines");
    let files =
        fs::read_dir(directory).expect("a directory").map(|file| file.expect("a file").path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let text = fs::read_to_string(path).expect("readable");
            crate::recorded::valid(&text)
        })
        .collect()
}

/// What an agent has left in the node's store. The agent must have ended.
pub struct History {
    /// In the order in which they were committed.
    pub events: Vec<Value>,
    /// What groups' events tell of.
    pub evidence: Vec<Value>,
    pub containers: Vec<LedgerRow>,
}

pub fn history(node: &Node) -> History {
    history_of(node, "/var/lib/driftline")
}

/// The same from this directory of the node.
pub fn history_of(node: &Node, directory: &str) -> History {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let directory = node.outside(directory);
        let store = Store::open(&directory).await.expect("the agent has ended");
        let mut events = Vec::new();
        let mut seq = 0;
        loop {
            let batch = store.events_after(seq, 1000).await.expect("readable");
            let Some(last) = batch.last() else { break };
            seq = last.seq;
            events
                .extend(batch.iter().map(|event| serde_json::from_str(&event.line).expect("JSON")));
        }
        let evidence = store.evidence_after(0, u32::MAX).await.expect("readable");
        let evidence =
            evidence.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let containers = store.containers(&LedgerFilter::default()).await.expect("readable");
        store.close().await;
        History { events, evidence, containers }
    })
}
