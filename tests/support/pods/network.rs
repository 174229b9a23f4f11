//! The node's network: a bridge for its pods inside its own network namespace.

use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    os::fd::AsFd,
    path::Path,
    process::Stdio,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use nix::sched::{CloneFlags, setns};
use serde_json::json;

use super::node::Node;

/// Where the runtime finds its network configuration.
pub(super) const CONFIGURATION: &str = "/run/cni/net.d";

/// Addresses of a node's pods. They exist only in the node's namespace: only nodes that are [joined](join) need different ones.
pub(super) fn subnet(number: u8) -> String {
    format!("10.{}.0.0/16", 88 + number)
}

pub(super) fn configure(run: &Path, number: u8) {
    let directory = run.join("cni/net.d");
    fs::create_dir_all(&directory).expect("the node's directory is writable");
    let list = json!({
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [{
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": true,
            "ipMasq": false,
            "ipam": {
                "type": "host-local",
                "ranges": [[{ "subnet": subnet(number) }]],
                "routes": [{ "dst": "0.0.0.0/0" }],
            },
        }],
    });
    fs::write(directory.join("10-pods.conflist"), list.to_string()).expect("writable");
}

/// Lays a cable between two nodes, so that pods of both reach each other by their own addresses.
pub fn join(one: &Node, other: &Node) {
    // A bridge as for pods, with the other node in the pod's place.
    let link = json!({
        "cniVersion": "0.4.0",
        "name": "cable",
        "type": "bridge",
        "bridge": "cable",
        "isGateway": true,
        "ipam": {
            "type": "host-local",
            "ranges": [[{ "subnet": "10.87.0.0/30" }]],
            "routes": [{ "dst": subnet(one.number) }],
        },
    });
    let mut plugin = one
        .command("/usr/lib/cni/bridge")
        .envs([("CNI_COMMAND", "ADD"), ("CNI_CONTAINERID", "cable"), ("CNI_IFNAME", "cable")])
        .env("CNI_NETNS", other.network_path())
        .env("CNI_PATH", "/usr/lib/cni")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the plugin runs");
    let mut stdin = plugin.stdin.take().expect("it was asked for");
    stdin.write_all(link.to_string().as_bytes()).expect("the plugin reads");
    drop(stdin);
    let laid = plugin.wait_with_output().expect("a child");
    let said = String::from_utf8_lossy(&laid.stdout);
    assert!(laid.status.success(), "{said}");
    let words = ["ip", "route", "add", &subnet(other.number), "via", "10.87.0.2"];
    let routed = one.command("busybox").args(words).status().expect("busybox runs");
    assert!(routed.success(), "{said}");
}

impl Node {
    /// Runs something on a thread that has the node's network.
    pub fn in_network<T: Send>(&self, action: impl FnOnce() -> T + Send) -> T {
        let namespaces = Arc::clone(&self.namespaces);
        thread::scope(|scope| {
            let inside = scope.spawn(move || {
                setns(namespaces.network.as_fd(), CloneFlags::CLONE_NEWNET).expect("as root");
                action()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Connects from the node as soon as somebody listens, for at most 20 seconds.
    pub fn connect(&self, address: &str) -> TcpStream {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            match self.try_connect(address) {
                Ok(stream) => return stream,
                Err(_) if Instant::now() < end => thread::sleep(Duration::from_millis(20)),
                Err(error) => panic!("nobody listens on {address}: {error}"),
            }
        }
    }

    fn try_connect(&self, address: &str) -> io::Result<TcpStream> {
        let address: SocketAddr = address.parse().expect("an address with a port");
        self.in_network(|| TcpStream::connect_timeout(&address, Duration::from_secs(2)))
    }

    /// `GET http://ADDRESS/PATH` from the node, as soon as somebody listens: the status and the body.
    pub fn get(&self, address: &str, path: &str) -> (u16, String) {
        converse(self.connect(address), &request("GET", address, path, ""))
            .unwrap_or_else(|error| panic!("http://{address}{path}: {error}"))
    }

    /// `POST http://ADDRESS/PATH` of JSON from the node, as soon as somebody listens: the status and the body.
    pub fn post(&self, address: &str, path: &str, json: &str) -> (u16, String) {
        converse(self.connect(address), &request("POST", address, path, json))
            .unwrap_or_else(|error| panic!("http://{address}{path}: {error}"))
    }

    /// `GET http://ADDRESS/PATH` from the node, now.
    pub fn try_get(&self, address: &str, path: &str) -> io::Result<(u16, String)> {
        converse(self.try_connect(address)?, &request("GET", address, path, ""))
    }
}

/// A request of version 1.0: the answer comes in one piece and ends with the connection.
fn request(method: &str, address: &str, path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

/// Asks, and gives the answer's status and body.
fn converse(mut stream: TcpStream, request: &str) -> io::Result<(u16, String)> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let parts = answer
        .split_once("\r\n\r\n")
        .and_then(|(head, body)| Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned())));
    parts.ok_or_else(|| io::Error::other(format!("no answer of HTTP: {answer:?}")))
}
