//! A pod that does what it is told while a runtime or an agent is away, and what must have been told of it.

use std::{
    collections::HashMap,
    fs,
    io::Read as _,
    thread,
    time::{Duration, Instant},
};

use profiler_user::store::LedgerRow;
use serde_json::Value;

use crate::{
    agent::{self, History},
    pods::{self, BUSYBOX, Container, ContainerSpec, Node, Pod, PodSpec},
};

/// Where the test and its containers meet, on the node.
pub const WORK: &str = "/var/lib/work";
pub const MINUTE: Duration = Duration::from_mins(1);

pub fn can_run() -> bool {
    pods::can_run() && crate::can_load()
}

/// A pod that runs a script. In it, `$NAME` is the pod's name, which no other pod of this machine has, and `drift WORD`
/// does what is told of every container: it writes `/bin/NAME-WORD`.
pub fn worker(name: &str, script: &str) -> PodSpec {
    let mut spec = PodSpec::new("shop", "");
    spec.name = format!("{name}-{}", &spec.uid[..8]);
    let script = format!("drift() {{ : > /bin/$NAME-$1; }}\n{script}");
    let container = ContainerSpec::new("task", BUSYBOX)
        .command(&["/bin/sh", "-c", &script])
        .env("NAME", &spec.name)
        .mount(WORK, "/share", false);
    spec.label("app", name).container(container)
}

/// Waits for orders, each a file in `/share`, and then does them.
pub const ON_ORDER: &str = "
    for word in one two three; do
        until [ -e /share/$word ]; do usleep 20000; done
        drift $word
        [ $word = two ] && [ -n \"$LAST\" ] && exit 7
    done
    sleep 600";

/// Something new all the time.
pub const ALWAYS: &str = "n=0; while :; do n=$((n+1)); drift $n; usleep 50000; done";

pub fn start() -> Node {
    let node = Node::start();
    fs::create_dir_all(node.outside(WORK)).expect("the node's directory is writable");
    node
}

pub fn order(node: &Node, word: &str) {
    fs::write(node.outside(WORK).join(word), "").expect("the node's directory is writable");
}

pub fn random(below: u64) -> u64 {
    let mut bytes = [0; 8];
    let mut file = fs::File::open("/dev/urandom").expect("a random device");
    file.read_exact(&mut bytes).expect("random bytes");
    u64::from_le_bytes(bytes) % below
}

pub fn until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !is_so() {
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

pub fn text<'a>(event: &'a Value, key: &str) -> &'a str {
    event[key].as_str().unwrap_or_default()
}

/// What of [`worker`]'s doing was told, as the rest of the file's name.
pub fn told(events: &[Value], spec: &PodSpec) -> Vec<String> {
    let start = format!("/bin/{}-", spec.name);
    let created = events.iter().filter(|event| event["event.action"] == "created");
    created
        .filter_map(|event| Some(text(event, "drift.object").strip_prefix(&start)?.to_owned()))
        .collect()
}

pub fn wait_until_told(node: &Node, specs: &[&PodSpec], word: &str) {
    until(&format!("{word} of {} pods", specs.len()), MINUTE, || {
        let events = agent::events(node);
        specs.iter().all(|spec| told(&events, spec).iter().any(|told| told == word))
    });
}

/// A pod and the container that it ran.
pub type Ran = (PodSpec, Container);

pub fn ran(pod: &Pod) -> Ran {
    (pod.spec.clone(), pod.container("task").clone())
}

/// Each event of these pods carries all of the right names, and no other event speaks of what they did.
pub fn assert_names(events: &[Value], ran: &[Ran]) {
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

pub fn row<'a>(history: &'a History, container: &Container) -> Option<&'a LedgerRow> {
    history.containers.iter().find(|row| row.identity.id.as_str() == container.id)
}
