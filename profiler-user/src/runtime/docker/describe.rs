//! From the answers of Docker's API to identities.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{
    super::{
        Description,
        image::{self, References, said},
    },
    messages::{Container, Image},
};
use crate::container::{ContainerId, Identity, Pod, Role, Source};

pub(super) fn container(
    id: &ContainerId,
    runtime: &str,
    container: &Container,
    found: Option<Image>,
) -> Description {
    let state = &container.state;
    let labels = &container.config.labels;
    // One that waits to be started again has ended, and keeps its id.
    let ended = matches!(state.status.as_str(), "exited" | "dead" | "removing" | "restarting");
    let name = container.name.trim_start_matches('/');
    let pod = pod(labels);
    let sandbox = labels.get("io.kubernetes.docker.type").is_some_and(|kind| kind == "podsandbox");
    let image = found.unwrap_or_default();
    let image = image::identity(
        image::digest(&container.image),
        &References { given: &[&container.config.image], guessed: &[] },
        image.repo_tags,
        image.repo_digests,
        image::architecture(&image.architecture),
    );
    let identity = Identity {
        id: id.clone(),
        source: Source::Runtime,
        role: if sandbox { Role::Sandbox } else { Role::Container },
        runtime: Some(runtime.to_owned()),
        attempt: pod.as_ref().map_or(0, |_| attempt(name)),
        name: match labels.get("io.kubernetes.container.name") {
            Some(_) if sandbox => None,
            Some(name) => Some(name.clone()),
            None => said(name).map(str::to_owned),
        },
        pod,
        image,
        pid: (state.pid > 0 && !ended).then_some(state.pid),
        log_path: said(&container.log_path).map(str::to_owned),
        created: time(&container.created),
        started: time(&state.started_at),
        finished: time(&state.finished_at).filter(|_| ended),
        exit_code: ended.then_some(state.exit_code),
        reason: reason(container).filter(|_| ended),
    };
    Description { identity, ended }
}

/// The pod, of a container that a kubelet made.
fn pod(labels: &HashMap<String, String>) -> Option<Pod> {
    let label = |key: &str| labels.get(key).filter(|value| !value.is_empty()).cloned();
    let own = |key: &str| !key.starts_with("io.kubernetes.") && !key.starts_with("annotation.");
    Some(Pod {
        uid: label("io.kubernetes.pod.uid")?,
        name: label("io.kubernetes.pod.name"),
        namespace: label("io.kubernetes.pod.namespace"),
        labels: labels
            .iter()
            .filter(|(key, _)| own(key))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
        ip: None,
    })
}

/// Of `k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT`.
fn attempt(name: &str) -> u32 {
    name.rsplit_once('_').and_then(|(_, attempt)| attempt.parse().ok()).unwrap_or(0)
}

fn reason(container: &Container) -> Option<String> {
    match &container.state {
        state if state.oom_killed => Some("OOMKilled".to_owned()),
        state => said(&state.error).map(str::to_owned),
    }
}

/// The year 1 stands for none.
fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok().filter(|time: &Timestamp| time.as_second() > 0)
}
