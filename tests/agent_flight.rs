//! What a container did stays known: in the event that follows, in the behaviour log of an agent that was killed, and for
//! other baselines to judge.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    thread,
    time::Duration,
};

use serde_json::Value;
use support::{
    agent::{self, Agent, EVENTS},
    driftline,
    pods::{Node, Pod, PodSpec},
    told::{busybox, can_run, events_of, until, wait_for_event},
    worker::WORK,
};

const SOON: Duration = Duration::from_secs(40);

const TASK: &str = "until [ -e /share/go ]; do sleep 0.1; done; . /share/work";

const ROUTINE: &str =
    ": > /etc/shadow; nc -w 1 127.0.0.1 7 </dev/null; sleep 0.1; echo x > /share/done";

const SECRET: &str = "Planted-5ecret-4711";

/// What the baseline knows, then what it does not, then something that is no drift again.
const WORK_OF_TODAY: &str = ": > /etc/shadow; nc -w 1 127.0.0.1 7 </dev/null; /bin/echo --password=Planted-5ecret-4711; /bin/cat /etc/shadow; \
    /bin/false; echo x > /share/done; sleep 600";

fn task(node: &Node, name: &str, work: &str) -> Pod {
    let share = node.outside(WORK);
    fs::create_dir_all(&share).expect("the node's directory is writable");
    for old in ["go", "done"] {
        let _absent = fs::remove_file(share.join(old));
    }
    fs::write(share.join("work"), work).expect("writable");
    let container = busybox("task", TASK).mount(WORK, "/share", false);
    let pod = node.run(PodSpec::new("shop", name).label("app", name).container(container));
    fs::write(share.join("go"), "").expect("writable");
    until(SOON, "the work", || share.join("done").exists());
    pod
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn replay(store: &Path, baselines: &Path) -> Output {
    let mut command = Command::new(driftline());
    command.arg("replay").arg("--json").arg("--store").arg(store);
    command.arg("--baselines").arg(baselines).output().expect("driftline starts")
}

fn recorded(store: &Path, pod: &Pod) -> Vec<Value> {
    let mut command = Command::new(driftline());
    command.args(["investigate", "container", &pod.container("task").id, "--flight", "--json"]);
    let answer = json(&command.arg("--store").arg(store).output().expect("driftline starts"));
    answer["recorded"]["moments"].as_array().expect("moments").clone()
}

fn has(moments: &[Value], kind: &str, what: &str) -> bool {
    let text = |moment: &Value, key: &str| moment[key].as_str().unwrap_or_default().to_owned();
    moments.iter().any(|one| text(one, "kind") == kind && text(one, "object").contains(what))
}

/// Every baseline of the directory with nothing in it.
fn emptied(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("writable");
    for file in fs::read_dir(from).expect("a directory") {
        let path = file.expect("a file").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read_to_string(&path).expect("readable");
            let mut baseline: Value = serde_json::from_str(&text).expect("JSON");
            baseline["executables"] = serde_json::json!({});
            baseline["syscalls"] = serde_json::json!({});
            let name = path.file_name().expect("a file has a name");
            fs::write(to.join(name), baseline.to_string()).expect("writable");
        }
    }
}

#[test]
fn what_led_to_drift_is_told_kept_and_judged_anew() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let recorder = Agent::start(&node, "record", &[]);
    for name in ["one", "two"] {
        let pod = task(&node, name, ROUTINE);
        assert_eq!(pod.container("task").wait(), 0);
        pod.remove();
    }
    recorder.stop();

    let watcher = Agent::start(&node, "watch", &EVENTS);
    let pod = task(&node, "web", WORK_OF_TODAY);
    let theft = wait_for_event(&node, &pod, "file.read", SOON);
    let before = theft["context.before"].as_array().expect("moments").clone();
    assert!(has(&before, "exec", "nc") && has(&before, "net.connect", "127.0.0.1:7"), "{theft:#}");
    assert!(before.len() <= 16 && before.iter().all(|one| one["time"].is_string()), "{theft:#}");
    thread::sleep(Duration::from_millis(1100));
    watcher.kill();

    let store = node.outside("/var/lib/driftline");
    let assert_recorded = || {
        let moments = recorded(&store, &pod);
        assert!(has(&moments, "file.read", "/etc/shadow"), "{moments:#?}");
        assert!(
            has(&moments, "exec", "false") && has(&moments, "exit", "status 1"),
            "{moments:#?}"
        );
        assert!(has(&moments, "net.connect", "127.0.0.1:7"), "{moments:#?}");
    };
    assert_recorded();
    let second = Agent::start(&node, "watch", &EVENTS);
    eprintln!("{}", second.stop());
    assert_recorded();

    for file in fs::read_dir(store.join("flight")).expect("a log") {
        let bytes = fs::read(file.expect("a file").path()).expect("readable");
        let found = bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
        assert!(!found, "the behaviour log has the secret");
    }

    let baselines = store.join("baselines");
    let ours = |list: &Value| -> Vec<Value> {
        // Other tests may have nodes on this machine.
        let id = &pod.container("task").id;
        let all = list.as_array().expect("a list");
        all.iter().filter(|one| one["container.id"] == **id).cloned().collect()
    };
    let same = json(&replay(&store, &baselines));
    assert_eq!(ours(&same["more"]), [] as [Value; 0], "{same:#}");
    assert_eq!(ours(&same["fewer"]), [] as [Value; 0], "{same:#}");
    let is_drift =
        |event: &&Value| event["event.action"] == "created" && event["drift.kind"] != "sensor.gap";
    let told = events_of(&node, &pod).iter().filter(is_drift).count() as u64;
    assert!(told > 0 && same["same"].as_u64() >= Some(told), "{told} {same:#}");

    let nothing = node.outside("/var/lib/emptied");
    emptied(&baselines, &nothing);
    let one = replay(&store, &nothing);
    let more = json(&one);
    assert!(has_drift(&ours(&more["more"]), "net.connect"), "{more:#}");
    assert!(has_drift(&ours(&more["more"]), "syscall"), "calls that never crossed: {more:#}");
    assert_eq!(ours(&more["fewer"]).iter().filter(|one| one["kind"] == "file.read").count(), 0);
    let again = replay(&store, &nothing);
    assert!(one.stdout == again.stdout, "the same input gives the same bytes");

    let gone = replay(&store, &store.join("no-such"));
    assert_eq!(gone.status.code(), Some(121), "{}", String::from_utf8_lossy(&gone.stderr));
    pod.remove();
}

fn has_drift(list: &[Value], kind: &str) -> bool {
    list.iter().any(|one| one["kind"] == kind)
}
