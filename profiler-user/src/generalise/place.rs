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

/// The longest prefix decides. A `match`, which compares whole words where a search would call for every text.
macro_rules! places {
    ($($prefix:literal => $place:ident,)*) => {
        fn of_directory(directory: &str) -> Option<Place> {
            match directory {
                $($prefix => Some(Place::$place),)*
                _ => None,
            }
        }

        #[cfg(test)]
        const PLACES: &[(&str, Place)] = &[$(($prefix, Place::$place),)*];

        const LONGEST: usize = {
            let mut longest = 0;
            $(if $prefix.len() > longest { longest = $prefix.len(); })*
            longest
        };
    };
}

places! {
    "/bin" => Fixed,
    "/boot" => Fixed,
    "/dev" => Fixed,
    "/dev/mqueue" => Ordinary,
    "/dev/shm" => Temporary,
    "/etc" => Fixed,
    "/lib" => Fixed,
    "/lib32" => Fixed,
    "/lib64" => Fixed,
    "/libx32" => Fixed,
    "/proc" => Fixed,
    "/root" => Fixed,
    "/run/secrets" => Fixed,
    "/run/user" => Temporary,
    "/sbin" => Fixed,
    "/sys" => Fixed,
    // Its directories carry container and pod ids.
    "/sys/fs/cgroup" => Ordinary,
    "/tmp" => Temporary,
    "/usr" => Fixed,
    "/usr/tmp" => Temporary,
    "/var/lib/dpkg" => Fixed,
    "/var/run/secrets" => Fixed,
    "/var/run/user" => Temporary,
    "/var/spool/cron" => Fixed,
    "/var/tmp" => Temporary,
}

/// Directories that hold credentials wherever they are.
fn holds_credentials(name: &str) -> bool {
    matches!(name, ".aws" | ".azure" | ".docker" | ".gcloud" | ".gnupg" | ".kube" | ".ssh")
}

fn is_temporary(name: &str) -> bool {
    matches!(name, "tmp" | "temp" | ".tmp")
}

/// The place of the entries of a directory.
pub(super) fn of(directory: &str) -> Place {
    let mut walk = Walk::ROOT;
    let mut end = 0;
    for name in directory.split('/') {
        end += name.len();
        walk.enter(&directory[..end], name);
        end += 1;
    }
    walk.place()
}

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
            && let Some(place) = of_directory(directory)
        {
            self.place = place;
        }
        self.credentials |= holds_credentials(name);
        self.temporary |= is_temporary(name);
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
