//! Which pod of this node has which address: a peer then goes by its workload, which is the same wherever it runs.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
};

use crate::{
    behaviour::{Behaviour, Observation, canonical},
    container::{ContainerId, Identity},
};

/// By address, the containers that have it and their `NAMESPACE/WORKLOAD`.
#[derive(Default)]
pub(super) struct Pods(HashMap<IpAddr, BTreeMap<ContainerId, Arc<str>>>);

impl Pods {
    pub(super) fn add(&mut self, identity: &Identity) {
        let ip = identity.pod.as_ref().and_then(|pod| pod.ip);
        let (Some(ip), Some(namespace), Some(workload)) =
            (ip, identity.namespace(), identity.workload())
        else {
            return;
        };
        let name = format!("{namespace}/{workload}").into();
        self.0.entry(canonical(ip)).or_default().insert(identity.id.clone(), name);
    }

    pub(super) fn remove(&mut self, identity: &Identity) {
        let Some(ip) = identity.pod.as_ref().and_then(|pod| pod.ip).map(canonical) else { return };
        if let Some(containers) = self.0.get_mut(&ip) {
            containers.remove(&identity.id);
            if containers.is_empty() {
                self.0.remove(&ip);
            }
        }
    }

    /// None where two share it, as those on the host's network do: either would stand for the other.
    fn name(&self, address: IpAddr) -> Option<Arc<str>> {
        let mut names = self.0.get(&address)?.values();
        let name = names.next()?;
        names.all(|other| other == name).then(|| Arc::clone(name))
    }

    /// The same observation with the peer's pod, unless that was known before.
    pub(super) fn name_peer(&self, mut observation: Observation) -> Observation {
        let (pod, address) = match &mut observation.behaviour {
            Behaviour::Connect(connect) => (&mut connect.named.pod, connect.peer.ip()),
            Behaviour::Accept(accept) => (&mut accept.pod, accept.peer.ip()),
            _ => return observation,
        };
        if pod.is_none() {
            *pod = self.name(canonical(address));
        }
        observation
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{container::Pod, drift::sample};

    fn identity(id: char, ip: Option<&str>, labels: &[(&str, &str)]) -> Identity {
        let id = ContainerId::parse(&id.to_string().repeat(64)).unwrap();
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let pod = Pod {
            uid: id.to_string(),
            name: Some("db-0".to_owned()),
            namespace: Some("shop".to_owned()),
            labels,
            ip: ip.map(|ip| ip.parse().unwrap()),
        };
        Identity { pod: Some(pod), ..Identity::of_path(id, None, None) }
    }

    fn peer(pods: &Pods, address: &str) -> Option<String> {
        let observation = sample::connect("/usr/bin/app", &format!("{address}:5432"));
        match pods.name_peer(observation).behaviour {
            Behaviour::Connect(connect) => connect.named.pod.as_deref().map(str::to_owned),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_address_is_its_pods_as_long_as_that_has_it() {
        let mut pods = Pods::default();
        let (sandbox, db) = (
            identity('a', Some("10.88.0.7"), &[("app", "db")]),
            identity('b', Some("10.88.0.7"), &[("app", "db")]),
        );
        pods.add(&sandbox);
        pods.add(&db);
        pods.add(&identity('c', None, &[("app", "host")]));
        assert_eq!(peer(&pods, "10.88.0.7").as_deref(), Some("shop/db"));
        assert_eq!(peer(&pods, "10.88.0.8"), None);
        pods.remove(&db);
        assert_eq!(peer(&pods, "10.88.0.7").as_deref(), Some("shop/db"));
        pods.remove(&sandbox);
        assert_eq!(peer(&pods, "10.88.0.7"), None);
    }

    #[test]
    fn an_address_that_two_pods_share_is_nobodys() {
        let mut pods = Pods::default();
        pods.add(&identity('a', Some("10.0.0.1"), &[("app", "db")]));
        pods.add(&identity('b', Some("10.0.0.1"), &[("app", "intruder")]));
        assert_eq!(peer(&pods, "10.0.0.1"), None);
    }
}
