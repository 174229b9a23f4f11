//! A disk that gets full, for tests.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// A file system of a few pages, in a mount namespace of this thread alone.
pub(crate) fn on_small_disk(size: &'static str, test: impl FnOnce(&Path) + Send + 'static) {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("skipped: mounting a small tmpfs needs root");
        return;
    }
    let run = move || {
        let dir = tempfile::tempdir().unwrap();
        if let Err(error) = unshare(CloneFlags::CLONE_NEWNS) {
            eprintln!("skipped: no mount namespace of one's own here: {error}");
            return;
        }
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        mount(
            Some("tmpfs"),
            dir.path(),
            Some("tmpfs"),
            MsFlags::empty(),
            Some(format!("size={size}").as_str()),
        )
        .unwrap();
        test(dir.path());
        // Else the directory cannot be removed.
        nix::mount::umount2(dir.path(), nix::mount::MntFlags::MNT_DETACH).unwrap();
    };
    std::thread::spawn(run).join().unwrap();
}

/// Gives the disk another size.
pub(crate) fn resize(disk: &Path, size: &str) {
    let (none, size) = (None::<&str>, format!("size={size}"));
    mount(none, disk, none, MsFlags::MS_REMOUNT, Some(size.as_str())).unwrap();
}
