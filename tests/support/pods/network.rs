//! The node's network: a bridge for its pods inside its own network namespace.

use std::{
    fs,
    io::{Read, Write},
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
        let address: SocketAddr = address.parse().expect("an address with a port");
        self.in_network(|| {
            let end = Instant::now() + Duration::from_secs(20);
            loop {
                match TcpStream::connect_timeout(&address, Duration::from_secs(2)) {
                    Ok(stream) => return stream,
                    Err(_) if Instant::now() < end => thread::sleep(Duration::from_millis(20)),
                    Err(error) => panic!("nobody listens on {address}: {error}"),
                }
            }
        })
    }

    /// `GET http://ADDRESS/PATH` from the node: the status and the body.
    pub fn get(&self, address: &str, path: &str) -> (u16, String) {
        self.http("GET", address, path, "")
    }

    /// `POST http://ADDRESS/PATH` of JSON from the node: the status and the body.
    pub fn post(&self, address: &str, path: &str, json: &str) -> (u16, String) {
        self.http("POST", address, path, json)
    }

    fn http(&self, method: &str, address: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = self.connect(address);
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("not zero");
        let length = body.len();
        // Version 1.0: the answer comes in one piece and ends with the connection.
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .expect("the peer reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the peer answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer of HTTP");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), body.to_owned())
    }
}
