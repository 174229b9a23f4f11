//! The keys of where it happened: node, pod, container, image.

use std::sync::Arc;

use serde::Serialize;

use crate::container::{Identity, Source};
use crate::provenance::Provenance;

/// The same for all events of one container.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Origin {
    #[serde(rename = "host.name")]
    pub host_name: String,
    #[serde(rename = "k8s.cluster.name", skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    #[serde(rename = "k8s.node.name", skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    #[serde(rename = "k8s.namespace.name", skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(rename = "k8s.pod.name", skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    #[serde(rename = "k8s.pod.uid", skip_serializing_if = "Option::is_none")]
    pub pod_uid: Option<String>,
    #[serde(rename = "k8s.pod.ip", skip_serializing_if = "Option::is_none")]
    pub pod_ip: Option<std::net::IpAddr>,
    #[serde(rename = "k8s.container.name", skip_serializing_if = "Option::is_none")]
    pub pod_container: Option<String>,
    #[serde(rename = "k8s.container.restart_count", skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Outside Kubernetes.
    #[serde(rename = "container.name", skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    #[serde(rename = "container.id", skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
    #[serde(rename = "container.runtime.name", skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// `path` where no runtime answered and the cgroup's path is all that is known.
    #[serde(rename = "container.identity", skip_serializing_if = "Option::is_none")]
    pub identity: Option<Source>,
    #[serde(rename = "container.image.name", skip_serializing_if = "Option::is_none")]
    pub image_name: Option<String>,
    #[serde(rename = "container.image.tags", skip_serializing_if = "Vec::is_empty")]
    pub image_tags: Vec<String>,
    #[serde(rename = "container.image.repo_digests", skip_serializing_if = "Vec::is_empty")]
    pub image_digests: Vec<String>,
    #[serde(rename = "container.image.id", skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    /// As the user wrote it.
    #[serde(rename = "container.image.reference", skip_serializing_if = "Option::is_none")]
    pub image_reference: Option<String>,
    /// What the pod belongs to: a deployment's name, say.
    #[serde(rename = "driftline.workload", skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// Of the image, at the container's start.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Arc<Provenance>>,
}

/// The machine that an agent runs on.
#[derive(Clone, Debug, Default)]
pub struct Node {
    pub host_name: String,
    /// As Kubernetes calls it, from the downward API.
    pub name: Option<String>,
    pub cluster: Option<String>,
}

impl Node {
    /// As Kubernetes calls it, else as it calls itself.
    pub fn called(&self) -> String {
        self.name.as_ref().unwrap_or(&self.host_name).clone()
    }
}

impl Origin {
    /// A command that driftline itself runs.
    pub fn of_command(host_name: String, image: &str) -> Self {
        Self { host_name, image_name: Some(image.to_owned()), ..Self::default() }
    }

    pub fn of_container(node: &Node, identity: &Identity) -> Self {
        let image = identity.image.as_ref();
        let in_pod = identity.pod.is_some();
        let name = identity.name.clone();
        Self {
            host_name: node.host_name.clone(),
            cluster: node.cluster.clone(),
            node: node.name.clone(),
            namespace: identity.namespace().map(str::to_owned),
            pod: identity.pod_name().map(str::to_owned),
            pod_uid: identity.pod.as_ref().map(|pod| pod.uid.clone()),
            pod_ip: identity.pod.as_ref().and_then(|pod| pod.ip),
            pod_container: name.clone().filter(|_| in_pod),
            attempt: (in_pod && identity.name.is_some()).then_some(identity.attempt),
            container: name.filter(|_| !in_pod),
            container_id: Some(identity.id.to_string()),
            runtime: identity.runtime.clone(),
            identity: (identity.source == Source::Path).then_some(Source::Path),
            image_name: image.map(|image| image.name.clone()).filter(|name| !name.is_empty()),
            image_tags: image.map(|image| image.tags.clone()).unwrap_or_default(),
            image_digests: image.map(|image| image.repo_digests.clone()).unwrap_or_default(),
            image_id: image.and_then(|image| image.id.clone()),
            image_reference: image.and_then(|image| image.reference.clone()),
            workload: identity.workload(),
            provenance: None,
        }
    }
}
