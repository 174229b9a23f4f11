//! Who a container is. Everything a runtime may leave open is optional: absent when unknown, never empty.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The runtime's id: 64 hexadecimal digits.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct ContainerId(String);

/// One container as its runtime describes it, or as far as its cgroup's path tells.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Identity {
    pub id: ContainerId,
    /// Where the rest comes from, and so how far it can be relied on.
    pub source: Source,
    pub role: Role,
    /// `containerd`, `cri-o`, `docker`, `podman`.
    pub runtime: Option<String>,
    /// In Kubernetes the container's name in its pod: it tells init, sidecar and debug containers apart.
    pub name: Option<String>,
    /// How often the kubelet had to make this container again, from 0.
    pub attempt: u32,
    pub pod: Option<Pod>,
    pub image: Option<ImageIdentity>,
    /// The first process, in the initial pid namespace; absent before it runs and after it ended.
    pub pid: Option<u32>,
    pub log_path: Option<String>,
    pub created: Option<Timestamp>,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    pub exit_code: Option<i32>,
    /// The runtime's word for the end, such as `OOMKilled`.
    pub reason: Option<String>,
}

/// Who says so.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The container runtime.
    Runtime,
    /// The cgroup's path alone: no runtime answered for this id.
    Path,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Container,
    /// Holds a pod's namespaces (`pause`); no workload of its own.
    Sandbox,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Pod {
    pub uid: String,
    /// Absent where only the cgroup's path is known.
    pub name: Option<String>,
    pub namespace: Option<String>,
    pub labels: BTreeMap<String, String>,
    /// Absent for pods on the host's network.
    pub ip: Option<IpAddr>,
}

/// An image by all the names that it goes by.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct ImageIdentity {
    /// The config digest, `sha256:…`: the same wherever the image was pulled from. What baselines are keyed by.
    pub id: Option<String>,
    /// As the user wrote it: `nginx:latest`, `registry/web@sha256:…`.
    pub reference: Option<String>,
    /// The repository, without tag and digest: `registry/web`.
    pub name: String,
    pub tags: Vec<String>,
    /// `registry/web@sha256:…`, as many as the runtime knows.
    pub repo_digests: Vec<String>,
    /// As `uname -m` has it, where the runtime says.
    pub architecture: Option<String>,
}

impl ContainerId {
    /// Only what is one: 64 hexadecimal digits in lower case.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 64 && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, as runtimes show it.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Identity {
    /// What the id alone says.
    pub fn of_path(id: ContainerId, runtime: Option<String>, pod_uid: Option<String>) -> Self {
        Self {
            id,
            source: Source::Path,
            role: Role::Container,
            runtime,
            name: None,
            attempt: 0,
            pod: pod_uid.map(|uid| Pod { uid, ..Pod::default() }),
            image: None,
            pid: None,
            log_path: None,
            created: None,
            started: None,
            finished: None,
            exit_code: None,
            reason: None,
        }
    }

    pub fn namespace(&self) -> Option<&str> {
        self.pod.as_ref()?.namespace.as_deref()
    }

    pub fn pod_name(&self) -> Option<&str> {
        self.pod.as_ref()?.name.as_deref()
    }

    /// The workload that the pod belongs to: from the recommended labels, else the pod's name without what its
    /// controller appended; outside Kubernetes the container's name.
    pub fn workload(&self) -> Option<String> {
        let Some(pod) = &self.pod else { return self.name.clone() };
        let label = ["app.kubernetes.io/name", "app", "k8s-app", "app.kubernetes.io/instance"]
            .iter()
            .find_map(|key| pod.labels.get(*key).filter(|value| !value.is_empty()));
        label.cloned().or_else(|| pod.name.as_deref().map(|name| without_suffix(pod, name)))
    }
}

/// `web-5d4f8c7b9d-x2x7q` is of `web`, `db-0` of `db`: the labels say what a controller appended.
fn without_suffix(pod: &Pod, name: &str) -> String {
    if let Some(hash) = pod.labels.get("pod-template-hash")
        && let Some((workload, _)) = name.split_once(&format!("-{hash}-"))
    {
        return workload.to_owned();
    }
    let controlled = ["controller-revision-hash", "apps.kubernetes.io/pod-index", "job-name"]
        .iter()
        .any(|key| pod.labels.contains_key(*key));
    match name.rsplit_once('-') {
        Some((workload, _)) if controlled => workload.to_owned(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, labels: &[(&str, &str)]) -> Identity {
        let id = ContainerId::parse(&"ab".repeat(32)).unwrap();
        let mut identity = Identity::of_path(id, None, Some("uid".to_owned()));
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let name = Some(name.to_owned());
        identity.pod = Some(Pod { uid: "uid".to_owned(), name, labels, ..Pod::default() });
        identity
    }

    #[test]
    fn ids_have_64_digits() {
        assert!(ContainerId::parse(&"0f".repeat(32)).is_some());
        for other in ["", "0f", &"0F".repeat(32), &"0g".repeat(32), &"0f".repeat(33)] {
            assert_eq!(ContainerId::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_workload_is_named_by_labels_then_by_the_pod() {
        let workload = |name, labels: &[_]| pod(name, labels).workload().unwrap();
        assert_eq!(workload("x-1", &[("app", "web")]), "web");
        assert_eq!(workload("web-5d4f-x2x7q", &[("pod-template-hash", "5d4f")]), "web");
        assert_eq!(workload("db-0", &[("controller-revision-hash", "db-6f")]), "db");
        assert_eq!(workload("kube-proxy", &[]), "kube-proxy");
    }
}
