//! What of a baseline belongs to the image, and what to the place where it was recorded.
//!
//! It follows from an entry's kind and name, so it is not written down: a rule that is improved then holds for old baselines too.

use super::names::Set;

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
        Set::Connect | Set::Accept => !is_own(key),
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

/// Within the container.
fn is_own(peer: &str) -> bool {
    let own = ["127.", "[::1]", "localhost", "loopback"];
    peer.split_whitespace().any(|word| own.iter().any(|own| word.starts_with(own)))
}
