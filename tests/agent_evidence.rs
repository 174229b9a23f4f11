//! A pod that drifts and is deleted at once leaves a bundle that says what it did.

use std::{
    fs,
    io::{Seek as _, Write as _},
    time::Duration,
};

use support::{
    agent::{self, Agent, EVENTS},
    bundles::{bundles, evidence, extracted, lines},
    pods::{Node, PodSpec},
    told::{busybox, can_run, until},
};

#[test]
fn a_pod_that_drifts_and_is_deleted_at_once_leaves_its_files_and_programs() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let watcher = Agent::start(&node, "watch", &EVENTS);
    let script = "sleep 1; echo planted-content >/dropped; \
                  echo export DB_PASSWORD=planted-hunter2-xyz >/plan; \
                  cp /bin/busybox /busybox-tool; \
                  /busybox-tool sh -c 'sleep 1000; :' --password=planted-hunter2-xyz & \
                  sleep 0.5; rm /busybox-tool; wait";
    let pod = node.run(PodSpec::new("shop", "job").container(busybox("app", script)));
    until(Duration::from_secs(20), "the first bundle", || !bundles(&node).is_empty());
    std::thread::sleep(Duration::from_secs(2));
    pod.remove();
    until(Duration::from_secs(20), "the bundle of its end", || bundles(&node).len() == 2);
    let all = bundles(&node);
    let id = |at: usize| all[at]["id"].as_str().unwrap().to_owned();
    assert!(
        all[0]["why"]["drift"]["event"].is_string() && all[1]["why"]["end"]["event"].is_string()
    );

    let (first, last) = (extracted(&node, &id(0)), extracted(&node, &id(1)));
    let processes = fs::read_to_string(first.join("processes.json")).unwrap();
    assert!(processes.contains("\"parent_pid\""), "{processes}");
    for piece in ["sockets/tcp", "mountinfo", "runtime", "node/version"] {
        let there = fs::read_dir(&first).unwrap().flatten().map(|entry| entry.file_name());
        let there: Vec<_> = there.collect();
        assert!(first.join(piece).exists(), "{piece} in {there:?}: {:#}", all[0]["missing"]);
    }
    let changed = lines(&last, "changed.json");
    let of = |path: &str| changed.iter().find(|it| it["path"] == path).unwrap();
    let content = last.join(of("/dropped")["piece"].as_str().unwrap());
    assert_eq!(fs::read_to_string(content).unwrap(), "planted-content\n");
    assert_eq!(of("/plan")["not_kept"], "it holds secrets");
    let executables = lines(&last, "executables.json");
    let is_tool = |it: &&serde_json::Value| {
        it["path"].as_str().is_some_and(|path| path.starts_with("/busybox-tool"))
    };
    let tool = executables.iter().find(is_tool).expect("the tool was caught");
    let piece = last.join(tool["piece"].as_str().expect("with its content"));
    assert!(fs::read(piece).unwrap() == fs::read("/bin/busybox").unwrap(), "byte by byte");

    for at in 0..2 {
        let raw = evidence(&node, &["extract", &id(at), "-o", "-"]).stdout;
        let secret = b"planted-hunter2-xyz";
        assert!(!raw.is_empty() && !raw.windows(secret.len()).any(|window| window == secret));
    }
    assert!(evidence(&node, &["verify", &id(1)]).status.success());
    let path = node.outside(format!("/var/lib/driftline/evidence/{}.tar.zst", id(1)));
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let middle = fs::metadata(&path).unwrap().len() / 2;
    let byte = fs::read(&path).unwrap()[usize::try_from(middle).unwrap()];
    file.seek(std::io::SeekFrom::Start(middle)).unwrap();
    file.write_all(&[byte ^ 1]).unwrap();
    assert_eq!(evidence(&node, &["verify", &id(1)]).status.code(), Some(4));
    watcher.stop();
}

/// A container outlives its agent: the next one tells of its end, and of what came before.
#[test]
fn a_pod_that_outlives_its_agent_has_its_last_bundle_from_the_next() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let first = Agent::start(&node, "watch", &EVENTS);
    let script = "sleep 1; cp /bin/busybox /busybox-tool; /busybox-tool sleep 0.3; rm /busybox-tool; \
                  while ! test -e /go; do sleep 0.1; done; echo later >/dropped; sleep 1000";
    let pod = node.run(PodSpec::new("shop", "job").container(busybox("app", script)));
    until(Duration::from_secs(20), "the first bundle", || !bundles(&node).is_empty());
    first.kill();

    let next = Agent::start(&node, "watch", &EVENTS);
    pod.container("app").exec(&["touch", "/go"]);
    std::thread::sleep(Duration::from_secs(2));
    pod.remove();
    until(Duration::from_secs(20), "the bundle of its end", || bundles(&node).len() == 2);
    let all = bundles(&node);
    assert_eq!(all[0]["why"]["drift"]["event"], all[1]["why"]["end"]["event"]);
    let last = extracted(&node, all[1]["id"].as_str().unwrap());
    let events = fs::read_to_string(last.join("events.ndjson")).unwrap();
    assert!(events.contains("/busybox-tool"), "what drifted under the one before: {events}");
    let changed = lines(&last, "changed.json");
    let dropped = changed.iter().find(|it| it["path"] == "/dropped").expect("what came later");
    let content = last.join(dropped["piece"].as_str().unwrap());
    assert_eq!(fs::read_to_string(content).unwrap(), "later\n");
    let executables = lines(&last, "executables.json");
    let is_tool = |it: &&serde_json::Value| {
        it["path"].as_str().is_some_and(|path| path.starts_with("/busybox-tool"))
    };
    assert!(executables.iter().any(|it| is_tool(&it)), "caught by the one before");
    let cases = node.outside("/var/lib/driftline/evidence/cases");
    assert_eq!(fs::read_dir(cases).unwrap().count(), 0, "nothing is left to go on with");
    next.stop();
}

/// Programs that were brought there, live for 20 ms each, and are gone from the disk before anybody could look.
#[test]
fn most_programs_that_live_for_a_moment_are_caught() {
    const ALL: usize = 100;
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let watcher = Agent::start(&node, "watch", &EVENTS);
    let script = "sleep 1; i=0; while [ $i -lt 100 ]; do cp /bin/busybox /busybox-$i; /busybox-$i sleep 0.02; rm /busybox-$i; \
                  i=$((i+1)); done; echo done > /end; sleep 2";
    let pod = node.run(PodSpec::new("shop", "quick").container(busybox("app", script)));
    let end = |all: &[serde_json::Value]| {
        let of_end = all.iter().find(|bundle| bundle["why"]["end"].is_object())?;
        of_end["id"].as_str().map(str::to_owned)
    };
    until(Duration::from_mins(1), "the bundle of its end", || end(&bundles(&node)).is_some());
    let id = end(&bundles(&node)).expect("it is there");
    let executables = lines(&extracted(&node, &id), "executables.json");
    let is_one = |line: &&serde_json::Value| {
        line["path"].as_str().is_some_and(|path| path.starts_with("/busybox-"))
            && line["piece"].is_string()
    };
    let caught = executables.iter().filter(is_one).count();
    // Past the harness's capture: the documents quote it.
    let _stderr_may_be_gone =
        writeln!(std::io::stderr(), "of {ALL} programs that lived 20 ms, {caught} were caught");
    assert!((ALL / 2..=ALL).contains(&caught), "{caught} of {ALL}");
    watcher.stop();
    pod.remove();
}
