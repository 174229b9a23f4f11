//! Manifests of the agent, made into pods as the API server and a kubelet do.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
};

use serde_json::Value;

use super::{
    cri::messages::Mount,
    node::Node,
    spec::{Class, ContainerSpec, PodSpec},
    volume::Volume,
};

/// The name that pods see in `spec.nodeName`.
pub const NODE_NAME: &str = "node-0";

/// A manifest with one `DaemonSet`, and the `ConfigMap`s and `Secret`s that it refers to.
pub struct Manifest {
    daemon_set: Value,
    config_maps: Maps,
    secrets: Maps,
}

type Maps = HashMap<String, BTreeMap<String, String>>;

impl Manifest {
    /// Reads one of `profiler-user/deploy/kubernetes`, by its file name.
    pub fn read(name: &str) -> Self {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiler-user/deploy");
        let path = directory.join("kubernetes").join(name);
        let text =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut manifest =
            Self { daemon_set: Value::Null, config_maps: HashMap::new(), secrets: HashMap::new() };
        for document in documents {
            match document["kind"].as_str() {
                Some("DaemonSet") => manifest.daemon_set = document,
                Some("ConfigMap") => {
                    let data = strings(&document["data"]).into_iter().collect();
                    manifest.config_maps.insert(string(&document["metadata"]["name"]), data);
                }
                _ => {}
            }
        }
        manifest
    }

    /// The whole `DaemonSet`, to look at or to change.
    pub fn daemon_set(&mut self) -> &mut Value {
        &mut self.daemon_set
    }

    /// Sets a `ConfigMap`, in place of one of this name in the manifest.
    pub fn config_map(&mut self, name: &str, data: &[(&str, &str)]) {
        self.config_maps.insert(name.to_owned(), owned(data));
    }

    /// Sets a `Secret`.
    pub fn secret(&mut self, name: &str, data: &[(&str, &str)]) {
        self.secrets.insert(name.to_owned(), owned(data));
    }

    /// The pod that a node gets. Its volumes are written, and directories of the node that it asks for are made.
    pub fn pod(&self, node: &Node) -> PodSpec {
        let metadata = &self.daemon_set["metadata"];
        let template = &self.daemon_set["spec"]["template"];
        let spec = &template["spec"];
        let mut pod = PodSpec::new(&string(&metadata["namespace"]), "");
        pod.name = format!("{}-{}", string(&metadata["name"]), &pod.uid[..5]);
        pod.labels = strings(&template["metadata"]["labels"]);
        pod.annotations = strings(&template["metadata"]["annotations"]);
        pod.host_network = spec["hostNetwork"] == true;
        pod.host_pid = spec["hostPID"] == true;
        pod.service_account = spec["automountServiceAccountToken"] != false;
        let containers = items(&spec["containers"]);
        if containers.iter().any(|container| !container["resources"].is_null()) {
            pod.class = Class::Burstable;
        }
        let volumes = items(&spec["volumes"]).iter().map(|volume| {
            let name = string(&volume["name"]);
            (name.clone(), self.volume(node, &pod, &name, volume))
        });
        let volumes: HashMap<_, _> = volumes.collect();
        pod.containers =
            containers.iter().map(|container| self.container(&pod, container, &volumes)).collect();
        pod
    }

    /// Where a volume is on the node.
    fn volume(&self, node: &Node, pod: &PodSpec, name: &str, volume: &Value) -> String {
        if let Some(path) = volume["hostPath"]["path"].as_str() {
            if volume["hostPath"]["type"] == "DirectoryOrCreate" {
                fs::create_dir_all(node.outside(path)).expect("the node's directory is writable");
            }
            return path.to_owned();
        }
        let (kind, source, files) = if volume["secret"].is_object() {
            let source = &volume["secret"];
            ("secret", source, map(&self.secrets, source, "secretName"))
        } else {
            assert!(volume["configMap"].is_object(), "{name} is of no kind that the node knows");
            let source = &volume["configMap"];
            ("configmap", source, map(&self.config_maps, source, "name"))
        };
        let mut files = files.cloned().unwrap_or_default();
        if !source["items"].is_null() {
            let items = items(&source["items"]).iter().filter_map(|item| {
                let file = files.get(&string(&item["key"])).cloned();
                assert!(file.is_some() || source["optional"] == true, "no {item} in {name}");
                file.map(|file| (string(&item["path"]), file))
            });
            files = items.collect();
        }
        let path = format!("{}/volumes/kubernetes.io~{kind}/{name}", pod.directory());
        Volume::new(&node.outside(&path), files);
        path
    }

    fn container(
        &self,
        pod: &PodSpec,
        container: &Value,
        volumes: &HashMap<String, String>,
    ) -> ContainerSpec {
        let mut env: Vec<(String, String)> = Vec::new();
        for variable in items(&container["env"]) {
            let value = match variable["value"].as_str() {
                Some(value) => Some(expand(value, &env)),
                None => self.value_from(pod, &variable["valueFrom"]),
            };
            env.extend(value.map(|value| (string(&variable["name"]), value)));
        }
        let words = |value| items(value).iter().map(|word| expand(&string(word), &env)).collect();
        let mounts = items(&container["volumeMounts"]).iter().map(|mount| Mount {
            container_path: string(&mount["mountPath"]),
            host_path: volumes[mount["name"].as_str().expect("a mount names its volume")].clone(),
            readonly: mount["readOnly"] == true,
            propagation: match mount["mountPropagation"].as_str() {
                Some("HostToContainer") => 1,
                Some("Bidirectional") => 2,
                _ => 0,
            },
        });
        let security = &container["securityContext"];
        // Where a kubelet looks for profiles.
        let profile = security["seccompProfile"]["localhostProfile"].as_str();
        let seccomp = profile.map(|path| format!("localhost//var/lib/kubelet/seccomp/{path}"));
        ContainerSpec {
            name: string(&container["name"]),
            image: string(&container["image"]),
            command: words(&container["command"]),
            args: words(&container["args"]),
            mounts: mounts.collect(),
            privileged: security["privileged"] == true,
            read_only_root: security["readOnlyRootFilesystem"] == true,
            seccomp,
            env,
        }
    }

    /// What a variable gets from elsewhere: the downward API, a `ConfigMap` or a `Secret`; none where it may be absent, and is.
    fn value_from(&self, pod: &PodSpec, source: &Value) -> Option<String> {
        for (kind, maps) in
            [("configMapKeyRef", &self.config_maps), ("secretKeyRef", &self.secrets)]
        {
            let reference = &source[kind];
            if let Some(key) = reference["key"].as_str() {
                let value = map(maps, reference, "name").and_then(|map| map.get(key));
                assert!(value.is_some() || reference["optional"] == true, "no {key}: {reference}");
                return value.cloned();
            }
        }
        Some(match source["fieldRef"]["fieldPath"].as_str() {
            Some("metadata.name") => pod.name.clone(),
            Some("metadata.namespace") => pod.namespace.clone(),
            Some("metadata.uid") => pod.uid.clone(),
            Some("spec.nodeName") => NODE_NAME.to_owned(),
            Some("status.hostIP") => "127.0.0.1".to_owned(),
            _ => panic!("the node has no value for {source}"),
        })
    }
}

/// What a reference means; nothing where it is optional and that is not there.
fn map<'m>(maps: &'m Maps, reference: &Value, key: &str) -> Option<&'m BTreeMap<String, String>> {
    let name = string(&reference[key]);
    let map = maps.get(&name);
    assert!(map.is_some() || reference["optional"] == true, "there is no {name}");
    map
}

fn owned(data: &[(&str, &str)]) -> BTreeMap<String, String> {
    data.iter().map(|&(key, text)| (key.to_owned(), text.to_owned())).collect()
}

/// Puts variables in the place of `$(NAME)`; unknown ones stay, as a kubelet leaves them.
fn expand(text: &str, env: &[(String, String)]) -> String {
    // The last of one name counts.
    env.iter()
        .rev()
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("$({name})"), value))
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a string")).to_owned()
}

fn strings(value: &Value) -> HashMap<String, String> {
    let object = value.as_object().into_iter().flatten();
    object.map(|(name, value)| (name.clone(), string(value))).collect()
}
