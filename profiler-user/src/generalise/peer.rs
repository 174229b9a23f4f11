//! Network peers. These are compared by equality: a port that a program chose must never match `{ephemeral}`.

use std::net::{IpAddr, SocketAddr};

use crate::behaviour::{Accept, Connect, Listen, Protocol, canonical};

/// An object as seen and as generalised.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Peer {
    pub object: String,
    pub pattern: String,
}

/// `tcp 10.0.0.7:5432`
pub fn connect(connect: &Connect) -> Peer {
    end(connect.protocol, connect.peer, connect.port_chosen)
}

/// `tcp 0.0.0.0:8080`, or `tcp 0.0.0.0:{ephemeral}` where the kernel picked the port.
pub fn listen(listen: &Listen) -> Peer {
    end(listen.protocol, listen.local, listen.port_chosen)
}

fn end(protocol: Protocol, address: SocketAddr, port_chosen: bool) -> Peer {
    let address = plain(address);
    let host = match address.ip() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    ported(address.port(), port_chosen, |port| format!("{protocol} {host}:{port}"))
}

/// `tcp :8080 from 10.0.0.9`: which address of ours was asked and from which port says nothing about the program.
pub fn accept(accept: &Accept) -> Peer {
    let peer = canonical(accept.peer.ip());
    let at = |port: &str| format!("{} :{port} from {peer}", accept.protocol);
    ported(accept.local.port(), accept.port_chosen, at)
}

fn ported(port: u16, chosen: bool, at: impl Fn(&str) -> String) -> Peer {
    let object = at(&port.to_string());
    let pattern = if chosen { object.clone() } else { at("{ephemeral}") };
    Peer { object, pattern }
}

/// Without an IPv6 scope or flow, which are numbers of this host.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(canonical(address.ip()), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_connection_is_its_address_and_port() {
        let to = |peer| Connect {
            protocol: Protocol::Tcp,
            peer: address(peer),
            datagram: false,
            port_chosen: true,
            name: None,
        };
        assert_eq!(connect(&to("10.0.0.7:5432")).pattern, "tcp 10.0.0.7:5432");
        assert_eq!(connect(&to("[::ffff:10.0.0.7]:5432")).pattern, "tcp 10.0.0.7:5432");
        assert_eq!(connect(&to("[fe80::1%3]:80")).pattern, "tcp [fe80::1]:80");
    }

    #[test]
    fn a_port_is_ephemeral_only_when_the_kernel_picked_it() {
        let on = |local, port_chosen| {
            listen(&Listen { protocol: Protocol::Tcp, local: address(local), port_chosen })
        };
        assert_eq!(on("0.0.0.0:8080", true).pattern, "tcp 0.0.0.0:8080");
        assert_eq!(on("[::]:43210", false).pattern, "tcp [::]:{ephemeral}");
        assert_eq!(on("[::]:43210", false).object, "tcp [::]:43210");
    }

    #[test]
    fn an_accepted_peer_has_no_port() {
        let accepted = accept(&Accept {
            protocol: Protocol::Tcp,
            local: address("127.0.0.1:8080"),
            port_chosen: true,
            peer: address("127.0.0.1:51515"),
        });
        assert_eq!(accepted.pattern, "tcp :8080 from 127.0.0.1");
    }
}
