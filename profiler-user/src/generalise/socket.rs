//! Sorts of sockets, and the names of Unix sockets.

use super::peer::Peer;
use super::{escape, generalise_path};
use crate::behaviour::Socket;

/// `inet stream`, `inet raw icmp`, `packet raw`, `netlink route`: the protocol where it says more than the type does.
pub fn socket(socket: Socket) -> Peer {
    let family = family(socket.family);
    let sort = match (socket.family, protocol(socket)) {
        // Its type says nothing.
        (NETLINK, protocol) => format!("{family} {}", protocol.unwrap_or_default()),
        (_, Some(protocol)) => format!("{family} {} {protocol}", kind(socket.kind)),
        (_, None) => format!("{family} {}", kind(socket.kind)),
    };
    Peer::plain(sort.clone(), sort)
}

/// The pattern of a Unix socket's name. The kernel gives a socket that asks for any abstract name five hexadecimal digits.
pub fn unix_peer(name: &str) -> String {
    match name.strip_prefix('@') {
        Some(digits) if is_automatic(digits) => "@{hex:5}".to_owned(),
        Some(_) => escape(name),
        None => generalise_path(name),
    }
}

fn is_automatic(name: &str) -> bool {
    name.len() == 5 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

const UNIX: u32 = 1;
const INET: u32 = 2;
const INET6: u32 = 10;
const NETLINK: u32 = 16;
const PACKET: u32 = 17;

fn family(family: u32) -> String {
    let name = match family {
        UNIX => "unix",
        INET => "inet",
        INET6 => "inet6",
        15 => "key",
        NETLINK => "netlink",
        PACKET => "packet",
        21 => "rds",
        29 => "can",
        30 => "tipc",
        31 => "bluetooth",
        38 => "alg",
        40 => "vsock",
        42 => "qipcrtr",
        43 => "smc",
        44 => "xdp",
        other => return format!("family-{other}"),
    };
    name.to_owned()
}

const STREAM: u32 = 1;
const DGRAM: u32 = 2;

fn kind(kind: u32) -> String {
    let name = match kind {
        STREAM => "stream",
        DGRAM => "dgram",
        3 => "raw",
        4 => "rdm",
        5 => "seqpacket",
        10 => "packet",
        other => return format!("type-{other}"),
    };
    name.to_owned()
}

fn protocol(socket: Socket) -> Option<String> {
    let Socket { family, kind, protocol } = socket;
    let name = match (family, kind, protocol) {
        (NETLINK, ..) => return Some(netlink(protocol)),
        // A packet's ethertype; what a Unix socket is asked for is ignored.
        (PACKET | UNIX, ..) | (_, _, 0) | (INET | INET6, STREAM, 6) | (INET | INET6, DGRAM, 17) => {
            return None;
        }
        (INET | INET6, _, 1) => "icmp",
        (INET | INET6, _, 6) => "tcp",
        (INET | INET6, _, 17) => "udp",
        (INET | INET6, _, 58) => "icmpv6",
        (INET | INET6, _, 132) => "sctp",
        (INET | INET6, _, 136) => "udplite",
        (INET | INET6, _, 255) => "any",
        (INET | INET6, _, 262) => "mptcp",
        _ => return Some(format!("protocol-{protocol}")),
    };
    Some(name.to_owned())
}

fn netlink(protocol: u32) -> String {
    let name = match protocol {
        0 => "route",
        4 => "sock_diag",
        6 => "xfrm",
        7 => "selinux",
        9 => "audit",
        10 => "fib_lookup",
        11 => "connector",
        12 => "netfilter",
        15 => "uevent",
        16 => "generic",
        20 => "rdma",
        21 => "crypto",
        other => return format!("protocol-{other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_its_family_type_and_what_the_protocol_adds() {
        for (family, kind, protocol, expected) in [
            (1, 1, 0, "unix stream"),
            (2, 1, 0, "inet stream"),
            (2, 1, 6, "inet stream"),
            (2, 1, 262, "inet stream mptcp"),
            (10, 2, 17, "inet6 dgram"),
            (2, 2, 1, "inet dgram icmp"),
            (2, 3, 1, "inet raw icmp"),
            (2, 3, 6, "inet raw tcp"),
            (17, 3, 768, "packet raw"),
            (16, 3, 0, "netlink route"),
            (16, 2, 0, "netlink route"),
            (16, 3, 99, "netlink protocol-99"),
            (38, 5, 0, "alg seqpacket"),
            (99, 7, 3, "family-99 type-7 protocol-3"),
        ] {
            let found = socket(Socket { family, kind, protocol });
            assert_eq!((found.object.as_str(), found.pattern.as_str()), (expected, expected));
        }
    }

    #[test]
    fn a_name_that_the_kernel_chose_is_a_pattern() {
        assert_eq!(unix_peer("@0a1b2"), "@{hex:5}");
        assert_eq!(unix_peer("@bus"), "@bus");
        assert_eq!(unix_peer("@{x}"), escape("@{x}"));
        assert_eq!(unix_peer("/tmp/tmpabcdefgh"), "/tmp/tmp{rand:8}");
        assert_eq!(unix_peer("/run/docker.sock"), "/run/docker.sock");
    }
}
