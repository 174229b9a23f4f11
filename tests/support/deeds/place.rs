//! Where deviations happen: the files, sockets and ports that they need lie ready before driftline starts.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt as _, net::UnixListener},
    path::{Path, PathBuf},
};

use super::words::word;
use crate::{Lab, actor, tiny::PROGRAM};

/// Directories of the place.
const DIRECTORIES: &[&str] =
    &["delete", "link", "map", "mode", "new-name", "program", "read", "rename", "unix", "write"];

/// What the routine needs: a directory, a name in it.
const KNOWN: &[(&str, &str)] = &[
    ("delete", "known"),
    ("link", "known"),
    ("map", "known"),
    ("mode", "known"),
    ("read", "known"),
    ("rename", "known"),
];

pub struct Place {
    root: PathBuf,
    /// Held open: connected to, never accepted from.
    listeners: Vec<TcpListener>,
    unix: Vec<UnixListener>,
    /// The next port to try, below those that the kernel picks from.
    port: u16,
    /// Files that the routine reads, and how many of them were given away.
    known: Vec<String>,
    taken: usize,
    known_port: u16,
}

impl Place {
    /// `known`: how many files the routine reads.
    pub fn new(lab: &Lab, known: usize) -> Self {
        let root = lab.path("deeds");
        let path = |number| root.join("map").join(word(number)).to_str().expect("UTF-8").to_owned();
        let known = (0..known).map(path).collect();
        let mut place = Self {
            root,
            listeners: Vec::new(),
            unix: Vec::new(),
            port: 12_000,
            known,
            taken: 0,
            known_port: 0,
        };
        place.known_port = place.next_port();
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback");
        place.listeners.push(listener);
        place
    }

    /// As before the first run.
    pub fn reset(&mut self) {
        let _absent = fs::remove_dir_all(&self.root);
        self.unix.clear();
        for directory in DIRECTORIES {
            fs::create_dir_all(self.root.join(directory)).expect("the lab is ours");
        }
        for (directory, name) in KNOWN {
            self.file(directory, name);
        }
        self.program("known");
        self.unix_listener("known");
        for path in &self.known {
            fs::write(path, "x").expect("the lab is ours");
        }
    }

    /// The actor's plan without a deviation: one of each kind that is known.
    pub fn routine(&self) -> String {
        let at = |directory: &str, name: &str| self.path(directory, name);
        let peer = self.listeners[0].local_addr().expect("bound");
        let mut steps = vec![
            "within-seconds 7200".to_owned(),
            format!("run {}", self.known_program()),
            format!("read {}", at("read", "known")),
            format!("write {}", at("write", "known")),
            format!("delete {}", at("delete", "known")),
            format!("mode 0600 {}", at("mode", "known")),
            format!("link {} {}", at("link", "known"), at("new-name", "link")),
            format!("symlink known {}", at("new-name", "symlink")),
            format!("rename {} {}", at("rename", "known"), at("new-name", "rename")),
            format!("map {}", at("map", "known")),
            format!("connect {peer}"),
            format!("open-port 127.0.0.1:{}", self.known_port),
            format!("unix {}", at("unix", "known")),
            "sleep-ms 10".to_owned(),
        ];
        steps.extend(self.known.iter().map(|file| format!("read {file}")));
        steps.join("\n") + "\n"
    }

    /// The actor, as events name it.
    pub(super) fn actor() -> String {
        let actor = fs::canonicalize(actor()).expect("the actor is there");
        actor.to_str().expect("UTF-8").to_owned()
    }

    /// Files that mean something, and that the actor does not read by itself.
    pub(super) fn secrets(most: usize) -> Vec<String> {
        let read = ["/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/localtime"];
        let mut files = Vec::new();
        collect(Path::new("/etc"), &mut files);
        files.retain(|file| !read.contains(&file.as_str()) && !file.contains(['{', ' ']));
        files.sort();
        // The password hashes first.
        files.sort_by_key(|file| file != "/etc/shadow");
        files.truncate(most);
        files
    }

    pub(super) fn file(&self, directory: &str, name: &str) -> String {
        let path = self.path(directory, name);
        fs::write(&path, "x").expect("the lab is ours");
        path
    }

    /// Which is not there yet.
    pub(super) fn no_file(&self, directory: &str, name: &str) -> String {
        self.path(directory, name)
    }

    /// Which the routine reads: only what else is done to it is new.
    pub(super) fn known_file(&mut self) -> Option<String> {
        self.taken += 1;
        self.known.get(self.taken - 1).cloned()
    }

    pub(super) fn program(&self, name: &str) -> String {
        let path = self.path("program", name);
        fs::write(&path, PROGRAM).expect("the lab is ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        path
    }

    /// Which reads nothing, whatever it is told.
    pub(super) fn known_program(&self) -> String {
        self.path("program", "known")
    }

    pub(super) fn listener(&mut self) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback");
        let address = listener.local_addr().expect("bound").to_string();
        self.listeners.push(listener);
        address
    }

    pub(super) fn free_port(&mut self) -> String {
        format!("127.0.0.1:{}", self.next_port())
    }

    fn next_port(&mut self) -> u16 {
        loop {
            self.port += 1;
            if TcpListener::bind(("127.0.0.1", self.port)).is_ok() {
                return self.port;
            }
        }
    }

    pub(super) fn unix_listener(&mut self, name: &str) -> String {
        let path = self.path("unix", name);
        self.unix.push(UnixListener::bind(&path).expect("the lab is ours"));
        path
    }

    fn path(&self, directory: &str, name: &str) -> String {
        self.root.join(directory).join(name).to_str().expect("UTF-8").to_owned()
    }
}

/// Every plain file below a directory.
fn collect(directory: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().expect("readable"));
        if kind.is_dir() {
            collect(&path, files);
        } else if kind.is_file() {
            files.extend(path.to_str().map(str::to_owned));
        }
    }
}
