//! The server of the demo: Debian's nginx, a few pages, and a calculator with a hole in it.

use std::ffi::OsString;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

const CONFIG: &str = include_str!("site/nginx.conf");
const CALCULATOR: &str = include_str!("site/Calculator.pm");

const PAGES: &[(&str, &str)] = &[
    ("index.html", "<!doctype html><title>Shop</title><link rel=stylesheet href=style.css>\n"),
    ("style.css", "body { font: 16px sans-serif }\n"),
    ("prices.json", "{\"apple\": 3, \"pear\": 4}\n"),
];

/// What visitors ask for, and the status they get.
pub(super) const VISITS: &[(&str, u16)] = &[
    ("/", 200),
    ("/style.css", 200),
    ("/prices.json", 200),
    ("/calc?6*7", 200),
    ("/calc?(3%2B4)*12", 200),
    ("/missing.html", 404),
];

const PROGRAMS: &[&str] = &["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"];
const MODULES: &[&str] = &[
    "/usr/lib/nginx/modules/ngx_http_perl_module.so",
    "/usr/lib64/nginx/modules/ngx_http_perl_module.so",
    "/usr/share/nginx/modules/ngx_http_perl_module.so",
];

pub(super) struct Server {
    pub(super) port: u16,
    program: &'static str,
    dir: PathBuf,
}

impl Server {
    /// Writes the site below `dir`.
    pub(super) fn prepare(dir: &Path) -> Result<Self> {
        let program = installed(PROGRAMS)?;
        let module = installed(MODULES)?;
        // nginx.conf has no quoting that copes with everything; the demo's own directory is tame.
        let text = dir.to_str().context("the demo's directory has a name that is not UTF-8")?;
        let port = free_port(18_080)?;
        let config = CONFIG
            .replace("@DIR@", text)
            .replace("@MODULE@", module)
            .replace("@PORT@", &port.to_string());
        std::fs::write(dir.join("nginx.conf"), config)?;
        std::fs::write(dir.join("Calculator.pm"), CALCULATOR)?;
        let html = dir.join("html");
        std::fs::create_dir(&html)?;
        for (name, text) in PAGES {
            std::fs::write(html.join(name), text)?;
        }
        Ok(Self { port, program, dir: dir.to_owned() })
    }

    pub(super) fn command(&self) -> [OsString; 7] {
        [
            self.program.into(),
            "-e".into(),
            self.dir.join("error.log").into(),
            "-p".into(),
            self.dir.clone().into(),
            "-c".into(),
            self.config().into(),
        ]
    }

    pub(super) fn config(&self) -> PathBuf {
        self.dir.join("nginx.conf")
    }

    /// Of nginx's first process, while it runs.
    pub(super) fn pid(&self) -> Option<i32> {
        std::fs::read_to_string(self.dir.join("nginx.pid")).ok()?.trim().parse().ok()
    }
}

/// The first port from `from` on that nobody uses. Below the range that the kernel picks from, so
/// that no client's connection takes it between two runs.
pub(super) fn free_port(from: u16) -> Result<u16> {
    (from..from + 100)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .with_context(|| format!("ports {from} to {} are all in use", from + 99))
}

fn installed(candidates: &[&'static str]) -> Result<&'static str> {
    candidates.iter().copied().find(|path| Path::new(path).exists()).context(
        "the demo needs nginx and its Perl module: run `apt-get install nginx \
         libnginx-mod-http-perl`, or `cargo xtask demo`, which does that itself",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_nginx_the_demo_says_what_to_install() {
        let error = installed(&["/nonexistent"]).unwrap_err().to_string();
        assert!(error.contains("apt-get install nginx libnginx-mod-http-perl"), "{error}");
    }
}
