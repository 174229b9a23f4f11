//! All steps in real pods: by `exec` and by the service itself, with and without the runtime's default seccomp profile.

use std::{
    fmt, fs,
    panic::resume_unwind,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Step, TACTICS, Tactic, Unseen,
    image::{self, ATTACKED, ENTRYPOINT, ORDERS},
    run::{self, Outcome, Tail},
    table,
};
use crate::{
    agent::{self, Agent, EVENTS},
    outside::OtherCgroup,
    pods::{Container, ContainerSpec, Node, Pod, PodSpec},
    tiers,
};

/// Who runs a step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Vector {
    /// Somebody from outside, as `kubectl exec` does it.
    Exec,
    /// The container's first process, as its child.
    Workload,
}

/// A step as it was done once.
pub struct Done {
    pub tactic: &'static str,
    pub step: &'static Step,
    pub vector: Vector,
    /// Whether the runtime's default profile was on.
    pub profile: bool,
    pub outcome: Outcome,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let profile = if self.profile { "RuntimeDefault" } else { "Unconfined" };
        write!(f, "{}: {} ({:?}, {profile})", self.tactic, self.step.what, self.vector)
    }
}

/// What came of it.
pub struct Report {
    pub done: Vec<Done>,
    /// Of the quiet service.
    pub baseline: Value,
    /// The runtime's default seccomp profile, as the runtime gave it to runc.
    pub profile: Value,
}

/// Records the quiet service on the node, and then attacks it, while the agent watches.
pub fn on(node: &Node) -> Report {
    node.import(std::slice::from_ref(image::built()));
    let outside = OtherCgroup::new("attacks");
    let lab = Laboratory { node, outside: &outside, count: AtomicUsize::new(0) };
    let (baseline, profile) = lab.record();
    let watcher = Agent::start(node, "watch", &[&EVENTS[..], &["--namespace", "attacks"]].concat());
    let tail = Tail::new(&node.outside(EVENTS[1]));
    let mut all = Vec::new();
    for tactic in TACTICS {
        for vector in [Vector::Exec, Vector::Workload] {
            // One with the profile and one without, side by side.
            thread::scope(|scope| {
                let attack = |profile| {
                    scope.spawn({
                        let (lab, tail) = (&lab, &tail);
                        move || lab.attack(tactic, vector, profile, tail)
                    })
                };
                for attack in [true, false].map(attack) {
                    all.extend(attack.join().unwrap_or_else(|panic| resume_unwind(panic)));
                }
            });
        }
    }
    watcher.stop();
    Report { done: all, baseline, profile }
}

struct Laboratory<'a> {
    node: &'a Node,
    /// Where a step goes that leaves its container.
    outside: &'a OtherCgroup,
    count: AtomicUsize,
}

/// A container of the service, and the way to its orders.
struct Target {
    pod: Pod,
    orders: PathBuf,
    number: AtomicUsize,
}

impl Laboratory<'_> {
    fn record(&self) -> (Value, Value) {
        let recorder = Agent::start(self.node, "record", &["--namespace", "attacks"]);
        let targets = [true, false, true].map(|profile| self.start(profile));
        let bundle = format!(
            "/run/containerd/io.containerd.runtime.v2.task/k8s.io/{}",
            targets[0].container().id
        );
        let config = fs::read(self.node.outside(bundle).join("config.json")).expect("it runs");
        let config: Value = serde_json::from_slice(&config).expect("JSON");
        for target in targets {
            target.pod.remove();
        }
        recorder.stop();
        let baseline = agent::baselines(self.node)
            .into_iter()
            .find(|one| one["image"]["name"] == "registry.test/attacks/service");
        (baseline.expect("it was recorded"), config["linux"]["seccomp"].clone())
    }

    /// Until it has done its routine, once of itself and once because it was told to.
    fn start(&self, profile: bool) -> Target {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let inside = format!("/var/lib/orders/{number}");
        let orders = self.node.outside(&inside);
        fs::create_dir_all(&orders).expect("the node's directory is writable");
        let mut spec = ContainerSpec::new("service", ATTACKED)
            .command(&ENTRYPOINT)
            .mount(&inside, ORDERS, false)
            .mount(&format!("/sys/fs/cgroup{}", self.outside.name()), "/outside", false);
        spec.seccomp = Some(if profile { "runtime/default" } else { "unconfined" }.to_owned());
        let pod = PodSpec::new("attacks", "service").service_account().container(spec);
        let target = Target { pod: self.node.run(pod), orders, number: AtomicUsize::new(0) };
        target.result(0);
        let said = target.told_to(&["/bin/sh", "-c", "cat /srv/app/config; date; ls /srv/app"]);
        assert!(said.contains("mode=quiet"), "{said}");
        target
    }

    fn attack(
        &self,
        tactic: &'static Tactic,
        vector: Vector,
        profile: bool,
        tail: &Tail,
    ) -> Vec<Done> {
        let began = Timestamp::now();
        let target = self.start(profile);
        let container = target.container();
        let outcome = |step: &'static Step| {
            let act = || match vector {
                Vector::Exec => {
                    let output = container.exec(&step.words());
                    format!("{} {}{}", output.code, output.stdout, output.stderr)
                }
                Vector::Workload => target.told_to(&step.words()),
            };
            let seen = step.unseen.is_none_or(|unseen| is_seen(&unseen));
            run::done(step, profile, seen, tail, Some(&container.id), act)
        };
        // Whatever comes later is not of the routine.
        thread::sleep(Duration::from_millis(100));
        let quiet: Vec<_> = tail
            .of(Some(&container.id), began)
            .iter()
            .map(|line| run::brief(&line.event))
            .collect();
        assert!(quiet.is_empty(), "the service is not quiet: {quiet:#?}");
        let done =
            |step| Done { tactic: tactic.name, step, vector, profile, outcome: outcome(step) };
        let all = tactic
            .steps
            .iter()
            .filter(|step| vector == Vector::Exec || !step.from_outside)
            .map(done)
            .collect();
        target.pod.remove();
        all
    }
}

impl Target {
    fn container(&self) -> &Container {
        self.pod.container("service")
    }

    /// Makes the service run something as its own child; what that said.
    fn told_to(&self, words: &[&str]) -> String {
        let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        let order = json!({ "number": number, "words": words }).to_string();
        write(&self.orders.join("order"), &order);
        let result = self.result(number);
        format!("{} {}", result["code"], result["said"].as_str().unwrap_or_default())
    }

    fn result(&self, number: usize) -> Value {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let result = fs::read(self.orders.join("result")).ok();
            let result = result.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
            match result {
                Some(result) if result["number"] == number => return result,
                _ if Instant::now() > end => {
                    panic!("the service does not answer: {}", self.pod.printed(self.container()));
                }
                _ => thread::sleep(Duration::from_millis(2)),
            }
        }
    }
}

/// Writes a file that is whole as soon as it is there.
fn write(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).and_then(|()| fs::rename(new, path)).expect("the directory is ours");
}

/// Whether this machine's probes can see it.
pub fn is_seen(unseen: &Unseen) -> bool {
    if unseen.behaviour == "layers" {
        return tiers::reads_the_kernel();
    }
    match tiers::tier(unseen.behaviour).as_str() {
        "full" => true,
        "restricted" => !unseen.first_choice_only,
        _ => false,
    }
}

/// Writes down what came of it, for `cargo xtask attacks`, and what the machines without a node need.
pub fn write_down(directory: &Path, report: &Report) {
    let write = |path: PathBuf, value: &Value| {
        let text = serde_json::to_string_pretty(value).expect("JSON") + "\n";
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    };
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/attacks/recorded");
    write(recorded.join("baseline.json"), &report.baseline);
    write(recorded.join("runtime-default.json"), &report.profile);
    let mut result = table::figures(report.done.iter().map(|done| &done.outcome));
    result["table"] = table::rendered().into();
    write(directory.join("result.json"), &result);
}
