//! What a node's network has besides pods: addresses for clients, and servers that services talk to.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener},
    process::Stdio,
    thread,
    time::Duration,
};

use super::random::Random;
use crate::pods::Node;

/// Where clients come from, unless a life says otherwise: private addresses outside the pods' network.
pub(super) const CLIENTS: &str = "172.16.0.0/12";

/// Where the servers are that services talk to.
const SERVERS: &str = "10.90.0.0/16";

/// A server of HTTP that nginx passes requests on to.
pub(super) const UPSTREAM: &str = "10.90.0.5:9000";

/// Makes all addresses of these networks the node's own, without listing them one by one.
pub(super) fn set_up(node: &Node) {
    for network in [CLIENTS, SERVERS] {
        let added = node
            .command("/usr/bin/busybox")
            .args(["ip", "route", "add", "local", network, "dev", "lo"])
            .stderr(Stdio::inherit())
            .status();
        assert!(added.expect("busybox runs").success(), "{network} cannot be made the node's own");
    }
}

/// An address of [`CLIENTS`].
pub(super) fn client(random: &mut Random) -> Ipv4Addr {
    let part = |random: &mut Random, least, most| {
        u8::try_from(random.between(least, most)).expect("less than 256")
    };
    let [b, c, d] = [(16, 31), (0, 255), (1, 254)].map(|(least, most)| part(random, least, most));
    Ipv4Addr::new(172, b, c, d)
}

/// Serves at [`UPSTREAM`] until the process ends: what is asked for says how much comes.
pub(super) fn serve_upstream(node: &Node) {
    let listener = node.in_network(|| TcpListener::bind(UPSTREAM)).expect("the address is free");
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
