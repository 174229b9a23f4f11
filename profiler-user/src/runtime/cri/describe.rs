//! From the CRI's answers to identities. Who fills in which field differs: comments name the runtime.

use std::{collections::HashMap, net::IpAddr};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    super::{
        Description,
        image::{self, References, said},
    },
    messages::{
        Container, ContainerState, ContainerStatus, ImageSpec, ImageStatusResponse,
        PodSandboxState, PodSandboxStatus,
    },
};
use crate::container::{ContainerId, Identity, ImageIdentity, Pod, Role, Source};

/// What is the same for all containers of an image.
#[derive(Clone, Debug)]
pub(super) struct ImageFacts {
    id: Option<String>,
    tags: Vec<String>,
    repo_digests: Vec<String>,
    architecture: Option<String>,
}

/// What to ask the image service for: the narrowest name that there is. A tag may have moved since.
pub(super) fn image_key(listed: &Container, status: &ContainerStatus) -> Option<String> {
    let spec = |spec: &Option<ImageSpec>| {
        spec.as_ref().map_or_else(String::new, |spec| spec.image.clone())
    };
    let names = [
        status.image_id.clone(),
        listed.image_id.clone(),
        // containerd lists the config digest here, and gives a repository's digest in the status.
        listed.image_ref.clone(),
        status.image_ref.clone(),
        spec(&status.image),
        spec(&listed.image),
    ];
    let digest = names.iter().find(|name| image::is_digest(name));
    digest.or_else(|| names.iter().find(|name| !name.is_empty())).cloned()
}

pub(super) fn image(answer: ImageStatusResponse) -> Option<ImageFacts> {
    let found = answer.image?;
    let info = verbose(&answer.info);
    let architecture = info["imageSpec"]["architecture"].as_str().and_then(image::architecture);
    Some(ImageFacts {
        id: image::digest(&found.id),
        tags: found.repo_tags,
        repo_digests: found.repo_digests,
        architecture,
    })
}

pub(super) fn container(
    id: &ContainerId,
    runtime: &str,
    listed: &Container,
    status: &ContainerStatus,
    info: &HashMap<String, String>,
    pod: Option<Pod>,
    facts: Option<ImageFacts>,
) -> Description {
    let info = verbose(info);
    let ended = status.state == ContainerState::Exited as i32;
    let metadata = status.metadata.clone().or_else(|| listed.metadata.clone()).unwrap_or_default();
    let identity = Identity {
        id: id.clone(),
        source: Source::Runtime,
        role: Role::Container,
        runtime: said(runtime).map(str::to_owned),
        name: said(&metadata.name).map(str::to_owned),
        attempt: metadata.attempt,
        pod: pod.or_else(|| pod_of_labels(&status.labels)),
        image: image_identity(listed, status, &info, facts),
        pid: pid(&info).filter(|_| !ended),
        log_path: said(&status.log_path).map(str::to_owned),
        created: time(status.created_at),
        started: time(status.started_at),
        finished: time(status.finished_at),
        exit_code: ended.then_some(status.exit_code),
        reason: said(&status.reason).map(str::to_owned),
    };
    Description { identity, ended }
}

fn image_identity(
    listed: &Container,
    status: &ContainerStatus,
    info: &Value,
    facts: Option<ImageFacts>,
) -> Option<ImageIdentity> {
    let annotations = &info["runtimeSpec"]["annotations"];
    let asked_for = &info["config"]["image"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (status_image, listed_image) =
        (status.image.clone().unwrap_or_default(), listed.image.clone().unwrap_or_default());
    let given = [
        status_image.user_specified_image,
        listed_image.user_specified_image,
        text(&asked_for["user_specified_image"]),
        text(&annotations["io.kubernetes.cri-o.UserRequestedImage"]),
        text(&annotations["io.kubernetes.cri-o.ImageName"]),
        text(&asked_for["image"]),
        listed_image.image,
    ];
    let guessed = [text(&annotations["io.kubernetes.cri.image-name"]), status_image.image];
    let references = References {
        given: &given.iter().map(String::as_str).collect::<Vec<_>>(),
        guessed: &guessed.iter().map(String::as_str).collect::<Vec<_>>(),
    };
    let bare = || {
        [&status.image_id, &listed.image_id, &listed.image_ref]
            .into_iter()
            .find_map(|id| image::digest(id))
    };
    let facts = facts.unwrap_or_else(|| ImageFacts {
        id: None,
        tags: Vec::new(),
        repo_digests: [&status.image_ref]
            .into_iter()
            .filter(|text| text.contains('@'))
            .cloned()
            .collect(),
        architecture: None,
    });
    let id = facts.id.or_else(bare);
    image::identity(id, &references, facts.tags, facts.repo_digests, facts.architecture)
}

pub(super) fn sandbox(
    id: &ContainerId,
    runtime: &str,
    status: &PodSandboxStatus,
    info: &HashMap<String, String>,
) -> Description {
    let info = verbose(info);
    let ended = status.state == PodSandboxState::NotReady as i32;
    let reference = info["image"].as_str().unwrap_or_default();
    let identity = Identity {
        role: Role::Sandbox,
        source: Source::Runtime,
        attempt: status.metadata.as_ref().map_or(0, |metadata| metadata.attempt),
        pod: Some(pod(status)),
        image: image::identity(
            None,
            &References { given: &[reference], guessed: &[] },
            Vec::new(),
            Vec::new(),
            None,
        ),
        pid: pid(&info).filter(|_| !ended),
        created: time(status.created_at),
        ..Identity::of_path(id.clone(), said(runtime).map(str::to_owned), None)
    };
    Description { identity, ended }
}

pub(super) fn pod(status: &PodSandboxStatus) -> Pod {
    let metadata = status.metadata.clone().unwrap_or_default();
    let ip = status.network.as_ref().and_then(|network| network.ip.parse::<IpAddr>().ok());
    Pod {
        uid: metadata.uid,
        name: said(&metadata.name).map(str::to_owned),
        namespace: said(&metadata.namespace).map(str::to_owned),
        labels: own_labels(&status.labels),
        ip,
    }
}

/// The labels that the pod's author gave, without those that the kubelet adds for itself.
fn own_labels(labels: &HashMap<String, String>) -> std::collections::BTreeMap<String, String> {
    let own = labels.iter().filter(|(key, _)| !key.starts_with("io.kubernetes.pod."));
    own.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The pod as the container's own labels have it, for a sandbox that is gone.
fn pod_of_labels(labels: &HashMap<String, String>) -> Option<Pod> {
    let label = |key: &str| labels.get(key).filter(|value| !value.is_empty()).cloned();
    Some(Pod {
        uid: label("io.kubernetes.pod.uid")?,
        name: label("io.kubernetes.pod.name"),
        namespace: label("io.kubernetes.pod.namespace"),
        ..Pod::default()
    })
}

/// What a verbose answer adds, as JSON below `info`; null where there is none.
fn verbose(info: &HashMap<String, String>) -> Value {
    info.get("info").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn pid(info: &Value) -> Option<u32> {
    info["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0)
}

/// Nanoseconds since 1970, 0 for none.
fn time(nanoseconds: i64) -> Option<Timestamp> {
    (nanoseconds > 0).then(|| Timestamp::from_nanosecond(nanoseconds.into()).ok()).flatten()
}
