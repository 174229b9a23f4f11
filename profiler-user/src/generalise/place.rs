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

/// Where a walk down a path stands: at the root, to begin with.
pub(super) struct Walk {
    place: Place,
    credentials: bool,
    temporary: bool,
}

impl Walk {
    pub(super) const ROOT: Self =
        Self { place: Place::Ordinary, credentials: false, temporary: false };

    /// Goes down into `name`, by which `directory` ends.
    pub(super) fn enter(&mut self, directory: &str, name: &str) {
        // A longer prefix is met later.
        if directory.len() <= LONGEST
            && let Some((_, place)) = PLACES.iter().find(|(prefix, _)| *prefix == directory)
        {
            self.place = *place;
        }
        self.credentials |= FIXED_NAMES.contains(&name);
        self.temporary |= TEMPORARY_NAMES.contains(&name);
    }

    /// The place of each entry of the directory.
    pub(super) fn place(&self) -> Place {
        match self.place {
            _ if self.credentials => Place::Fixed,
            Place::Ordinary if self.temporary => Place::Temporary,
            place => place,
        }
    }
}

/// Bytes of the longest prefix.
const LONGEST: usize = {
    let (mut longest, mut at) = (0, 0);
    while at < PLACES.len() {
        if PLACES[at].0.len() > longest {
            longest = PLACES[at].0.len();
        }
        at += 1;
    }
    longest
};

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

    fn of(directory: &str) -> Place {
        let mut walk = Walk::ROOT;
        let mut end = 0;
        for name in directory.split('/') {
            end += name.len();
            walk.enter(&directory[..end], name);
            end += 1;
        }
        walk.place()
    }

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
