//! Where a path lies decides what may be generalised in it.

/// What the rules may do in a directory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// Names are evidence: what an image ships, credentials, the kernel's switches. Nothing is generalised.
    Fixed,
    Ordinary,
    /// Programs invent names here.
    Temporary,
}

/// The longest prefix decides.
const PLACES: &[(&str, Place)] = &[
    ("/bin", Place::Fixed),
    ("/boot", Place::Fixed),
    ("/dev", Place::Fixed),
    ("/dev/mqueue", Place::Ordinary),
    ("/dev/shm", Place::Temporary),
    ("/etc", Place::Fixed),
    ("/lib", Place::Fixed),
    ("/lib32", Place::Fixed),
    ("/lib64", Place::Fixed),
    ("/libx32", Place::Fixed),
    ("/proc", Place::Fixed),
    ("/root", Place::Fixed),
    ("/run/secrets", Place::Fixed),
    ("/run/user", Place::Temporary),
    ("/sbin", Place::Fixed),
    ("/sys", Place::Fixed),
    // Its directories carry container and pod ids.
    ("/sys/fs/cgroup", Place::Ordinary),
    ("/tmp", Place::Temporary),
    ("/usr", Place::Fixed),
    ("/usr/tmp", Place::Temporary),
    ("/var/lib/dpkg", Place::Fixed),
    ("/var/run/secrets", Place::Fixed),
    ("/var/run/user", Place::Temporary),
    ("/var/spool/cron", Place::Fixed),
    ("/var/tmp", Place::Temporary),
];

/// Directories that hold credentials wherever they are.
const FIXED_NAMES: &[&str] = &[".aws", ".azure", ".docker", ".gcloud", ".gnupg", ".kube", ".ssh"];

const TEMPORARY_NAMES: &[&str] = &["tmp", "temp", ".tmp"];

/// The place of each entry of a directory; `directory` is absolute, or empty for the root itself.
pub(super) fn of(directory: &str) -> Place {
    let place = PLACES
        .iter()
        .filter(|(prefix, _)| is_below(directory, prefix))
        .max_by_key(|(prefix, _)| prefix.len())
        .map_or(Place::Ordinary, |(_, place)| *place);
    let has = |names: &[&str]| directory.split('/').any(|name| names.contains(&name));
    if has(FIXED_NAMES) {
        Place::Fixed
    } else if place == Place::Ordinary && has(TEMPORARY_NAMES) {
        Place::Temporary
    } else {
        place
    }
}

fn is_below(directory: &str, prefix: &str) -> bool {
    directory.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Without those that hold numbers or other places.
#[cfg(test)]
pub(super) fn fixed_prefixes() -> Vec<&'static str> {
    let holds_others = |prefix: &str| matches!(prefix, "/dev" | "/proc" | "/sys");
    let fixed = PLACES.iter().filter(|(_, place)| *place == Place::Fixed);
    fixed.map(|(prefix, _)| *prefix).filter(|prefix| !holds_others(prefix)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_decides_and_only_at_a_component() {
        assert_eq!(of("/etc"), Place::Fixed);
        assert_eq!(of("/etcetera"), Place::Ordinary);
        assert_eq!(of("/dev/shm/x"), Place::Temporary);
        assert_eq!(of("/sys/fs/cgroup/a"), Place::Ordinary);
        assert_eq!(of("/home/u/.ssh"), Place::Fixed);
        assert_eq!(of("/tmp/.ssh"), Place::Fixed);
        assert_eq!(of("/srv/app/tmp"), Place::Temporary);
        assert_eq!(of("/usr/share/tmp"), Place::Fixed);
        assert_eq!(of(""), Place::Ordinary);
    }
}
