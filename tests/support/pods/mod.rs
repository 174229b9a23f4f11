//! A Kubernetes node in miniature: a container runtime in namespaces of its own, and pods as a kubelet asks for them.
//!
//! The node has its own mounts, network, cgroups and directory. `driftline-node` holds them for as long as the
//! [`Node`] lives and removes them afterwards, also when the test panics or is killed.

mod cgroups;
mod churn;
mod container;
pub mod cri;
mod hold;
mod images;
mod manifest;
mod network;
mod node;
mod pod;
mod remains;
mod runc;
mod runtime;
mod services;
mod spec;
mod volume;

pub use churn::Ended;
pub use container::{Container, Output, Probe};
pub use hold::hold;
pub use images::{BUSYBOX, NGINX, PAUSE, REDIS, agent, busybox};
pub use manifest::{Manifest, NODE_NAME};
pub use network::join;
pub use node::{Node, can_run};
pub use pod::Pod;
pub use runc::run_runtime;
pub use services::Service;
pub use spec::{Class, ContainerSpec, PodSpec};
pub use volume::Volume;

/// Where nodes have their directories: not in /tmp, whose names Driftline generalises.
const BASE: &str = "/var/tmp/driftline-tests";
