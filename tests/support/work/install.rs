//! Packages installed and removed by dpkg, maintainers' scripts and all, in an overlay over this machine.

use std::{fmt::Write as _, fs, os::unix::fs::PermissionsExt as _, process::Command};

use super::{Size, Work, sources};
use crate::Lab;

/// Scripts of our own package, which do what such scripts do.
const SCRIPTS: &[(&str, &str)] = &[
    ("preinst", "#!/bin/sh\nset -e\n[ \"$1\" = install ] || [ \"$1\" = upgrade ]\n"),
    (
        "postinst",
        "#!/bin/sh\nset -e\nldconfig\n\
         update-alternatives --install /usr/bin/sampled sampled /usr/lib/sampled/tool 10\n\
         t=$(mktemp); sed s/a/b/ /etc/sampled.conf >\"$t\"; mv \"$t\" /var/lib/sampled.state\n",
    ),
    ("prerm", "#!/bin/sh\nset -e\nupdate-alternatives --remove sampled /usr/lib/sampled/tool\n"),
    ("postrm", "#!/bin/sh\nset -e\n[ \"$1\" != purge ] || rm -f /var/lib/sampled.state\n"),
];

/// Whatever is done in `root` stays in memory, and only what runs in this mount namespace sees it. Reading every manual page of
/// this machine is left out.
const MOUNTS: &str = "mount -t tmpfs none upper; mkdir upper/up upper/work; \
     mount -t overlay none -o lowerdir=/,upperdir=upper/up,workdir=upper/work root; \
     mount --bind /dev root/dev; mount --bind /proc root/proc; \
     mkdir -p root/var/lib/dpkg/info root/var/lib/dpkg/updates root/var/lib/dpkg/triggers; \
     rm -f root/var/lib/man-db/auto-update; \
     [ -e root/var/lib/dpkg/status ] || : >root/var/lib/dpkg/status; mkdir -p root/mnt; cp -r packages root/mnt";

pub(super) fn work(lab: &Lab, size: Size) -> Work {
    for directory in ["upper", "root", "packages"] {
        fs::create_dir_all(lab.path(directory)).expect("the lab is ours");
    }
    let files = if size == Size::Guest { 30 } else { 300 };
    make_package(lab, files);
    let mut packages = vec!["sampled".to_owned()];
    if let Some(sources) = sources() {
        for entry in fs::read_dir(sources.join("packages")).expect("downloaded packages") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a file").to_str().expect("UTF-8");
            fs::copy(&path, lab.path("packages").join(name)).expect("the lab is ours");
            packages.push(name.split('_').next().expect("a name").to_owned());
        }
    }
    let dpkg = "PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive chroot root dpkg";
    let names = packages.join(" ");
    // One at a time, as some must be configured before others are unpacked.
    let mut install = String::new();
    for name in archives(lab) {
        let _infallible = writeln!(install, "{dpkg} --install /mnt/packages/{name}");
    }
    Work {
        name: if size == Size::Full { "installing packages" } else { "installing a package" },
        script: format!(
            "{install}test -e root/usr/lib/sampled/tool\n\
             {dpkg} --remove {names}\n{dpkg} --purge {names}\n\
             test ! -e root/usr/lib/sampled/tool\n"
        ),
        leaves: &[],
        mounts: Some(format!("cd {}; {MOUNTS}", lab.path("").display())),
    }
}

/// In the order of their names.
fn archives(lab: &Lab) -> Vec<String> {
    let entries = fs::read_dir(lab.path("packages")).expect("the lab is ours");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<_> =
        entries.map(|entry| name(entry).into_string().expect("UTF-8")).collect();
    // What `cron` needs comes before it.
    names.sort();
    names
}

fn make_package(lab: &Lab, files: usize) {
    let tree = lab.path("package");
    let write = |path: &str, text: &str, mode| {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().expect("below the tree")).expect("the lab is ours");
        fs::write(&path, text).expect("the lab is ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    write(
        "DEBIAN/control",
        "Package: sampled\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\n\
         Description: something to install\n",
        0o644,
    );
    write("DEBIAN/conffiles", "/etc/sampled.conf\n", 0o644);
    for (name, script) in SCRIPTS {
        write(&format!("DEBIAN/{name}"), script, 0o755);
    }
    write("etc/sampled.conf", "a = 1\n", 0o644);
    write("usr/lib/sampled/tool", "#!/bin/sh\nexit 0\n", 0o755);
    for number in 0..files {
        write(&format!("usr/share/sampled/part{number}"), &"text\n".repeat(100), 0o644);
    }
    let archive = lab.path("packages/sampled_1.0_all.deb");
    let built = Command::new("dpkg-deb")
        .args(["--build", "--root-owner-group", "-Zgzip"])
        .args([&tree, &archive])
        .output()
        .expect("dpkg is there");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}
