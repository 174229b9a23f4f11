//! The agent may be killed at any moment: nothing that was committed is lost, and what nobody watched is told as a gap.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
    ops::RangeInclusive,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use jiff::Timestamp;
use profiler_user::{container::Role, store::Capture};
use serde_json::Value;
use support::{
    agent::{self, Agent, EVENTS, History},
    driftline,
    pods::{Container, Node, Pod, PodSpec},
    worker::{
        ALWAYS, MINUTE, WORK, assert_names, can_run, ran, random, row, start, text, told, until,
        wait_until_told, worker,
    },
};

/// How often the agent is killed: `DRIFTLINE_KILLS`, or 5.
fn kills() -> usize {
    std::env::var("DRIFTLINE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(5)
}

/// What was in the store when the agent was killed.
struct Kill {
    at: Timestamp,
    events: Vec<Value>,
    /// What groups' events tell of.
    evidence: Vec<Value>,
    /// Containers that ran as far as the agent knew.
    running: BTreeSet<String>,
}

impl Kill {
    fn of(agent: Agent<'_>, node: &Node) -> Self {
        let at = Timestamp::now();
        agent.kill();
        let History { events, evidence, containers } = agent::history(node);
        let running = containers.iter().filter(|row| {
            row.identity.finished.is_none()
                && row.capture != Capture::Listed
                && row.identity.role == Role::Container
        });
        let running = running.map(|row| row.identity.id.as_str().to_owned()).collect();
        Self { at, events, evidence, running }
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
        assert_eq!(history.evidence[..kill.evidence.len()], kill.evidence, "and its evidence");
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
    // Whoever does something new all the time is told of by one event after a while; each is in the store.
    let mut each = [&events[..], &history.evidence].concat();
    each.sort_by(|one, other| text(one, "time").cmp(text(other, "time")));
    let mut unfinished = Vec::new();
    for (spec, container) in &all[..all.len() - 1] {
        if let Some(row) = row(&history, container)
            && row.identity.finished.is_none()
        {
            unfinished.push(&spec.name);
        }
        assert_in_order(&told(&each, spec), &kills_done, spec);
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
    let proved = Command::new(driftline())
        .args(["investigate", "verify-log", "--json", "--store"])
        .arg(node.outside("/var/lib/driftline"))
        .output()
        .expect("driftline runs");
    let verdict: Value = serde_json::from_slice(&proved.stdout).expect("a verdict");
    assert!(proved.status.success() && verdict["whole"] == true, "{verdict:#}");
    assert_eq!(verdict["events"], events.len(), "{verdict:#}");
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
