//! The runtime, the agent, or both may be away: nothing gets a wrong name, nothing that was committed is lost.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    io::Read as _,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use profiler_user::{
    container::Role,
    store::{Capture, LedgerRow},
};
use serde_json::Value;
use support::{
    agent::{self, Agent, EVENTS, History},
    driftline,
    pods::{self, BUSYBOX, Container, ContainerSpec, Node, Pod, PodSpec},
};

/// Where the test and its containers meet, on the node.
const WORK: &str = "/var/lib/work";
const MINUTE: Duration = Duration::from_mins(1);

fn can_run() -> bool {
    pods::can_run() && support::can_load()
}

/// A pod that runs a script. In it, `$NAME` is the pod's name, which no other pod of this machine has, and `drift WORD`
/// does what is told of every container: it writes `/bin/NAME-WORD`.
fn worker(name: &str, script: &str) -> PodSpec {
    let mut spec = PodSpec::new("shop", "");
    spec.name = format!("{name}-{}", &spec.uid[..8]);
    let script = format!("drift() {{ : > /bin/$NAME-$1; }}\n{script}");
    let container = ContainerSpec::new("task", BUSYBOX)
        .command(&["/bin/sh", "-c", &script])
        .env("NAME", &spec.name)
        .mount(WORK, "/work", false);
    spec.label("app", name).container(container)
}

/// Waits for orders, each a file in `/work`, and then does them.
const ON_ORDER: &str = "
    for word in one two three; do
        until [ -e /work/$word ]; do usleep 20000; done
        drift $word
        [ $word = two ] && [ -n \"$LAST\" ] && exit 7
    done
    sleep 600";

/// Something new all the time.
const ALWAYS: &str = "n=0; while :; do n=$((n+1)); drift $n; usleep 50000; done";

fn start() -> Node {
    let node = Node::start();
    fs::create_dir_all(node.outside(WORK)).expect("the node's directory is writable");
    node
}

fn order(node: &Node, word: &str) {
    fs::write(node.outside(WORK).join(word), "").expect("the node's directory is writable");
}

fn random(below: u64) -> u64 {
    let mut bytes = [0; 8];
    let mut file = fs::File::open("/dev/urandom").expect("a random device");
    file.read_exact(&mut bytes).expect("random bytes");
    u64::from_le_bytes(bytes) % below
}

fn until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !is_so() {
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn text<'a>(event: &'a Value, key: &str) -> &'a str {
    event[key].as_str().unwrap_or_default()
}

/// What of [`worker`]'s doing was told, as the rest of the file's name.
fn told(events: &[Value], spec: &PodSpec) -> Vec<String> {
    let start = format!("/bin/{}-", spec.name);
    let created = events.iter().filter(|event| event["event.action"] == "created");
    created
        .filter_map(|event| Some(text(event, "drift.object").strip_prefix(&start)?.to_owned()))
        .collect()
}

fn wait_until_told(node: &Node, specs: &[&PodSpec], word: &str) {
    until(&format!("{word} of {} pods", specs.len()), MINUTE, || {
        let events = agent::events(node);
        specs.iter().all(|spec| told(&events, spec).iter().any(|told| told == word))
    });
}

/// A pod and the container that it ran.
type Ran = (PodSpec, Container);

fn ran(pod: &Pod) -> Ran {
    (pod.spec.clone(), pod.container("task").clone())
}

/// Each event of these pods carries all of the right names, and no other event speaks of what they did.
fn assert_names(events: &[Value], ran: &[Ran]) {
    let by_name: HashMap<_, _> = ran.iter().map(|ran| (ran.0.name.as_str(), ran)).collect();
    let by_uid: HashMap<_, _> = ran.iter().map(|ran| (ran.0.uid.as_str(), ran)).collect();
    let mut count = 0;
    for event in events {
        let object = text(event, "drift.object").strip_prefix("/bin/").unwrap_or_default();
        let did = object.rsplit_once('-').and_then(|(name, _)| by_name.get(name));
        let labelled = by_uid.get(text(event, "k8s.pod.uid"));
        let Some((spec, container)) = did.or(labelled) else { continue };
        count += 1;
        assert_eq!(text(event, "k8s.pod.uid"), spec.uid, "{event:#}");
        assert_eq!(text(event, "k8s.pod.name"), spec.name, "{event:#}");
        assert_eq!(text(event, "k8s.namespace.name"), spec.namespace, "{event:#}");
        assert_eq!(text(event, "k8s.container.name"), "task", "{event:#}");
        assert_eq!(text(event, "container.id"), container.id, "{event:#}");
        assert_eq!(text(event, "container.image.reference"), BUSYBOX, "{event:#}");
    }
    assert!(count > 0, "there is something to judge");
}

fn row<'a>(history: &'a History, container: &Container) -> Option<&'a LedgerRow> {
    history.containers.iter().find(|row| row.identity.id.as_str() == container.id)
}

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

const CONNECTED: &str = "driftline: connected to containerd";

#[test]
fn half_a_minute_without_a_runtime_mislabels_nothing() {
    const OUTAGE: Duration = Duration::from_secs(30);
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let mut node = start();
    let mut watcher = Agent::start(&node_ref(&node), "watch", &EVENTS);
    watcher.wait_for(CONNECTED, MINUTE);
}
