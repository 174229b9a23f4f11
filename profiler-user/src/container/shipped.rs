//! Which files are the image's: those of its layers, or where these cannot be read, what was there before the container.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::fstat;

use super::ContainerId;
use crate::generalise::{Pattern, Secrets};

/// Names that are looked at before a directory is said to be too large to tell.
const MOST: usize = 20_000;

/// Where to look for the files of a container's image.
#[derive(Clone, Debug)]
pub(crate) enum Shipped {
    /// The directories that its overlay lies over: whatever the container changes, they do not.
    Layers(Vec<PathBuf>),
    /// The root of a process, while it runs.
    Root { pid: u32, container: ContainerId, began: Timestamp },
}

/// Directory trees, opened.
#[derive(Debug)]
pub(crate) struct Tree {
    roots: Vec<OwnedFd>,
    /// Only what is older and lies on this mount.
    since: Option<(Timestamp, String)>,
}

impl Shipped {
    /// Of a container that began then, through one of its processes; none where that has ended.
    pub(crate) fn of(pid: u32, container: &ContainerId, began: Timestamp) -> Option<Self> {
        if !is_of(pid, container) {
            return None;
        }
        let layers = lower(&mounts(pid)?);
        // Its runtime has not yet changed its root.
        if layers.is_some() && layers == lower(&mounts(1)?) {
            return None;
        }
        let layers = layers.and_then(|layers| layers.into_iter().map(reach).collect());
        let root = || Self::Root { pid, container: container.clone(), began };
        Some(layers.map_or_else(root, Self::Layers))
    }

    /// None where nothing can be said any more.
    pub(crate) fn open(&self) -> Option<Tree> {
        match self {
            Self::Layers(layers) => {
                let roots = layers.iter().map(|layer| directory(layer)).collect::<Result<_, _>>();
                Some(Tree { roots: roots.ok()?, since: None })
            }
            Self::Root { pid, container, began } => {
                let tree = Tree::before(Path::new(&format!("/proc/{pid}/root")), *began).ok()?;
                // Looked at after it was opened: the number may be another's by now.
                is_of(*pid, container).then_some(tree)
            }
        }
    }
}

fn is_of(pid: u32, container: &ContainerId) -> bool {
    let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup"));
    cgroup.is_ok_and(|cgroup| cgroup.contains(container.as_str()))
}

fn mounts(pid: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/mountinfo")).ok()
}

/// The layers of the overlay that is a process's root, upper first, from its `mountinfo`.
fn lower(mounts: &str) -> Option<Vec<PathBuf>> {
    let root = mounts.lines().rfind(|line| line.split(' ').nth(4) == Some("/"))?;
    let (_, about) = root.split_once(" - ")?;
    let mut about = about.split(' ');
    if about.next() != Some("overlay") {
        return None;
    }
    let options = about.nth(1)?.split(',');
    let layers = options.filter_map(|option| {
        option.strip_prefix("lowerdir=").or_else(|| option.strip_prefix("lowerdir+="))
    });
    let layers: Vec<_> = layers.flat_map(|layers| layers.split(':')).collect();
    // Relative to where the runtime stood, or with signs that are written otherwise.
    let is_plain = |layer: &&str| layer.starts_with('/') && !layer.contains('\\');
    let all = !layers.is_empty() && layers.iter().all(is_plain);
    all.then(|| layers.into_iter().map(PathBuf::from).collect())
}

/// A directory of the runtime's as it is called here: an agent in a pod finds it in the machine's own tree.
fn reach(layer: PathBuf) -> Option<PathBuf> {
    let outside = || PathBuf::from(format!("/proc/1/root{}", layer.display()));
    if layer.is_dir() { Some(layer) } else { Some(outside()).filter(|layer| layer.is_dir()) }
}

impl Tree {
    /// What under this root was there at that time and has not changed since, on the root's own mount.
    pub(crate) fn before(root: &Path, time: Timestamp) -> io::Result<Self> {
        let root = directory(root)?;
        let mount = mount_of(&root)?;
        Ok(Self { roots: vec![root], since: Some((time, mount)) })
    }

    /// Whether a file's path has the shape of `pattern`; also where that cannot be told. `apart` are not looked for.
    pub(crate) fn has(&self, pattern: &str, apart: impl Fn(&str) -> bool) -> bool {
        let parts = pattern.split('/').filter(|part| !part.is_empty());
        let parts: Vec<_> = parts.map(Pattern::parse).collect();
        let mut search = Search { tree: self, parts: &parts, apart: &apart, left: MOST };
        self.roots.iter().any(|root| search.below(root, "").unwrap_or(true))
    }
}

struct Search<'a> {
    tree: &'a Tree,
    parts: &'a [Pattern],
    apart: &'a dyn Fn(&str) -> bool,
    left: usize,
}

impl Search<'_> {
    /// `path`: that far the names were found.
    fn below(&mut self, root: &OwnedFd, path: &str) -> io::Result<bool> {
        let depth = path.bytes().filter(|byte| *byte == b'/').count();
        let Some(part) = self.parts.get(depth) else { return self.is_one(root, path) };
        if let Some(name) = part.literal() {
            return self.below(root, &format!("{path}/{name}"));
        }
        let directory = match beneath(root, path, OFlag::O_PATH | OFlag::O_DIRECTORY) {
            Err(error) if is_absent(&error) => return Ok(false),
            directory => directory?,
        };
        for entry in fs::read_dir(format!("/proc/self/fd/{}", directory.as_raw_fd()))? {
            let name = entry?.file_name();
            self.left = self.left.checked_sub(1).ok_or(io::ErrorKind::FileTooLarge)?;
            let Some(name) = fitting(&name, part) else { continue };
            if self.below(root, &format!("{path}/{name}"))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_one(&self, root: &OwnedFd, path: &str) -> io::Result<bool> {
        let file = match beneath(root, path, OFlag::O_PATH | OFlag::O_NOFOLLOW) {
            Err(error) if is_absent(&error) => return Ok(false),
            file => file?,
        };
        if let Some((time, mount)) = &self.tree.since {
            let changed = fstat(&file)?;
            let changed = (changed.st_ctime, changed.st_ctime_nsec);
            let time = (time.as_second(), i64::from(time.subsec_nanosecond()));
            if changed > time || mount_of(&file)? != *mount {
                return Ok(false);
            }
        }
        Ok(!(self.apart)(path))
    }
}

fn fitting<'a>(name: &'a OsStr, part: &Pattern) -> Option<&'a str> {
    name.to_str().filter(|name| part.matches(name, Secrets::Exact))
}

fn is_absent(error: &io::Error) -> bool {
    // A path is resolved: a link on the way is another's name.
    let absent = [Errno::ENOENT, Errno::ENOTDIR, Errno::ELOOP];
    absent.iter().any(|absent| error.raw_os_error() == Some(*absent as i32))
}

fn directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    Ok(openat2(AT_FDCWD, path, OpenHow::new().flags(flags))?)
}

/// No link leads out of the tree.
fn beneath(root: &OwnedFd, path: &str, flags: OFlag) -> io::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_SYMLINKS);
    Ok(openat2(root, if path.is_empty() { "/" } else { path }, how)?)
}

/// Of an overlay each layer may have a device number of its own, but the mount is one.
fn mount_of(file: &OwnedFd) -> io::Result<String> {
    let about = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd()))?;
    let id = about.lines().find_map(|line| line.strip_prefix("mnt_id:"));
    id.map(|id| id.trim().to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn has(tree: &Tree, pattern: &str) -> bool {
        tree.has(pattern, |_| false)
    }

    #[test]
    fn what_came_later_or_lies_elsewhere_was_not_there() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("old"), "").unwrap();
        std::os::unix::fs::symlink("/etc", directory.path().join("away")).unwrap();
        let now = Timestamp::now();
        let (earlier, later) =
            (now - SignedDuration::from_secs(5), now + SignedDuration::from_secs(5));
        let before = |began| Tree::before(directory.path(), began).unwrap();
        assert!(has(&before(later), "/old"));
        assert!(!has(&before(earlier), "/old"));
        assert!(!has(&before(later), "/none"));
        assert!(!has(&before(later), "/old/none"));
        assert!(!has(&before(later), "/away/passwd"));
        let machine = Tree::before(Path::new("/"), later).unwrap();
        assert!(has(&machine, "/etc/passwd"));
        assert!(!has(&machine, "/proc/self/status"));
    }

    #[test]
    fn a_pattern_is_an_images_where_any_layer_has_a_file_of_its_shape() {
        let layers = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let data = layers[1].path().join("srv/4711/data");
        fs::create_dir_all(&data).unwrap();
        fs::write(data.join("inv-carter.pdf"), "").unwrap();
        let layers = layers.each_ref().map(|layer| layer.path().to_owned());
        let tree = Shipped::Layers(layers.to_vec()).open().unwrap();
        assert!(has(&tree, "/srv/{num}/data/inv-{word:3-8}.pdf"));
        assert!(!has(&tree, "/srv/4711/data/{word:3-8}-carter.pdf"));
        assert!(!has(&tree, "/srv/{num}/data/inv-{word:9-16}.pdf"));
        assert!(!has(&tree, "/srv/{uuid}/data/inv-{word:3-8}.pdf"));
        let its_own = |path: &str| path == "/srv/4711/data/inv-carter.pdf";
        assert!(!tree.has("/srv/{num}/data/inv-{word:3-8}.pdf", its_own));
        assert!(Shipped::Layers(vec![layers[0].join("gone")]).open().is_none());
    }

    #[test]
    fn a_directory_too_large_to_look_through_is_taken_for_the_images() {
        let directory = tempfile::tempdir().unwrap();
        for number in 0..=MOST {
            fs::write(directory.path().join(number.to_string()), "").unwrap();
        }
        let tree = Shipped::Layers(vec![directory.path().to_owned()]).open().unwrap();
        assert!(has(&tree, "/{word:3-8}"));
    }

    #[test]
    fn the_layers_are_read_from_the_mounts_of_a_process() {
        let mounts = "22 1 0:5 / /proc rw - proc proc rw\n\
            812 700 0:91 / / rw,relatime - overlay overlay rw,lowerdir=/l/2/fs:/l/1/fs,upperdir=/l/3/fs,workdir=/l/3/w\n";
        assert_eq!(lower(mounts), Some(vec!["/l/2/fs".into(), "/l/1/fs".into()]));
        assert_eq!(lower(&mounts.replace("/l/1/fs", "1/fs")), None);
        assert_eq!(lower(&mounts.replace("/l/1/fs", r"/l\0721/fs")), None);
        assert_eq!(lower(&mounts.replace("overlay", "ext4")), None);
        let several = mounts.replace(":/l/1/fs", ",lowerdir+=/l/1/fs");
        assert_eq!(lower(&several), Some(vec!["/l/2/fs".into(), "/l/1/fs".into()]));
    }
}
