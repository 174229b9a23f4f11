//! Where runtimes listen: given by the user, or found where they usually are.

use std::{
    collections::HashSet,
    fmt, fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
    str::FromStr,
};

use thiserror::Error;

/// Where runtimes listen, those that speak the CRI first: they know pods.
const USUAL: &[&str] = &[
    "/run/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/cri-dockerd.sock",
    "/var/run/cri-dockerd.sock",
    "/run/docker.sock",
    "/run/podman/podman.sock",
];

/// Names the directory that shows the host's files, such as `/host`, for an agent in a container.
const HOST_ROOT: &str = "DRIFTLINE_HOST_ROOT";

/// A runtime's Unix socket. Which API is spoken there is found out by asking.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Endpoint {
    path: PathBuf,
}

/// Why a `--runtime-endpoint` cannot be one.
#[derive(Debug, Error, Eq, PartialEq)]
pub enum InvalidEndpoint {
    #[error(
        "the runtime endpoint {0:?} is not a Unix socket's address: write unix:///run/containerd/containerd.sock"
    )]
    Scheme(String),
    #[error(
        "the runtime endpoint {0:?} has no absolute path: write unix:// and then the path from / on"
    )]
    Relative(String),
    #[error("the path of the runtime endpoint {0:?} has {1} bytes; Unix sockets have at most 107")]
    TooLong(String, usize),
}

impl Endpoint {
    /// The endpoint at a socket's absolute path.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    /// `unix:///run/x.sock`, `unix:/run/x.sock` or `/run/x.sock`.
    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let path = match text.strip_prefix("unix://").or_else(|| text.strip_prefix("unix:")) {
            Some(path) => path,
            None if text.starts_with('/') => text,
            None => return Err(InvalidEndpoint::Scheme(text.to_owned())),
        };
        if !path.starts_with('/') || path.ends_with('/') {
            return Err(InvalidEndpoint::Relative(text.to_owned()));
        }
        if path.len() > 107 {
            return Err(InvalidEndpoint::TooLong(text.to_owned(), path.len()));
        }
        Ok(Self::at(path))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix://{}", self.path.display())
    }
}

/// Looks for runtimes' sockets where they usually are.
#[derive(Clone, Debug)]
pub struct Discovery {
    candidates: Vec<PathBuf>,
}

impl Discovery {
    /// The usual places, and the same below the host's root if `DRIFTLINE_HOST_ROOT` names it.
    pub fn usual() -> Self {
        Self::below(std::env::var_os(HOST_ROOT).map(PathBuf::from).as_deref())
    }

    fn below(host_root: Option<&Path>) -> Self {
        let on_host = host_root
            .into_iter()
            .flat_map(|root| USUAL.iter().map(move |path| root.join(path.trim_start_matches('/'))));
        let candidates = USUAL.iter().map(PathBuf::from).chain(on_host).collect();
        Self { candidates }
    }

    /// Only these places.
    pub fn of(candidates: Vec<PathBuf>) -> Self {
        Self { candidates }
    }

    /// The sockets that are there now. One that goes by two names (`/var/run` is `/run`) is found once.
    pub fn look(&self) -> Vec<Endpoint> {
        let mut seen = HashSet::new();
        let is_new_socket = |path: &&PathBuf| match fs::metadata(path) {
            Ok(meta) => meta.file_type().is_socket() && seen.insert((meta.dev(), meta.ino())),
            // It may be one that this user may not look at; connecting will say so.
            Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
        };
        self.candidates.iter().filter(is_new_socket).map(Endpoint::at).collect()
    }
}

impl fmt::Display for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, path) in self.candidates.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}", path.display())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn an_endpoint_is_a_unix_sockets_address() {
        for text in ["unix:///run/x.sock", "unix:/run/x.sock", "/run/x.sock"] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.to_string(), "unix:///run/x.sock", "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_a_reason() {
        let why = |text: &str| text.parse::<Endpoint>().unwrap_err().to_string();
        for text in
            ["", "http://localhost:2375", "tcp://[::1]:10010", "containerd", "npipe:////./pipe/x"]
        {
            assert!(
                why(text).contains("write unix:///run/containerd/containerd.sock"),
                "{}",
                why(text)
            );
        }
        for text in ["unix://", "unix://run/x.sock", "unix:///run/", "unix:///"] {
            assert!(why(text).contains("no absolute path"), "{}", why(text));
        }
        assert!(why(&format!("unix:///{}", "x".repeat(107))).contains("has 108 bytes"));
    }

    #[test]
    fn sockets_are_found_once_and_other_files_not() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let discovery = Discovery::of(["none", "file", "b.sock", "a.sock", "link"].map(at).into());
        assert_eq!(discovery.look(), []);
        fs::write(at("file"), "").unwrap();
        let _listeners = ["a.sock", "b.sock"].map(|name| UnixListener::bind(at(name)).unwrap());
        std::os::unix::fs::symlink(at("a.sock"), at("link")).unwrap();
        assert_eq!(discovery.look(), ["b.sock", "a.sock"].map(|name| Endpoint::at(at(name))));
    }

    #[test]
    fn the_hosts_sockets_are_looked_for_below_its_root() {
        let places = Discovery::below(Some(Path::new("/host"))).to_string();
        for place in [
            "/run/crio/crio.sock, ",
            "/host/run/crio/crio.sock, ",
            "/host/var/run/cri-dockerd.sock",
        ] {
            assert!(places.contains(place), "{places}");
        }
        assert!(!Discovery::below(None).to_string().contains("/host/"));
    }
}
