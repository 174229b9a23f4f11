//! The agent sees every container of a node from its first instruction on, and calls it by its name.

use std::{thread, time::Duration};

use serde_json::Value;
use support::{
    agent::{self, Agent, EVENTS},
    pods::{self, BUSYBOX, ContainerSpec, NGINX, Node, PodSpec, REDIS},
};

fn can_run() -> bool {
    pods::can_run() && support::can_load()
}

fn nginx() -> PodSpec {
    PodSpec::new("shop", "web").label("app", "web").container(ContainerSpec::new("nginx", NGINX))
}

fn redis() -> PodSpec {
    let redis = ContainerSpec::new("redis", REDIS);
    PodSpec::new("shop", "cache").label("app", "cache").container(redis)
}

#[test]
fn what_was_recorded_is_quiet_and_a_break_in_has_a_name() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let recorder = Agent::start(&node, "record", &[]);
    for _ in 0..2 {
        let web = node.run(nginx());
        let cache = node.run(redis());
        assert_eq!(node.get(&format!("{}:80", web.ip()), "/").0, 200);
        let probe = cache.container("redis").exec(&["/usr/bin/redis-cli", "PING"]);
        assert_eq!(probe.stdout, "PONG\n");
        thread::sleep(Duration::from_millis(500));
        web.remove();
        cache.remove();
    }
    println!("{}", recorder.stop());
    let baselines = agent::baselines(&node);
    println!("{}", serde_json::to_string_pretty(&baselines).unwrap());

    let watcher = Agent::start(&node, "watch", &EVENTS);
    let web = node.run(nginx());
    let cache = node.run(redis());
    assert_eq!(node.get(&format!("{}:80", web.ip()), "/").0, 200);
    cache.container("redis").exec(&["/usr/bin/redis-cli", "PING"]);
    thread::sleep(Duration::from_secs(2));
    let events = agent::events(&node);
    println!("{}", watcher.said());
    assert_eq!(events, Vec::<Value>::new());
    cache.container("redis").exec(&["/usr/bin/redis-cli", "FLUSHALL"]);
    thread::sleep(Duration::from_secs(2));
    println!("{:#?}", agent::events(&node));
    let _ = BUSYBOX;
}
