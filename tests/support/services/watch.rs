//! Watching services by their baselines, life by life: what is told although nothing is wrong, what is refused under the
//! exported seccomp profile, and what is told of deviations.

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::{
    Lived, Service,
    deviation::Deviation,
    life::{Life, Setting},
    live, node,
    record::BASELINES,
};
use crate::{
    agent::{self, Agent, EVENTS},
    driftline,
    pods::Node,
};

/// How long a deviation may take to be told.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the exported seccomp profile is on the node.
const PROFILE: &str = "/var/lib/driftline/seccomp.json";

/// Where it is said what takes the place of the servers that were recorded.
const BIND: &str = "/var/lib/driftline/bind.json";

/// A laboratory in which a service is watched by its baseline.
pub struct Watch<'a> {
    service: &'a dyn Service,
    node: &'a Node,
    agent: Agent<'a>,
    setting: Setting,
    /// What the exported profile allows.
    allowed: BTreeSet<String>,
}

/// Makes a node with the service's image and a baseline of it.
pub fn laboratory(service: &dyn Service, baseline: &Path) -> anyhow::Result<Node> {
    let node = node();
    node.import(std::slice::from_ref(service.image()));
    let directory = node.outside(BASELINES);
    fs::create_dir_all(&directory)?;
    fs::copy(baseline, directory.join(format!("{}.json", service.name())))
        .with_context(|| format!("{} cannot be read", baseline.display()))?;
    let exported = Command::new(driftline())
        .args(["baseline", "export", "seccomp"])
        .arg(baseline)
        .output()
        .context("driftline runs")?;
    let said = String::from_utf8_lossy(&exported.stderr);
    ensure!(exported.status.success(), "no seccomp profile of {}: {said}", baseline.display());
    fs::write(node.outside(PROFILE), exported.stdout)?;
    Ok(node)
}

impl<'a> Watch<'a> {
    pub fn start(
        service: &'a dyn Service,
        node: &'a Node,
        setting: Setting,
    ) -> anyhow::Result<Self> {
        let allowed = allowed(&node.outside(PROFILE))?;
        let mut flags = [&EVENTS[..], &["--namespace", service.name()]].concat();
        if let Some(bind) = setting.surroundings.bind() {
            fs::write(node.outside(BIND), bind)?;
            flags.extend(["--bind", BIND]);
        }
        let agent = Agent::start(node, "watch", &flags);
        Ok(Self { service, node, agent, setting, allowed })
    }

    /// A whole life as it should be.
    pub fn live(&self, seed: u64) -> Lived {
        live(self.node, self.service, seed, &self.setting)
    }

    /// The same under the profile of its baseline, with this runtime. Whatever fails in there is the error.
    pub fn live_confined(&self, seed: u64, runtime: &str) -> anyhow::Result<Lived> {
        let seccomp = Some(format!("localhost/{PROFILE}"));
        let setting = Setting { runtime: runtime.to_owned(), seccomp, ..self.setting.clone() };
        let lived = || live(self.node, self.service, seed, &setting);
        catch_unwind(AssertUnwindSafe(lived)).map_err(|panic| {
            let said = panic.downcast_ref::<String>().cloned();
            anyhow::anyhow!("{runtime}: {}", said.unwrap_or_else(|| "it failed".to_owned()))
        })
    }

    /// A container that works, and then deviates. Whether that was told.
    pub fn deviate(&self, seed: u64, deviation: &Deviation) -> (Lived, bool) {
        let mut life = Life::begin(self.node, self.service, seed, &self.setting);
        self.service.ready(&mut life);
        deviation.carry_out(self.service, &mut life);
        let end = Instant::now() + PATIENCE;
        let told = loop {
            let events = of_pod(agent::events(self.node), life.uid());
            if events.iter().any(|event| deviation.reported.is(event)) {
                break true;
            }
            if Instant::now() > end {
                break false;
            }
            thread::sleep(Duration::from_millis(50));
        };
        (life.end(), told)
    }

    /// Tells whether an event is of a call that the profile refused. Any other that failed for want of permission under a
    /// filter is told as denied too: an open of somebody else's file.
    pub fn denials(&self) -> impl Fn(&Value) -> bool + use<> {
        let allowed = self.allowed.clone();
        move |event| {
            let object = event["drift.object"].as_str().unwrap_or_default();
            let denied = object.strip_suffix(" (denied)");
            event["drift.kind"] == "syscall" && denied.is_some_and(|call| !allowed.contains(call))
        }
    }

    /// Every event that was told until now.
    pub fn events(&self) -> Vec<Value> {
        agent::events(self.node)
    }

    /// Ends the agent, and gives every event that it told; for one that tells of many, each of them.
    pub fn finish(self) -> Vec<Value> {
        self.agent.stop();
        let mut events = agent::events(self.node);
        events.retain(|event| event["drift.group.objects"].is_null());
        events.extend(agent::history(self.node).evidence);
        events
    }
}

/// Approves these events in the laboratory's baseline, as somebody who looked at them would.
pub fn approve(node: &Node, events: &[Value]) -> anyhow::Result<()> {
    let output = Command::new(driftline())
        .args(["baseline", "approve", "--reason", "the service does that", "--by", "the proof"])
        .arg("--store")
        .arg(node.outside("/var/lib/driftline"))
        .arg("--baselines")
        .arg(node.outside(BASELINES))
        .args(events.iter().filter_map(|event| event["event.id"].as_str()))
        .output()
        .context("driftline runs")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "false drifts cannot be approved: {said}");
    Ok(())
}

/// The events of a pod, each once.
pub fn of_pod(mut events: Vec<Value>, uid: &str) -> Vec<Value> {
    events.retain(|event| event["k8s.pod.uid"] == uid && event["event.action"] == "created");
    events
}

/// The calls that a profile allows.
fn allowed(profile: &Path) -> anyhow::Result<BTreeSet<String>> {
    let profile: Value = serde_json::from_slice(&fs::read(profile)?)?;
    let rules = profile["syscalls"].as_array().context("a profile has rules")?;
    let allow = rules.iter().filter(|rule| rule["action"] == "SCMP_ACT_ALLOW");
    let names = allow.filter_map(|rule| rule["names"].as_array()).flatten();
    Ok(names.filter_map(|name| name.as_str().map(str::to_owned)).collect())
}
