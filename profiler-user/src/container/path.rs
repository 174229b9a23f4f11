//! What a cgroup's path says: whose container it is, before any runtime was asked.

use super::ContainerId;

/// What a cgroup is, as far as its path tells.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Class {
    /// A container's cgroup, or one below it.
    Container(CgroupIdentity),
    /// The runtime's monitor of a container (`conmon`): no container, and not inside one either.
    Monitor,
    /// Neither: the host's own.
    Host,
}

/// The container that a cgroup belongs to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CgroupIdentity {
    pub id: ContainerId,
    /// `containerd`, `cri-o`, `docker`, `podman`, where the path names one.
    pub runtime: Option<String>,
    /// With `-` between its parts, as Kubernetes writes it, also where systemd's driver wrote `_`.
    pub pod_uid: Option<String>,
    /// The path of the container's own cgroup: the outermost one with this id.
    pub own: String,
    /// Whether the path's last component has the id. Otherwise the cgroup was made inside the container: by its
    /// init system, or by crun or podman for the payload.
    pub in_last: bool,
}

/// The container of a cgroup's path (from the root of the hierarchy, or from where it is mounted).
pub fn identify(path: &str) -> Option<CgroupIdentity> {
    match classify(path) {
        Class::Container(identity) => Some(identity),
        Class::Monitor | Class::Host => None,
    }
}

/// Reads a cgroup's path. The innermost id wins: with Docker in Docker, or a node of `kind`, the outer ones are
/// what the container runs in.
pub fn classify(path: &str) -> Class {
    let mut found: Option<Found<'_>> = None;
    let mut monitor = false;
    let mut pod_uid = None;
    let mut before = "";
    let mut end = 0;
    for component in path.split('/') {
        end += component.len();
        match leaf(component, before) {
            Leaf::Container { id, runtime, slice } => {
                let uid = slice.and_then(|slice| uid_of(slice, before)).or(pod_uid.take());
                match &mut found {
                    // A child of the container that repeats the id; the outermost is the container's own.
                    Some(outer) if outer.id == id => outer.last = end,
                    _ => found = Some(Found { id, runtime, pod_uid: uid, own: end, last: end }),
                }
                monitor = false;
            }
            Leaf::Monitor => monitor = true,
            Leaf::Other => pod_uid = uid_of(component, before).or(pod_uid),
        }
        before = component;
        end += 1;
    }
    match found {
        Some(found) => Class::Container(found.identity(path)),
        None if monitor => Class::Monitor,
        None => Class::Host,
    }
}

/// An id in a path; the numbers are where a component ends, in bytes.
struct Found<'a> {
    id: ContainerId,
    runtime: Option<&'static str>,
    pod_uid: Option<&'a str>,
    own: usize,
    last: usize,
}

impl Found<'_> {
    fn identity(self, path: &str) -> CgroupIdentity {
        CgroupIdentity {
            id: self.id,
            runtime: self.runtime.map(str::to_owned),
            pod_uid: self.pod_uid.map(|uid| uid.replace('_', "-")),
            own: path[..self.own].to_owned(),
            in_last: self.last == path.trim_end_matches('/').len(),
        }
    }
}

/// One component of a path.
enum Leaf<'a> {
    /// `slice` stands before the id in the same component, as in `SLICE:cri-containerd:ID`.
    Container {
        id: ContainerId,
        runtime: Option<&'static str>,
        slice: Option<&'a str>,
    },
    Monitor,
    Other,
}

fn leaf<'a>(component: &'a str, before: &str) -> Leaf<'a> {
    let name = component.strip_suffix(".scope").unwrap_or(component);
    // Ids are 64 ASCII digits. A cut inside a longer character gives nothing.
    let Some((rest, id)) = name.len().checked_sub(64).and_then(|at| name.split_at_checked(at))
    else {
        return Leaf::Other;
    };
    let Some(id) = ContainerId::parse(id) else { return Leaf::Other };
    // cgroupfs's driver: the id alone; who made it is only said by Docker's own parent.
    if rest.is_empty() {
        let runtime = (before == "docker").then_some("docker");
        return Leaf::Container { id, runtime, slice: None };
    }
    // A runtime with cgroupfs's driver that was given a systemd-style path takes `SLICE:PREFIX:ID` literally.
    let (slice, prefix) = if let Some(rest) = rest.strip_suffix(':') {
        rest.rsplit_once(':').map_or((None, rest), |(slice, prefix)| (Some(slice), prefix))
    } else if let Some(prefix) = rest.strip_suffix('-') {
        (None, prefix)
    } else {
        return Leaf::Other;
    };
    if prefix.ends_with("conmon") {
        return Leaf::Monitor;
    }
    Leaf::Container { id, runtime: runtime_of(prefix), slice }
}

/// The runtime that names its cgroups with this prefix; an unknown prefix is a container of a runtime unknown.
fn runtime_of(prefix: &str) -> Option<&'static str> {
    match prefix {
        "cri-containerd" | "nerdctl" => Some("containerd"),
        "crio" => Some("cri-o"),
        "docker" => Some("docker"),
        "libpod" | "libpod-payload" => Some("podman"),
        _ => None,
    }
}

/// The pod of `kubepods-besteffort-podUID.slice`, or of `podUID` below `kubepods` or a class of service.
fn uid_of<'a>(component: &'a str, before: &str) -> Option<&'a str> {
    let uid = if let Some(slice) =
        component.strip_suffix(".slice").filter(|slice| slice.contains("kubepods"))
    {
        slice.rsplit('-').next()?.strip_prefix("pod")?
    } else if before.ends_with("kubepods") || before == "burstable" || before == "besteffort" {
        component.strip_prefix("pod")?
    } else {
        return None;
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (!uid.is_empty() && uid.bytes().all(plain)).then_some(uid)
}

#[cfg(test)]
mod tests;
