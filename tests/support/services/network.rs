//! What a node's network has besides pods: addresses for clients, and servers that services talk to.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener},
    process::Stdio,
    thread,
    time::Duration,
};

use serde_json::json;

use super::random::Random;
use crate::pods::Node;

/// Who is where around a service. Private addresses outside the pods' network, which exist on the node alone.
#[derive(Debug)]
pub struct Surroundings {
    /// Where clients come from.
    clients: [(u8, u8); 4],
    /// A server of HTTP that services ask.
    pub upstream: &'static str,
    /// The subnet that it is in.
    servers: &'static str,
}

/// What services are recorded in.
pub static HERE: Surroundings = Surroundings {
    clients: [(172, 172), (16, 31), (0, 255), (1, 254)],
    upstream: "10.90.0.5:9000",
    servers: "10.90.0.0/16",
};

/// Another environment: nothing has the address that it has [`HERE`].
pub static ELSEWHERE: Surroundings = Surroundings {
    clients: [(192, 192), (168, 168), (0, 255), (1, 254)],
    upstream: "10.91.3.7:9000",
    servers: "10.91.0.0/16",
};

/// The networks of both.
const NETWORKS: &[&str] = &["172.16.0.0/12", "192.168.0.0/16", "10.90.0.0/16", "10.91.0.0/16"];

impl Surroundings {
    /// The bind file for watching in these what was recorded in [`HERE`]; none where that is the same.
    pub(super) fn bind(&self) -> Option<String> {
        let map = json!([{"from": HERE.servers, "to": self.servers}]);
        let file = json!({"schema_version": "driftline.bind/v1", "map": map});
        (self.servers != HERE.servers).then(|| file.to_string())
    }

    /// A client's address.
    pub(super) fn client(&self, random: &mut Random) -> Ipv4Addr {
        Ipv4Addr::from(self.clients.map(|(least, most)| {
            let part = random.between(least.into(), most.into());
            u8::try_from(part).expect("between two bytes")
        }))
    }
}

/// Makes all these addresses the node's own, without listing them one by one, and serves on those that services ask.
pub(super) fn set_up(node: &Node) {
    for network in NETWORKS {
        let added = node
            .command("/usr/bin/busybox")
            .args(["ip", "route", "add", "local", network, "dev", "lo"])
            .stderr(Stdio::inherit())
            .status();
        assert!(added.expect("busybox runs").success(), "{network} cannot be made the node's own");
    }
    for surroundings in [&HERE, &ELSEWHERE] {
        serve(node, surroundings.upstream);
    }
}

/// Serves until the process ends: what is asked for says how much comes.
fn serve(node: &Node, address: &'static str) {
    let listener = node.in_network(|| TcpListener::bind(address)).expect("the address is free");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || {
                let _slow = stream.set_read_timeout(Some(Duration::from_secs(10)));
                let mut request = [0; 4096];
                let Ok(length) = stream.read(&mut request) else { return };
                let path = String::from_utf8_lossy(&request[..length]);
                let path = path.split(' ').nth(1).unwrap_or_default().to_owned();
                let (status, size) = match path.rsplit_once("size=") {
                    _ if path.contains("missing") => ("404 Not Found", 20),
                    Some((_, size)) => ("200 OK", size.parse().unwrap_or(100)),
                    None => ("200 OK", 100),
                };
                let head = format!(
                    "HTTP/1.0 {status}\r\nContent-Type: text/plain\r\nContent-Length: {size}\r\n\r\n"
                );
                let body = vec![b'u'; size];
                let _gone =
                    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            });
        }
    });
}
