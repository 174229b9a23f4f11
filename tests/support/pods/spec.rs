//! What a pod is asked to be, in the words of a pod's manifest, and as a kubelet puts it to the runtime.

use std::{collections::HashMap, io::Read};

use super::cri::messages::{
    ContainerConfig, ContainerMetadata, ImageSpec, KeyValue, LinuxContainerConfig,
    LinuxContainerSecurityContext, LinuxPodSandboxConfig, LinuxSandboxSecurityContext, Mount,
    NamespaceMode, NamespaceOption, PodSandboxConfig, PodSandboxMetadata,
};

/// A pod before it runs.
#[derive(Clone, Default)]
pub struct PodSpec {
    pub name: String,
    pub namespace: String,
    /// Made up by [`Self::new`].
    pub uid: String,
    pub labels: HashMap<String, String>,
    pub annotations: HashMap<String, String>,
    pub host_network: bool,
    pub host_pid: bool,
    /// `runc`, the default, or `crun`.
    pub runtime: String,
    pub containers: Vec<ContainerSpec>,
    /// Whether it gets a token, in a projected volume.
    pub service_account: bool,
    pub class: Class,
}

/// The quality of service that a pod gets, by what it asks for of the node's memory and processors.
#[derive(Clone, Copy, Default)]
pub enum Class {
    /// It asks for nothing.
    #[default]
    BestEffort,
    /// It asks for something.
    Burstable,
}

/// A container of a pod before it runs.
#[derive(Clone, Default)]
pub struct ContainerSpec {
    pub name: String,
    pub image: String,
    /// In place of the image's entrypoint, unless empty.
    pub command: Vec<String>,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    pub mounts: Vec<Mount>,
    pub privileged: bool,
    pub read_only_root: bool,
    /// `localhost/` and the path of a profile on the node.
    pub seccomp: Option<String>,
}

impl PodSpec {
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { name: name.into(), namespace: namespace.into(), uid: uid(), ..Self::default() }
    }

    #[must_use]
    pub fn container(mut self, container: ContainerSpec) -> Self {
        self.containers.push(container);
        self
    }

    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    #[must_use]
    pub fn annotation(mut self, name: &str, value: &str) -> Self {
        self.annotations.insert(name.into(), value.into());
        self
    }

    #[must_use]
    pub fn host_network(mut self) -> Self {
        self.host_network = true;
        self
    }

    #[must_use]
    pub fn host_pid(mut self) -> Self {
        self.host_pid = true;
        self
    }

    /// Asks for another runtime than runc: `crun`.
    #[must_use]
    pub fn runtime(mut self, handler: &str) -> Self {
        self.runtime = handler.into();
        self
    }

    /// Mounts a token, as into every pod that does not refuse one.
    #[must_use]
    pub fn service_account(mut self) -> Self {
        self.service_account = true;
        self
    }

    /// The pod's cgroup, where a kubelet with the `cgroupfs` driver puts it.
    pub fn cgroup(&self) -> String {
        match self.class {
            Class::BestEffort => format!("/kubepods/besteffort/pod{}", self.uid),
            Class::Burstable => format!("/kubepods/burstable/pod{}", self.uid),
        }
    }

    /// The directory of the pod's logs on the node.
    pub fn log_directory(&self) -> String {
        format!("/var/log/pods/{}_{}_{}", self.namespace, self.name, self.uid)
    }

    /// The directory of the pod's volumes and files on the node.
    pub fn directory(&self) -> String {
        format!("/var/lib/kubelet/pods/{}", self.uid)
    }

    /// The labels that a kubelet puts on everything of a pod.
    fn identity(&self) -> impl Iterator<Item = (String, String)> {
        let parts = [("name", &self.name), ("namespace", &self.namespace), ("uid", &self.uid)];
        parts.map(|(part, value)| (format!("io.kubernetes.pod.{part}"), value.clone())).into_iter()
    }

    fn namespaces(&self) -> NamespaceOption {
        let node = |is_node, otherwise| if is_node { NamespaceMode::Node } else { otherwise };
        NamespaceOption {
            network: node(self.host_network, NamespaceMode::Pod).into(),
            pid: node(self.host_pid, NamespaceMode::Container).into(),
            ipc: NamespaceMode::Pod.into(),
        }
    }

    pub(super) fn sandbox_config(&self, attempt: u32) -> PodSandboxConfig {
        let seen = [("kubernetes.io/config.source".to_owned(), "api".to_owned())];
        PodSandboxConfig {
            metadata: Some(PodSandboxMetadata {
                name: self.name.clone(),
                uid: self.uid.clone(),
                namespace: self.namespace.clone(),
                attempt,
            }),
            hostname: if self.host_network { String::new() } else { self.name.clone() },
            log_directory: self.log_directory(),
            labels: self.labels.clone().into_iter().chain(self.identity()).collect(),
            annotations: self.annotations.clone().into_iter().chain(seen).collect(),
            linux: Some(LinuxPodSandboxConfig {
                cgroup_parent: self.cgroup(),
                security_context: Some(LinuxSandboxSecurityContext {
                    namespace_options: Some(self.namespaces()),
                    privileged: self.containers.iter().any(|container| container.privileged),
                }),
            }),
        }
    }

    pub(super) fn container_config(
        &self,
        container: &ContainerSpec,
        attempt: u32,
        mounts: Vec<Mount>,
    ) -> ContainerConfig {
        let name = [("io.kubernetes.container.name".to_owned(), container.name.clone())];
        let annotations = [
            ("io.kubernetes.container.restartCount", attempt.to_string()),
            ("io.kubernetes.container.terminationMessagePath", "/dev/termination-log".to_owned()),
            ("io.kubernetes.container.terminationMessagePolicy", "File".to_owned()),
            ("io.kubernetes.pod.terminationGracePeriod", "30".to_owned()),
        ];
        let envs = container.env.iter().cloned().map(|(key, value)| KeyValue { key, value });
        ContainerConfig {
            metadata: Some(ContainerMetadata { name: container.name.clone(), attempt }),
            image: Some(ImageSpec { image: container.image.clone() }),
            command: container.command.clone(),
            args: container.args.clone(),
            envs: envs.collect(),
            mounts: [container.mounts.clone(), mounts].concat(),
            labels: self.identity().chain(name).collect(),
            annotations: annotations.map(|(name, value)| (name.to_owned(), value)).into(),
            log_path: format!("{}/{attempt}.log", container.name),
            linux: Some(LinuxContainerConfig {
                security_context: Some(LinuxContainerSecurityContext {
                    privileged: container.privileged,
                    namespace_options: Some(self.namespaces()),
                    readonly_rootfs: container.read_only_root,
                    seccomp_profile_path: container.seccomp.clone().unwrap_or_default(),
                }),
            }),
        }
    }
}

impl ContainerSpec {
    pub fn new(name: &str, image: &str) -> Self {
        Self { name: name.into(), image: image.into(), ..Self::default() }
    }

    #[must_use]
    pub fn command(mut self, words: &[&str]) -> Self {
        self.command = words.iter().map(ToString::to_string).collect();
        self
    }

    #[must_use]
    pub fn args(mut self, words: &[&str]) -> Self {
        self.args = words.iter().map(ToString::to_string).collect();
        self
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Mounts a path of the node.
    #[must_use]
    pub fn mount(mut self, host_path: &str, path: &str, readonly: bool) -> Self {
        self.mounts.push(mount(host_path, path, readonly));
        self
    }

    #[must_use]
    pub fn privileged(mut self) -> Self {
        self.privileged = true;
        self
    }
}

pub(super) fn mount(host_path: &str, container_path: &str, readonly: bool) -> Mount {
    Mount {
        container_path: container_path.into(),
        host_path: host_path.into(),
        readonly,
        propagation: 0,
    }
}

/// Fills bytes with noise.
pub(super) fn random(bytes: &mut [u8]) {
    let mut random = std::fs::File::open("/dev/urandom").expect("a random device");
    random.read_exact(bytes).expect("random bytes");
}

/// A random uid in the form that the API server gives.
fn uid() -> String {
    let mut bytes = [0; 16];
    random(&mut bytes);
    bytes[6] = 0x40 | bytes[6] & 0xf;
    bytes[8] = 0x80 | bytes[8] & 0x3f;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
