//! Pods that run.

use std::{fs, path::PathBuf};

use super::{
    container::Container,
    cri::{
        Cri,
        messages::{
            ContainerId, CreateContainerRequest, Mount, RunPodSandboxRequest, SandboxId,
            StopContainerRequest,
        },
    },
    hold::note,
    node::Node,
    spec::{ContainerSpec, PodSpec, mount},
    volume::{SERVICE_ACCOUNT, Volume},
};

/// A pod that runs, until it is removed or its node goes.
pub struct Pod {
    pub spec: PodSpec,
    sandbox: String,
    containers: Vec<Container>,
    volume: Option<Volume>,
    cri: Cri,
    /// The pod's own directories, seen from outside.
    logs: PathBuf,
    directory: PathBuf,
}

impl Node {
    /// Starts a pod with all its containers.
    pub fn run(&self, spec: PodSpec) -> Pod {
        // Listed first: should this process be killed, the pod is found.
        note(self.directory(), "cgroups", &spec.cgroup())
            .expect("the node's directory is writable");
        let logs = self.outside(spec.log_directory());
        let directory = self.outside(spec.directory());
        fs::create_dir_all(&logs).expect("the node's directory is writable");
        fs::create_dir_all(&directory).expect("the node's directory is writable");
        fs::write(directory.join("etc-hosts"), "127.0.0.1\tlocalhost\n").expect("writable");
        let volume = spec.service_account.then(|| {
            let volume = directory.join("volumes/kubernetes.io~projected/kube-api-access");
            Volume::service_account(&volume, &spec.namespace)
        });
        let request = RunPodSandboxRequest {
            config: Some(spec.sandbox_config(0)),
            runtime_handler: spec.runtime.clone(),
        };
        let sandbox = self.cri().run_sandbox(request).expect("the sandbox runs").pod_sandbox_id;
        let cri = self.cri().clone();
        let mut pod = Pod { spec, sandbox, containers: Vec::new(), volume, cri, logs, directory };
        for container in pod.spec.containers.clone() {
            let running = pod.start(&container, 0);
            pod.containers.push(running);
        }
        pod
    }

    /// Starts this many pods of the same description, named as a `ReplicaSet` would.
    pub fn replicas(&self, spec: &PodSpec, count: usize) -> Vec<Pod> {
        let named = (0..count).map(|_| {
            let fresh = PodSpec::new(&spec.namespace, "");
            let name = format!("{}-{}", spec.name, &fresh.uid[..5]);
            PodSpec { name, uid: fresh.uid, ..spec.clone() }
        });
        named.map(|spec| self.run(spec)).collect()
    }
}

impl Pod {
    /// The sandbox's id.
    pub fn sandbox(&self) -> &str {
        &self.sandbox
    }

    /// The pod's address; empty in the node's own network.
    pub fn ip(&self) -> String {
        let id = SandboxId { pod_sandbox_id: self.sandbox.clone() };
        let status = self.cri.sandbox_status(id).expect("the sandbox is there").status;
        status.and_then(|status| status.network).unwrap_or_default().ip
    }

    /// Its containers as last started, in the order of the description.
    pub fn containers(&self) -> &[Container] {
        &self.containers
    }

    /// A container by its name.
    pub fn container(&self, name: &str) -> &Container {
        let found = self.containers.iter().find(|container| container.name == name);
        found.unwrap_or_else(|| panic!("the pod has no container {name}"))
    }

    /// The volume with the pod's token, where its description asks for one.
    pub fn service_account(&mut self) -> &mut Volume {
        self.volume.as_mut().expect("the pod was made with a service account")
    }

    /// Where a container's log is, seen from outside.
    pub fn log(&self, container: &Container) -> PathBuf {
        self.logs.join(&container.name).join(format!("{}.log", container.attempt))
    }

    /// What a container has written to its standard output.
    pub fn printed(&self, container: &Container) -> String {
        let log = fs::read_to_string(self.log(container)).expect("the runtime writes logs");
        // A line is a time, the stream, whether it ends here, and the text.
        let lines = log.lines().filter_map(|line| {
            let mut fields = line.splitn(4, ' ').skip(1);
            let (stream, end, text) = (fields.next()?, fields.next()?, fields.next()?);
            let end = if end == "F" { "\n" } else { "" };
            (stream == "stdout").then(|| format!("{text}{end}"))
        });
        lines.collect()
    }

    /// Ends a container, if it has not ended, and starts its next attempt. The old one stays listed, as with a kubelet.
    pub fn restart(&mut self, name: &str) -> &Container {
        let index = self.containers.iter().position(|container| container.name == name);
        let index = index.unwrap_or_else(|| panic!("the pod has no container {name}"));
        self.containers[index].stop(0);
        let spec = self.spec.containers[index].clone();
        self.containers[index] = self.start(&spec, self.containers[index].attempt + 1);
        &self.containers[index]
    }

    /// Creates and starts one more container in the sandbox; it is not among [`Self::containers`].
    pub fn start(&self, spec: &ContainerSpec, attempt: u32) -> Container {
        let container = self.create(spec, attempt);
        let id = ContainerId { container_id: container.id.clone() };
        self.cri.start_container(id).expect("the container starts");
        container
    }

    /// Creates a container without starting it.
    pub fn create(&self, spec: &ContainerSpec, attempt: u32) -> Container {
        fs::create_dir_all(self.logs.join(&spec.name)).expect("the node's directory is writable");
        let request = CreateContainerRequest {
            pod_sandbox_id: self.sandbox.clone(),
            config: Some(self.spec.container_config(spec, attempt, self.mounts(spec))),
            sandbox_config: Some(self.spec.sandbox_config(0)),
        };
        let id = self.cri.create_container(request).expect("the container is made").container_id;
        Container { id, name: spec.name.clone(), attempt, cri: self.cri.clone() }
    }

    /// What a kubelet mounts into every container.
    fn mounts(&self, container: &ContainerSpec) -> Vec<Mount> {
        let inside = self.spec.directory();
        let termination = format!("containers/{}/termination-log", container.name);
        let path = self.directory.join(&termination);
        fs::create_dir_all(path.parent().expect("it lies in a directory")).expect("writable");
        fs::write(path, "").expect("the node's directory is writable");
        let mut mounts = vec![
            mount(&format!("{inside}/etc-hosts"), "/etc/hosts", false),
            mount(&format!("{inside}/{termination}"), "/dev/termination-log", false),
        ];
        if self.volume.is_some() {
            let volume = format!("{inside}/volumes/kubernetes.io~projected/kube-api-access");
            mounts.push(mount(&volume, SERVICE_ACCOUNT, true));
        }
        mounts
    }

    /// Ends the pod and forgets it: containers, sandbox, logs and volumes, as when it is deleted.
    pub fn remove(self) {
        for container in &self.containers {
            let container_id = container.id.clone();
            let stop = StopContainerRequest { container_id, timeout: 0 };
            self.cri.stop_container(stop).expect("the container stops");
        }
        let id = SandboxId { pod_sandbox_id: self.sandbox.clone() };
        self.cri.stop_sandbox(id.clone()).expect("the sandbox stops");
        self.cri.remove_sandbox(id).expect("the sandbox goes");
        for directory in [&self.logs, &self.directory] {
            fs::remove_dir_all(directory).expect("the pod's directory goes");
        }
    }
}
