//! Images of real programs, made of what Debian's packages put on this machine.

use std::{path::Path, process::Command, sync::OnceLock};

use xtask::oci::{self, Built, Image};

use crate::programs::driftline;

/// The sandbox's image.
pub const PAUSE: &str = "registry.test/pause:1";
/// A shell and the usual tools.
pub const BUSYBOX: &str = "registry.test/shop/busybox:1.35";
/// nginx in the foreground, on port 80.
pub const NGINX: &str = "registry.test/shop/nginx:1.22";
/// Redis, on port 6379, with `redis-cli`.
pub const REDIS: &str = "registry.test/shop/redis:7.0";

const NGINX_CONF: &str = "daemon off; user root; worker_processes 1; pid /run/nginx.pid; error_log /dev/stderr;\n\
    events { worker_connections 64; }\n\
    http { access_log /dev/stdout; client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy;\n\
    fastcgi_temp_path /tmp/fastcgi; uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;\n\
    server { listen 80; root /usr/share/nginx/html; } }\n";

/// The images that every node has.
pub(super) fn all() -> &'static [Built] {
    static IMAGES: OnceLock<Vec<Built>> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let images = [pause(), busybox(BUSYBOX), nginx(), redis()];
        images.map(|image| image.build().expect("images are built in memory")).into()
    })
}

/// The agent's image: the `driftline` binary under test.
pub fn agent() -> &'static Built {
    static AGENT: OnceLock<Built> = OnceLock::new();
    AGENT.get_or_init(|| {
        let image = oci::agent(&driftline(), env!("CARGO_PKG_VERSION")).expect("it was built");
        image.build().expect("images are built in memory")
    })
}

/// An image with a shell and the usual tools, to which more can be added.
pub fn busybox(reference: &str) -> Image {
    let list = Command::new("/usr/bin/busybox").arg("--list").output().expect("busybox runs");
    let applets = String::from_utf8(list.stdout).expect("names");
    let image = base(reference)
        .program("/bin/busybox", Path::new("/usr/bin/busybox"))
        .expect("busybox is here")
        .directory("/tmp", 0o1777)
        .entrypoint(&["/bin/sh"]);
    // As in the published image, one file under many names.
    applets
        .lines()
        .filter(|applet| *applet != "busybox")
        .fold(image, |image, applet| image.hard_link(&format!("/bin/{applet}"), "/bin/busybox"))
}

fn pause() -> Image {
    base(PAUSE)
        .program("/busybox", Path::new("/usr/bin/busybox"))
        .expect("busybox is here")
        .entrypoint(&["/busybox", "sleep", "2147483647"])
}

fn nginx() -> Image {
    // With a shell, as the published images have: what an intruder needs.
    let image = base(NGINX)
        .program("/bin/busybox", Path::new("/usr/bin/busybox"))
        .expect("busybox is here")
        .file("/etc/shadow", 0o600, "root:*:19000:0:99999:7:::\n");
    ["sh", "cat", "id", "wget"]
        .iter()
        .fold(image, |image, tool| image.hard_link(&format!("/bin/{tool}"), "/bin/busybox"))
        .program("/usr/sbin/nginx", Path::new("/usr/sbin/nginx"))
        .expect("nginx is here")
        .file("/etc/nginx/nginx.conf", 0o644, NGINX_CONF)
        .file("/usr/share/nginx/html/index.html", 0o644, "hello\n")
        .directory("/var/log/nginx", 0o755)
        .directory("/tmp", 0o1777)
        .entrypoint(&["/usr/sbin/nginx"])
}

fn redis() -> Image {
    base(REDIS)
        .program("/usr/bin/redis-server", Path::new("/usr/bin/redis-server"))
        .and_then(|image| image.program("/usr/bin/redis-cli", Path::new("/usr/bin/redis-cli")))
        .expect("redis is here")
        .directory("/data", 0o755)
        .directory("/tmp", 0o1777)
        .entrypoint(&["/usr/bin/redis-server", "--protected-mode", "no", "--dir", "/data"])
}

fn base(reference: &str) -> Image {
    Image::new(reference)
        .file(
            "/etc/passwd",
            0o644,
            "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
        )
        .file("/etc/group", 0o644, "root:x:0:\nnogroup:x:65534:\n")
        .directory("/run", 0o755)
}
