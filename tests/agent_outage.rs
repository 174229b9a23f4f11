//! The runtime, the agent, or both may be away: nothing gets a wrong name, nothing that was committed is lost.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fs,
    io::Read as _,
    ops::RangeInclusive,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
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
        .mount(WORK, "/share", false);
    spec.label("app", name).container(container)
}

/// Waits for orders, each a file in `/share`, and then does them.
const ON_ORDER: &str = "
    for word in one two three; do
        until [ -e /share/$word ]; do usleep 20000; done
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

/// How often the agent is killed: `DRIFTLINE_KILLS`, or 5.
fn kills() -> usize {
    std::env::var("DRIFTLINE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(5)
}

/// What was in the store when the agent was killed.
struct Kill {
    at: Timestamp,
    events: Vec<Value>,
    /// Containers that ran as far as the agent knew.
    running: BTreeSet<String>,
}

impl Kill {
    fn of(agent: Agent<'_>, node: &Node) -> Self {
        let at = Timestamp::now();
        agent.kill();
        let History { events, containers } = agent::history(node);
        let running = containers.iter().filter(|row| {
            row.identity.finished.is_none()
                && row.capture != Capture::Listed
                && row.identity.role == Role::Container
        });
        let running = running.map(|row| row.identity.id.as_str().to_owned()).collect();
        Self { at, events, running }
    }
}

#[test]
fn an_agent_that_is_killed_again_and_again_loses_nothing_that_it_had_committed() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = start();
    let all = Mutex::new(Vec::new());
    let run = |spec| {
        let pod = node.run(spec);
        all.lock().expect("no panic").push(ran(&pod));
        pod
    };
    let stop = AtomicBool::new(false);
    // Pods that live for a moment, whoever watches.
    let churn = || {
        let mut brief = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let pod = run(worker("brief", "for n in 1 2 3; do drift $n; done; exit 5"));
            assert_eq!(pod.container("task").wait(), 5);
            brief.push(pod.container("task").id.clone());
            pod.remove();
        }
        brief
    };
    let mut kills_done = Vec::new();
    let brief = thread::scope(|scope| {
        let churn = scope.spawn(churn);
        let mut pods: Vec<_> = (0..3).map(|_| run(worker("always", ALWAYS))).collect();
        for _ in 0..kills() {
            let watcher = Agent::start(&node, "watch", &EVENTS);
            thread::sleep(Duration::from_millis(random(3000)));
            kills_done.push(Kill::of(watcher, &node));
            if random(2) == 0 {
                pods.remove(0).remove();
                pods.push(run(worker("always", ALWAYS)));
            }
            thread::sleep(Duration::from_millis(random(500)));
        }
        stop.store(true, Ordering::Relaxed);
        let watcher = Agent::start(&node, "watch", &EVENTS);
        let brief = churn.join().expect("no panic");
        let last = run(worker("last", ALWAYS));
        wait_until_told(&node, &[&last.spec], "1");
        pods.into_iter().for_each(Pod::remove);
        last.remove();
        let last = run(worker("end", ALWAYS));
        wait_until_told(&node, &[&last.spec], "1");
        eprintln!("{}", watcher.stop());
        brief
    });
    let all = all.into_inner().expect("no panic");
    let history = agent::history(&node);
    let events = &history.events;

    assert_whole(&node, events);
    assert_names(events, &all);
    for kill in &kills_done {
        assert_eq!(events[..kill.events.len()], kill.events, "what was committed stays");
    }
    // Other tests may have nodes on this machine.
    let ours: HashSet<_> = all.iter().map(|ran| ran.1.id.as_str()).collect();
    let mut gaps = gaps(events);
    gaps.retain(|id, _| ours.contains(id));
    for kill in &mut kills_done {
        kill.running.retain(|id| ours.contains(id.as_str()));
        for id in &kill.running {
            let of_it = gaps.get(id.as_str()).map(Vec::as_slice).unwrap_or_default();
            let covers = |gap: &&(Timestamp, Timestamp)| gap.0 <= kill.at && kill.at <= gap.1;
            assert_eq!(of_it.iter().filter(covers).count(), 1, "{id} at {}: {of_it:?}", kill.at);
            let row = history.containers.iter().find(|row| row.identity.id.as_str() == id);
            assert_eq!(row.expect("it was known").capture, Capture::Gaps, "{id}");
        }
    }
    for (id, told) in &gaps {
        for gap in told {
            let around = |kill: &&Kill| gap.0 <= kill.at && kill.at <= gap.1;
            let was_there = |kill: &Kill| kill.running.contains(*id);
            assert!(kills_done.iter().filter(around).any(was_there), "{id} was not there: {gap:?}");
        }
    }
    let told_gaps: usize = gaps.values().map(Vec::len).sum();
    let running: usize = kills_done.iter().map(|kill| kill.running.len()).sum();
    let mut unfinished = Vec::new();
    for (spec, container) in &all[..all.len() - 1] {
        if let Some(row) = row(&history, container)
            && row.identity.finished.is_none()
        {
            unfinished.push(&spec.name);
        }
        assert_in_order(&told(events, spec), &kills_done, spec);
    }
    eprintln!(
        "{} kills, {} events, {} pods ({} brief), {running} ran across a kill, {told_gaps} gaps told",
        kills_done.len(),
        events.len(),
        all.len(),
        brief.len()
    );
    assert_eq!(unfinished, Vec::<&String>::new(), "they have ended");
}

/// Numbered without gaps, each with the hash of the line before, and so in the events file too.
fn assert_whole(node: &Node, events: &[Value]) {
    let mut ids = HashSet::new();
    for (event, seq) in events.iter().zip(1_u64..) {
        assert_eq!(event["event.seq"], seq, "{event:#}");
        let fresh = ids.insert(text(event, "event.id"));
        assert_eq!(fresh, event["event.action"] == "created", "{event:#}");
    }
    assert_eq!(agent::events(node), events, "the events file has each once");
    let file = fs::read_to_string(node.outside("/var/lib/driftline/events.jsonl"));
    let file = file.expect("the agent wrote it");
    let hashes = hashes(node, &file);
    assert!(events[0].get("event.prev_hash").is_none());
    for (event, hash) in events[1..].iter().zip(&hashes) {
        assert_eq!(text(event, "event.prev_hash"), format!("sha256:{hash}"));
    }
}

/// The hash of each line, by another's hand.
fn hashes(node: &Node, text: &str) -> Vec<String> {
    let directory = node.directory().join("lines");
    fs::create_dir(&directory).expect("the node's directory is writable");
    for (line, number) in text.lines().zip(0..) {
        fs::write(directory.join(format!("{number:08}")), line).expect("writable");
    }
    let sums = Command::new("sh").args(["-c", "sha256sum *"]).current_dir(directory).output();
    let sums = String::from_utf8(sums.expect("sha256sum runs").stdout).expect("names");
    let sums: Vec<_> =
        sums.lines().filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect();
    assert_eq!(sums.len(), text.lines().count());
    sums
}

/// By container, from when to when nobody watched it.
fn gaps(events: &[Value]) -> BTreeMap<&str, Vec<(Timestamp, Timestamp)>> {
    let mut gaps = BTreeMap::<_, Vec<_>>::new();
    for event in events.iter().filter(|event| event["drift.kind"] == "sensor.gap") {
        let time = |key| text(event, key).parse::<Timestamp>().expect("a time");
        gaps.entry(text(event, "container.id"))
            .or_default()
            .push((time("time"), time("time.last")));
    }
    gaps
}

/// While an agent was there, it missed nothing: the numbers have a gap for each kill at most.
fn assert_in_order(told: &[String], kills: &[Kill], spec: &PodSpec) {
    let numbers: Vec<u64> = told.iter().map(|told| told.parse().expect("a number")).collect();
    let jumps = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
    assert!(numbers.is_sorted(), "{}: {numbers:?}", spec.name);
    assert!(jumps <= kills.len(), "{}: {jumps} gaps: {numbers:?}", spec.name);
}

/// What the baseline on the disk has of a container: whether its run is marked as partial, and its steps.
fn learned(node: &Node, spec: &PodSpec, container: &Container) -> (bool, BTreeSet<u64>) {
    let path = format!("/etc/{}-", spec.name);
    let baselines = agent::baselines(node);
    let ours = baselines.iter().find(|baseline| baseline.to_string().contains(&path));
    let ours = ours.unwrap_or_else(|| panic!("nothing was learned of {}", spec.name));
    let runs = ours["runs"].as_object().expect("runs by id");
    let run = runs.get(&container.id[..26]).unwrap_or_else(|| panic!("{runs:#?}"));
    // No other test runs a container of this name.
    assert_eq!(runs.len(), 1, "{runs:#?}");
    let text = ours.to_string();
    let steps = text.split(&path).skip(1).filter_map(|rest| rest.split_once('"')?.0.parse().ok());
    (run["partial"] == true, steps.collect())
}

#[test]
fn a_recorder_that_is_killed_loses_no_more_than_a_second_and_a_half() {
    const STEPS: &str = "n=0; while :; do n=$((n+1)); : > /etc/$NAME-$n; \
        echo $n >> /share/$NAME; usleep 100000; done";
    const MAY_BE_LOST: Duration = Duration::from_millis(1500);
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = start();
    let mut recorder = Agent::start(&node, "record", &[]);
    let mut spec = worker("steps", STEPS);
    spec.containers[0].name.clone_from(&spec.name);
    let pod = node.run(spec);
    let (spec, container) = (&pod.spec, &pod.containers()[0]);
    let done = || {
        let done = fs::read_to_string(node.outside(WORK).join(&spec.name)).unwrap_or_default();
        done.lines().next_back().and_then(|line| line.parse::<u64>().ok()).unwrap_or(0)
    };
    let assert_has = |steps: &BTreeSet<u64>, must: &[RangeInclusive<u64>]| {
        let missing = must.iter().cloned().flatten().filter(|step| !steps.contains(step));
        assert_eq!(missing.collect::<Vec<_>>(), [0; 0], "of {must:?}");
    };
    let mut must = Vec::new();
    let mut from = 1;
    for kill in 0..3 {
        until("ten steps", MINUTE, || done() >= from + 10);
        thread::sleep(Duration::from_millis(random(1000)));
        let safe = done();
        thread::sleep(MAY_BE_LOST);
        recorder.kill();
        must.push(from..=safe);
        let (is_partial, steps) = learned(&node, spec, container);
        eprintln!("{} of {} steps are there, {safe} must", steps.len(), done());
        assert_eq!(is_partial, kill > 0);
        assert_has(&steps, &must);
        recorder = Agent::start(&node, "record", &[]);
        // The next one may have been before.
        from = done() + 2;
    }
    until("ten steps", MINUTE, || done() >= from + 10);
    must.push(from..=done());
    recorder.stop();
    let (is_partial, steps) = learned(&node, spec, container);
    assert!(is_partial);
    assert_has(&steps, &must);
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
