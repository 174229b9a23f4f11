//! An Alertmanager that is away, refuses or never answers holds up neither the events file nor another one.

use std::{sync::atomic::Ordering, time::Duration};

use support::{
    agent::{self, Agent, EVENTS},
    pods::{Node, Pod, PodSpec},
    receiver::Receiver,
    told::{busybox, can_run, metric, until, wait_for_event},
};

#[test]
fn an_alertmanager_that_takes_nothing_holds_up_nothing() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let urls = [1, 2, 3, 4].map(|n| format!("http://127.0.0.1:909{n}"));
    // Behind the first there is nobody yet.
    let failing = Receiver::start(&node, 9092, 500);
    let refusing = Receiver::start(&node, 9093, 400);
    let _silent = Receiver::start(&node, 9094, 0);
    let all = urls.join(",");
    let flags = [EVENTS[0], EVENTS[1], "--alertmanager", &all];
    let mut watcher = Agent::start(&node, "watch", &flags);
    let pod = node.run(PodSpec::new("shop", "job").container(busybox("app", "sleep 1000")));
    assert_eq!(pod.container("app").exec(&["/bin/sh", "-c", "id"]).code, 0);
    wait_for_event(&node, &pod, "exec.injected", Duration::from_secs(15));
    for (url, why) in urls.iter().zip([
        "cannot be reached",
        "answers 500",
        "answers 400",
        "no answer within 10 s",
    ]) {
        watcher.wait_for(
            &format!("the sink alertmanager:{url} fails: {url}"),
            Duration::from_secs(20),
        );
        watcher.wait_for(why, Duration::from_secs(1));
    }
    for url in &urls {
        let series = format!("driftline_sink_failures_total{{sink=\"alertmanager:{url}\"}}");
        until(Duration::from_secs(5), &series, || metric(&watcher, &series) > 0.5);
    }
    // Not for long: a try that fails is repeated.
    let series = format!("driftline_sink_failures_total{{sink=\"alertmanager:{}\"}}", urls[0]);
    assert!(metric(&watcher, &series) > 1.5);
    // More comes meanwhile, and is in the file at once.
    let second = node.run(PodSpec::new("bank", "job").container(busybox("app", "sleep 1000")));
    assert_eq!(second.container("app").exec(&["/bin/sh", "-c", "id"]).code, 0);
    wait_for_event(&node, &second, "exec.injected", Duration::from_secs(10));

    let late = Receiver::start(&node, 9091, 200);
    failing.status.store(200, Ordering::Relaxed);
    refusing.status.store(200, Ordering::Relaxed);
    for (receiver, url) in [&late, &failing, &refusing].into_iter().zip(&urls) {
        until(Duration::from_secs(35), &format!("both alerts reach {url}"), || {
            receiver.has("\"shop\"") && receiver.has("\"bank\"")
        });
        watcher.wait_for(
            &format!("the sink alertmanager:{url} takes events again"),
            Duration::from_secs(10),
        );
    }
    let said = watcher.said();
    for url in &urls {
        let sentence = format!("the sink alertmanager:{url} fails: ");
        assert_eq!(said.matches(&sentence).count(), 1, "{said}");
    }
    let numbers: Vec<_> =
        agent::events(&node).iter().map(|event| event["event.seq"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    // What hangs is not waited for, so it is not asked to end.
    watcher.kill();
    [pod, second].into_iter().for_each(Pod::remove);
}
