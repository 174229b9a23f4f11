//! One life of a service: a pod that starts, works, is restarted on what it left, and is ended.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    os::unix::fs::chown,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use super::{
    Lived, Service,
    client::Client,
    clock::{Clock, Hands},
    network::{self, Surroundings},
    random::Random,
};
use crate::pods::{Container, ContainerSpec, Node, Output, Pod, PodSpec, Volume};

/// Seconds between the wish that a container ends and the moment when it is made to.
const GRACE: i64 = 20;

/// A service at work.
pub struct Life<'a> {
    node: &'a Node,
    pub random: Random,
    pub surroundings: &'static Surroundings,
    /// Files that a `ConfigMap` brings; [`Self::configure`] changes them.
    config: Option<Volume>,
    /// Directories that outlive containers, by name, seen from outside.
    volumes: BTreeMap<String, PathBuf>,
    pod: Pod,
    container: Container,
    /// None where containers go by the machine's.
    pub clock: Option<Clock>,
    /// The ids of all that there were.
    containers: Vec<String>,
}

/// How and where a service is run.
#[derive(Clone, Debug)]
pub struct Setting {
    pub surroundings: &'static Surroundings,
    /// `runc` unless it is named.
    pub runtime: String,
    /// The seccomp profile as the CRI wants it named: `localhost/` and its path.
    pub seccomp: Option<String>,
    /// A clock of its own.
    pub clock: Option<Hands>,
}

impl Default for Setting {
    fn default() -> Self {
        Self { surroundings: &network::HERE, runtime: String::new(), seccomp: None, clock: None }
    }
}

/// What a container is to be made of, before there is a pod.
pub struct Plan<'a> {
    node: &'a Node,
    spec: PodSpec,
    pub surroundings: &'static Surroundings,
    config: Option<Volume>,
    volumes: BTreeMap<String, PathBuf>,
}

impl Plan<'_> {
    /// A directory that outlives a container and goes with its pod, owned by this user; as a mount's source.
    pub fn empty_dir(&mut self, name: &str, user: u32) -> String {
        let inside = format!("{}/volumes/kubernetes.io~empty-dir/{name}", self.spec.directory());
        let directory = self.node.outside(&inside);
        fs::create_dir_all(&directory).expect("the node's directory is writable");
        chown(&directory, Some(user), Some(user)).expect("as root");
        self.volumes.insert(name.to_owned(), directory);
        inside
    }

    /// A volume with files that can change while the service runs; as a mount's source.
    pub fn config_map(&mut self, files: BTreeMap<String, String>) -> String {
        let inside = format!("{}/volumes/kubernetes.io~configmap/config", self.spec.directory());
        self.config = Some(Volume::new(&self.node.outside(&inside), files));
        inside
    }
}

impl<'a> Life<'a> {
    /// Starts the service's pod.
    pub fn begin(node: &'a Node, service: &dyn Service, seed: u64, setting: &Setting) -> Self {
        let mut random = Random::new(seed);
        let name = format!("{}-{}", service.name(), random.hex(5));
        let spec = PodSpec::new(service.name(), &name).label("app", service.name());
        let spec = spec.runtime(&setting.runtime);
        let surroundings = setting.surroundings;
        let mut plan = Plan { node, spec, surroundings, config: None, volumes: BTreeMap::new() };
        let clock = setting.clock.map(|hands| {
            let inside = format!("{}/volumes/clock", plan.spec.directory());
            Clock::new(node, inside, hands, seed)
        });
        let container = ContainerSpec::new(service.name(), service.image().reference());
        let mut container = service.container(container, &mut plan);
        if let Some(clock) = &clock {
            container = clock.set_in(container);
        }
        container.seccomp.clone_from(&setting.seccomp);
        let pod = node.run(plan.spec.container(container));
        let container = pod.container(service.name()).clone();
        if setting.seccomp.is_some() {
            let status = fs::read_to_string(format!("/proc/{}/status", container.pid()));
            assert!(status.is_ok_and(|text| text.contains("Seccomp:\t2")), "a filter is on");
        }
        Self {
            node,
            random,
            surroundings,
            config: plan.config,
            volumes: plan.volumes,
            pod,
            clock,
            containers: vec![container.id.clone()],
            container,
        }
    }

    /// The pod's uid, as events name it.
    pub fn uid(&self) -> &str {
        &self.pod.spec.uid
    }

    /// The container as last started.
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// Where the service listens.
    pub fn address(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.pod.ip().parse().expect("the pod has an address"), port)
    }

    /// A client with a new address. Only a thread in the node's network can use it.
    pub fn client(&mut self, port: u16) -> Client {
        let from = self.surroundings.client(&mut self.random);
        Client::new(self.address(port), from, self.random.fork())
    }

    /// Lets so many clients, each with an address of its own, do something side by side.
    pub fn clients(&mut self, count: usize, port: u16, work: impl Fn(&mut Client) + Sync) {
        let clients: Vec<_> = (0..count).map(|_| self.client(port)).collect();
        thread::scope(|scope| {
            for mut client in clients {
                let (node, work) = (self.node, &work);
                scope.spawn(move || node.in_network(|| work(&mut client)));
            }
        });
    }

    /// Tries something until it works, for at most half a minute.
    pub fn wait_for(&mut self, port: u16, what: &str, is_ready: impl Fn(&Client) -> bool + Sync) {
        let client = self.client(port);
        let end = Instant::now() + Duration::from_secs(30);
        while !self.node.in_network(|| is_ready(&client)) {
            assert!(Instant::now() < end, "{what}: {}", self.said());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Where an [empty directory](Plan::empty_dir) is, seen from outside.
    pub fn volume(&self, name: &str) -> PathBuf {
        self.volumes[name].clone()
    }

    /// What the container printed, as its log has it.
    pub fn said(&self) -> String {
        fs::read_to_string(self.pod.log(&self.container)).unwrap_or_default()
    }

    /// Runs a command in the container, as `kubectl exec` and probes do; it must succeed.
    pub fn exec(&self, words: &[&str]) -> Output {
        let output = self.container.exec(words);
        assert_eq!(output.code, 0, "{words:?}: {output:?}\n{}", self.said());
        output
    }

    /// The same for a probe, which may fail twice before a kubelet minds.
    pub fn probe(&self, words: &[&str]) {
        for _ in 0..2 {
            if self.container.exec(words).code == 0 {
                return;
            }
            thread::sleep(Duration::from_secs(1));
        }
        self.exec(words);
    }

    /// Changes a file of the `ConfigMap`.
    pub fn configure(&mut self, file: &str, content: String) {
        let config = self.config.as_mut().expect("the service has a `ConfigMap`");
        config.files.insert(file.to_owned(), content);
        config.swap();
    }

    /// Ends the container as a kubelet does, and waits for it.
    pub fn stop(&self) {
        self.container.stop(GRACE);
        self.container.wait();
    }

    /// The container ends and another one is started on the same volumes.
    pub fn restart(&mut self) {
        self.stop();
        let name = self.container.name.clone();
        self.container = self.pod.restart(&name).clone();
        self.containers.push(self.container.id.clone());
    }

    /// The clean end of everything.
    pub fn end(self) -> Lived {
        self.stop();
        let uid = self.uid().to_owned();
        self.pod.remove();
        Lived { uid, containers: self.containers }
    }
}
