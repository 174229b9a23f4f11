//! A runtime that answers late still gives the right names.

use std::{
    fs,
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{
    agent::{self, Agent, EVENTS},
    churned::{
        LIFE, NAMESPACES, STRANGER, TASK, assert_labelled, can_run, churn, node, recorded, task,
        until,
    },
    pods::{ContainerSpec, Ended, Pod, PodSpec},
};

/// Stands before a runtime's socket and holds every answer back, for as long as this test runs.
fn hold_back(listen: PathBuf, runtime: PathBuf, delay: Duration) {
    let listener = UnixListener::bind(listen).expect("the node's directory is writable");
    thread::spawn(move || {
        for asker in listener.incoming() {
            let asker = asker.expect("a connection");
            let Ok(runtime) = UnixStream::connect(&runtime) else { continue };
            hold_back_one(&asker, &runtime, delay);
        }
    });
}

fn hold_back_one(asker: &UnixStream, runtime: &UnixStream, delay: Duration) {
    let clone = |stream: &UnixStream| stream.try_clone().expect("a descriptor");
    let (mut questions, mut to_runtime) = (clone(asker), clone(runtime));
    thread::spawn(move || {
        let _either_went = std::io::copy(&mut questions, &mut to_runtime);
        to_runtime.shutdown(Shutdown::Both)
    });
    let (mut answers, mut to_asker) = (clone(runtime), clone(asker));
    let (held, due) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut bytes = [0; 8192];
        while let Ok(count @ 1..) = answers.read(&mut bytes) {
            held.send((Instant::now() + delay, bytes[..count].into())).expect("it waits for us");
        }
    });
    thread::spawn(move || {
        let mut is_open = true;
        for (due, bytes) in due {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            is_open = is_open && to_asker.write_all(&bytes).is_ok();
        }
        to_asker.shutdown(Shutdown::Both)
    });
}

#[test]
fn a_runtime_that_answers_five_seconds_late_still_gives_the_right_names() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = node();
    let recorder = Agent::start(&node, "record", &[]);
    let usual = churn(&node, 1, "", &task(LIFE));
    recorded(&node, recorder, TASK, &usual);

    hold_back(
        node.outside("/run/late.sock"),
        node.outside("/run/containerd/containerd.sock"),
        Duration::from_secs(5),
    );
    let flags = [&EVENTS[..], &["--runtime-endpoint", "unix:///run/late.sock"]].concat();
    let watcher = Agent::start(&node, "watch", &flags);
    let script = "/bin/cat /etc/shadow; /bin/wget -qO- http://127.0.0.1:1/; sleep 600";
    let containers = [("task", TASK), ("stranger", STRANGER)]
        .map(|(name, image)| ContainerSpec::new(name, image).command(&["/bin/sh", "-c", script]));
    let [task, stranger] = containers;
    let pods: Vec<_> = NAMESPACES
        .iter()
        .map(|namespace| {
            let spec = PodSpec::new(namespace, "worker-0");
            node.run(spec.container(task.clone()).container(stranger.clone()))
        })
        .collect();
    let truth: Vec<_> = pods
        .iter()
        .flat_map(|pod| pod.containers().iter().zip([TASK, STRANGER]).map(move |of| (pod, of)))
        .map(|(pod, (container, image))| Ended {
            id: container.id.clone(),
            container: container.name.clone(),
            pod: pod.spec.name.clone(),
            namespace: pod.spec.namespace.clone(),
            uid: pod.spec.uid.clone(),
            image: image.to_owned(),
            exit_code: 0,
        })
        .collect();
    // What each container is known to have done first.
    let of_task =
        [("exec", "/bin/cat"), ("file.read", "/etc/shadow"), ("net.connect", "tcp 127.0.0.1:1")];
    let of_stranger = [("file.read", "/etc/shadow")];
    let begun = Instant::now();
    let is_told = |events: &[Value], ended: &Ended| {
        let expected = if ended.image == TASK { &of_task[..] } else { &of_stranger[..] };
        let is = |event: &Value, kind: &str, object: &str| {
            event["container.id"] == ended.id.as_str()
                && event["drift.kind"] == kind
                && event["drift.object"].as_str().is_some_and(|found| found.starts_with(object))
        };
        expected.iter().all(|(kind, object)| events.iter().any(|event| is(event, kind, object)))
    };
    until("the first events", &watcher, Duration::from_mins(1), || {
        let events = agent::events(&node);
        truth.iter().all(|ended| is_told(&events, ended))
    });
    eprintln!("told {:?} after the start", begun.elapsed());
    let said = watcher.stop();
    pods.into_iter().for_each(Pod::remove);
    assert_labelled(&agent::events(&node), &truth, &said);
    let history = agent::history(&node);
    assert_labelled(&history.events, &truth, &said);
    fs::remove_file(node.outside("/run/late.sock")).expect("it was made");
}
