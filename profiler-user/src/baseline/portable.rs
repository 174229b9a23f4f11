//! What of a baseline belongs to the image, and what to the place where it was recorded.
//!
//! It follows from an entry's kind and name, so it is not written down: a rule that is improved then holds for old baselines too.

use std::net::IpAddr;

use super::names::Set;
use crate::generalise::End;

/// What Kubernetes and container runtimes put into every container, each its own.
const PROVIDED: [&str; 6] = [
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/var/run/secrets/",
    "/run/secrets/",
    "/dev/termination-log",
];

/// Whether another environment will have another in its place: peers, mounts, names of hosts.
pub(super) fn is_bound(set: Set, key: &str) -> bool {
    match set {
        Set::Connect | Set::Accept | Set::Listen => !is_own(key),
        Set::Dns | Set::Escape => true,
        Set::Read | Set::ReadDenied | Set::Write | Set::WriteDenied | Set::Delete => {
            PROVIDED.iter().any(|provided| key.starts_with(provided))
        }
        // A runtime's socket that was mounted; abstract names and the image's own are its own affair.
        Set::Unix => ["/run/containerd", "/run/docker", "/var/run/docker", "/run/crio"]
            .iter()
            .any(|socket| key.starts_with(socket)),
        _ => false,
    }
}

/// Within the container, or on whatever address it has.
fn is_own(peer: &str) -> bool {
    let Some(end) = End::of(peer) else { return false };
    let own = |address: IpAddr| address.is_loopback() || address.is_unspecified();
    end.address().is_some_and(own) || matches!(end.host, "localhost" | "{loopback}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_containers_own_is_portable() {
        for (set, key, expected) in [
            (Set::Connect, "tcp 10.0.0.7:5432", true),
            (Set::Connect, "tcp localhost.example.com:80", true),
            (Set::Connect, "tcp localhost:80", false),
            (Set::Connect, "tcp [::1]:80", false),
            (Set::Listen, "tcp 0.0.0.0:80", false),
            (Set::Listen, "tcp [::]:{ephemeral}", false),
            (Set::Listen, "tcp 10.0.0.5:80", true),
            (Set::Accept, "tcp :80 from {private}", true),
            (Set::Accept, "tcp :80 from {loopback}", false),
            (Set::Read, "/etc/hosts", true),
            (Set::Read, "/etc/passwd", false),
        ] {
            assert_eq!(is_bound(set, key), expected, "{key}");
        }
    }
}
