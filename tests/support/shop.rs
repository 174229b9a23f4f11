//! Three pods as a small shop has them, recorded and watched, and how their events are found.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    agent::{self, Agent},
    pods::{self, BUSYBOX, ContainerSpec, NGINX, Node, Pod, PodSpec, Probe, REDIS},
};

pub fn can_run() -> bool {
    pods::can_run() && crate::can_load()
}

/// Reads its token five times a second, by itself and by another program; a token can tell it to do more.
const WORKLOAD: &str = "cd /var/run/secrets/kubernetes.io/serviceaccount
while :; do
  read -r token < token
  /bin/cat namespace ca.crt > /dev/null
  case \"$token\" in *.misbehave) /bin/hostname ;; esac
  /bin/usleep 200000
done";

fn specs(runtime: &str) -> [PodSpec; 3] {
    let pod = |name, container| {
        PodSpec::new("shop", name)
            .label("app", name)
            .runtime(runtime)
            .service_account()
            .container(container)
    };
    let reader = ContainerSpec::new("reader", BUSYBOX).command(&["/bin/sh", "-c", WORKLOAD]);
    [
        pod("web", ContainerSpec::new("nginx", NGINX)),
        pod("cache", ContainerSpec::new("redis", REDIS)),
        pod("job", reader),
    ]
}

/// A web server, a cache and something that uses its token, each with a probe every second.
pub struct Shop {
    probes: [Probe; 3],
    pub web: Pod,
    pub cache: Pod,
    pub job: Pod,
}

impl Shop {
    pub fn open(node: &Node, runtime: &str) -> Self {
        let [web, cache, job] = specs(runtime).map(|spec| node.run(spec));
        // A kubelet waits as well until there is something to probe.
        let every = Duration::from_secs(1);
        assert_eq!(node.get(&format!("{}:80", web.ip()), "/").0, 200);
        drop(node.connect(&format!("{}:6379", cache.ip())));
        let probes = [
            web.container("nginx").probe(&["/usr/sbin/nginx", "-t"], every),
            cache.container("redis").probe(&["/usr/bin/redis-cli", "PING"], every),
            job.container("reader").probe(&["/bin/ls", "/tmp"], every),
        ];
        Self { probes, web, cache, job }
    }

    /// Until every probe ran this often more.
    pub fn probed(&self, times: usize) {
        let goal = self.probes.each_ref().map(|probe| probe.good() + times);
        until(Duration::from_mins(1), "the probes run", || {
            self.probes.iter().zip(goal).all(|(probe, goal)| probe.good() >= goal)
        });
    }

    pub fn close(self) {
        for probe in &self.probes {
            assert_eq!(probe.bad(), 0);
        }
        drop(self.probes);
        [self.web, self.cache, self.job].into_iter().for_each(Pod::remove);
    }
}

/// Waits for something that comes.
pub fn until(limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !is_so() {
        assert!(Instant::now() < end, "{what}: not within {limit:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The drift events of these pods: the agent sees other nodes' as well.
pub fn events_of(node: &Node, pods: &[&Pod]) -> Vec<Value> {
    let mut events = agent::events(node);
    events.retain(|event| pods.iter().any(|pod| event["k8s.pod.uid"] == pod.spec.uid.as_str()));
    events
}

/// Waits for an event of this pod that is as wanted.
pub fn wait_for_event(
    node: &Node,
    pod: &Pod,
    what: &str,
    is_wanted: impl Fn(&Value) -> bool,
) -> Value {
    let end = Instant::now() + Duration::from_secs(15);
    loop {
        let events = events_of(node, &[pod]);
        if let Some(event) = events.iter().find(|event| is_wanted(event)) {
            return event.clone();
        }
        assert!(Instant::now() < end, "no {what} among {events:#?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The path of a program that an event of this kind tells of.
pub fn is_exec(event: &Value, kind: &str, path: &str) -> bool {
    event["drift.kind"] == kind && event["drift.object"] == path
}

pub fn record_shop(node: &Node, runtime: &str, runs: usize) {
    let recorder = Agent::start(node, "record", &[]);
    for _ in 0..runs {
        let shop = Shop::open(node, runtime);
        shop.probed(3);
        shop.close();
    }
    recorder.stop();
    let mut roles: Vec<_> = agent::baselines(node).iter().map(role).collect();
    roles.sort_unstable();
    assert_eq!(roles, ["nginx", "reader", "redis"]);
    for baseline in agent::baselines(node) {
        let entrypoint = match role(&baseline).as_str() {
            "nginx" => "/usr/sbin/nginx",
            "reader" => "/bin/sh",
            _ => "/usr/bin/redis-server",
        };
        let executables = baseline["executables"].as_object().expect("a map");
        let entered = |parent: &str| {
            let by = executables.iter().filter(|(_, ran)| !ran["parents"][parent].is_null());
            by.map(|(path, _)| path.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(entered("(entrypoint)"), [entrypoint]);
        assert_eq!(entered("(injected)").len(), 1, "the probe: {executables:#?}");
    }
}

pub fn role(baseline: &Value) -> String {
    baseline["image"]["container"].as_str().expect("it has a role").to_owned()
}

pub fn busybox(name: &str, script: &str) -> ContainerSpec {
    ContainerSpec::new(name, BUSYBOX).command(&["/bin/sh", "-c", script])
}
