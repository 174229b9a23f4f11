//! The node's network: a bridge for its pods inside its own network namespace.

use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    os::fd::AsFd,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use nix::sched::{CloneFlags, setns};
use serde_json::json;

use super::node::Node;

/// Where the runtime finds its network configuration.
pub(super) const CONFIGURATION: &str = "/run/cni/net.d";

/// Addresses that exist only in the node's namespace, so every node can have the same.
const SUBNET: &str = "10.88.0.0/16";

pub(super) fn configure(run: &Path) {
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
                "ranges": [[{ "subnet": SUBNET }]],
                "routes": [{ "dst": "0.0.0.0/0" }],
            },
        }],
    });
    fs::write(directory.join("10-pods.conflist"), list.to_string()).expect("writable");
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
