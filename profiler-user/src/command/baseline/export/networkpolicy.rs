//! Peers as a `NetworkPolicy` of Kubernetes.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use serde_json::{Value, json};

use crate::{baseline::Baseline, drift::clean, generalise};

/// Which pods a policy is for: a baseline does not know its pods' labels.
pub(super) struct Pods {
    name: Option<String>,
    namespace: Option<String>,
    labels: BTreeMap<String, String>,
}

impl Pods {
    /// # Errors
    /// Labels that are none.
    pub(super) fn new(
        name: Option<&str>,
        namespace: Option<&str>,
        selector: &[String],
    ) -> Result<Self, String> {
        let label = |text: &String| match text.split_once('=') {
            Some((key, value)) if !key.is_empty() && !key.ends_with('!') => {
                Ok((key.to_owned(), value.trim_start_matches('=').to_owned()))
            }
            _ => Err(format!("--selector: {text:?} is no label; write key=value")),
        };
        let labels = selector.iter().map(label).collect::<Result<_, _>>()?;
        Ok(Self { name: name.map(str::to_owned), namespace: namespace.map(str::to_owned), labels })
    }
}

/// An end as a baseline names it.
struct End {
    protocol: &'static str,
    address: SocketAddr,
}

/// `tcp 10.0.0.7:5432`; none for what a policy has no words for.
fn end(text: &str) -> Option<End> {
    let (protocol, address) = text.split_once(' ')?;
    let protocol = match protocol {
        "tcp" => "TCP",
        "udp" => "UDP",
        "sctp" => "SCTP",
        _ => return None,
    };
    Some(End { protocol, address: address.parse().ok()? })
}

/// `tcp {private}:9090` as blocks, and the port there.
fn class(text: &str) -> Option<(&'static [&'static str], (&'static str, u16))> {
    let one = generalise::End::of(text)?;
    let blocks = generalise::blocks(one.host);
    let End { protocol, address } = end(&one.with("0.0.0.0"))?;
    (!blocks.is_empty() && address.port() > 0).then(|| (blocks, (protocol, address.port())))
}

/// The policy, and what could not be said in it.
pub(super) fn policy(baseline: &Baseline, pods: &Pods) -> (Value, Vec<String>) {
    let mut left_out = BTreeSet::new();
    let mut egress = BTreeMap::<String, BTreeSet<(&str, u16)>>::new();
    let mut ingress = BTreeSet::new();
    let unsaid =
        |text: &str| format!("{} cannot be said in a NetworkPolicy and is left out", clean(text));
    for executable in baseline.executables.values() {
        for text in executable.connect.keys() {
            if let Some((blocks, to)) = class(text) {
                for block in blocks {
                    egress.entry((*block).to_owned()).or_default().insert(to);
                }
                continue;
            }
            match end(text) {
                // A pod's own loopback is no policy's.
                Some(end)
                    if end.address.ip().is_loopback() || end.address.ip().is_unspecified() => {}
                Some(End { protocol, address }) if address.port() > 0 => {
                    let bits = if address.is_ipv4() { 32 } else { 128 };
                    let block = format!("{}/{bits}", address.ip());
                    egress.entry(block).or_default().insert((protocol, address.port()));
                }
                _ => drop(left_out.insert(unsaid(text))),
            }
        }
        for text in executable.listen.keys() {
            match end(text) {
                Some(end) if end.address.ip().is_loopback() => {}
                Some(End { protocol, address }) if address.port() > 0 => {
                    ingress.insert((protocol, address.port()));
                }
                _ => drop(left_out.insert(unsaid(text))),
            }
        }
    }
    let ports = |ports: &BTreeSet<(&str, u16)>| {
        let port = |(protocol, port): &(&str, u16)| json!({"protocol": protocol, "port": port});
        ports.iter().map(port).collect::<Vec<_>>()
    };
    let to = |(block, to): (&String, _)| json!({"to": [{"ipBlock": {"cidr": block}}], "ports": ports(to)});
    let egress: Vec<_> = egress.iter().map(to).collect();
    // Clients come and go with their addresses: what is bound is the port.
    let ingress =
        if ingress.is_empty() { Vec::new() } else { vec![json!({"ports": ports(&ingress)})] };
    let mut metadata = json!({
        "name": pods.name.clone().unwrap_or_else(|| object_name(&baseline.image.name)),
        "annotations": {"driftline/baseline": baseline.id()},
    });
    if let Some(namespace) = &pods.namespace {
        metadata["namespace"] = json!(namespace);
    }
    let policy = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {
            "podSelector": {"matchLabels": pods.labels},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": egress,
        },
    });
    (policy, left_out.into_iter().collect())
}

/// `registry.test/shop/web` → `web`: small letters, digits and dashes, as names of objects are.
fn object_name(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = last.chars().map(plain).take(63).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "driftline".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::networking::v1::NetworkPolicy;

    use super::*;
    use crate::baseline::{Executable, Image, Seen};

    fn baseline(connect: &[&str], listen: &[&str]) -> Baseline {
        let seen: Seen = serde_json::from_value(json!({
            "first": "2026-01-01T00:00:00Z", "last": "2026-01-01T00:00:00Z", "runs": {"a": 1}
        }))
        .unwrap();
        let all =
            |texts: &[&str]| texts.iter().map(|text| ((*text).to_owned(), seen.clone())).collect();
        let mut baseline = Baseline::new(Image::here("registry.test/shop/Web_1"));
        let executable =
            Executable { connect: all(connect), listen: all(listen), ..Executable::default() };
        baseline.executables.insert("/bin/web".to_owned(), executable);
        baseline
    }

    fn pods() -> Pods {
        Pods::new(None, Some("shop"), &["app=web".to_owned()]).unwrap()
    }

    #[test]
    fn peers_become_a_policy_that_kubernetes_types_hold_whole() {
        let baseline = baseline(
            &["tcp 10.0.0.7:5432", "udp 10.96.0.10:53", "tcp [fd00::1]:443", "tcp 127.0.0.1:9000"],
            &["tcp 0.0.0.0:8080", "tcp [::]:{ephemeral}", "tcp 127.0.0.1:1"],
        );
        let (policy, left_out) = policy(&baseline, &pods());
        assert_eq!(
            left_out,
            ["tcp [::]:{ephemeral} cannot be said in a NetworkPolicy and is left out"]
        );
        let typed: NetworkPolicy = serde_json::from_value(policy.clone()).unwrap();
        // Unknown fields would have been dropped.
        assert_eq!(serde_json::to_value(&typed).unwrap(), policy);
        assert_eq!(typed.metadata.name.as_deref(), Some("web-1"));
        let spec = typed.spec.unwrap();
        let egress = spec.egress.unwrap();
        let blocks: Vec<_> = egress
            .iter()
            .map(|rule| rule.to.as_ref().unwrap()[0].ip_block.as_ref().unwrap().cidr.as_str())
            .collect();
        assert_eq!(blocks, ["10.0.0.7/32", "10.96.0.10/32", "fd00::1/128"]);
        assert_eq!(spec.ingress.unwrap().len(), 1);
    }

    #[test]
    fn a_class_is_its_blocks_and_a_name_cannot_be_said() {
        let baseline = baseline(&["tcp {shared}:9090", "tcp db.svc:1", "tcp pod:shop/db:2"], &[]);
        let (policy, left_out) = policy(&baseline, &pods());
        assert_eq!(left_out.len(), 2, "{left_out:?}");
        let egress = json!([{"to": [{"ipBlock": {"cidr": "100.64.0.0/10"}}],
            "ports": [{"protocol": "TCP", "port": 9090}]}]);
        assert_eq!(policy["spec"]["egress"], egress);
    }

    #[test]
    fn who_talks_to_nobody_is_allowed_nothing() {
        let (policy, left_out) = policy(&baseline(&[], &[]), &pods());
        assert!(left_out.is_empty());
        assert_eq!(policy["spec"]["egress"], json!([]));
        assert_eq!(policy["spec"]["ingress"], json!([]));
        assert!(Pods::new(None, None, &["app".to_owned()]).is_err());
    }
}
