//! Network peers: by name, by pod, by address, and by the class of many addresses.
//!
//! A peer is named by the first that is known of it: the name that a name server gave this container for the address, the
//! pod of this node that has it, the address. It is looked up by each of them, and by the class that many addresses may
//! have become. A port that a program chose never equals `{ephemeral}`.

use std::net::{IpAddr, SocketAddr};

use super::address::{class, is_literal};
use super::host;
use crate::behaviour::{Accept, Connect, Listen, Protocol, canonical};

/// An object as seen and as generalised.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Peer {
    pub object: String,
    pub pattern: String,
    /// What patterns are matched with.
    pub value: String,
    /// What else it may be known by, with the value of each.
    pub others: Vec<(String, String)>,
}

impl Peer {
    /// One that has a single name.
    pub(super) fn plain(object: String, pattern: String) -> Self {
        Self { object, value: pattern.clone(), pattern, others: Vec::new() }
    }

    /// `names`: the best first.
    fn named(object: String, mut names: Vec<(String, String)>) -> Self {
        let others = names.split_off(1.min(names.len()));
        let (pattern, value) = names.pop().unwrap_or_else(|| (object.clone(), object.clone()));
        Self { object, pattern, value, others }
    }
}

/// `tcp db.example.com:5432`, `tcp pod:shop/db:5432`, `tcp 10.0.0.7:5432`, `tcp {private}:9090`
pub fn connect(connect: &Connect) -> Peer {
    let Connect { protocol, peer, port_chosen, named, .. } = connect;
    let own = end(*protocol, *peer, *port_chosen);
    let address = canonical(peer.ip());
    if !port_chosen || is_literal(address) {
        return own;
    }
    let port = peer.port();
    let to = |whom: &str| format!("{protocol} {whom}:{port}");
    let hosts = named.names.iter().filter(|name| is_host(name));
    let hosts = hosts.map(|name| (to(&host(name)), to(name)));
    let same = |key: String| (key.clone(), key);
    let pod = named.pod.as_deref().map(|pod| same(to(&format!("{POD}{pod}"))));
    let class = class(address).map(|class| same(to(class)));
    let names = hosts.chain(pod).chain([(own.pattern, own.value)]).chain(class).collect();
    Peer::named(own.object, names)
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
    let at = |port: &str| format!("{protocol} {host}:{port}");
    Peer::plain(at(&address.port().to_string()), ported(address.port(), port_chosen, at))
}

/// `tcp :8080 from 10.0.0.9`, `tcp :8080 from pod:shop/web`, `tcp :8080 from {private}`: which address of ours was asked
/// and from which port says nothing about the program. Whom this container calls by a name is another matter than who comes.
pub fn accept(accept: &Accept) -> Peer {
    let peer = canonical(accept.peer.ip());
    let (protocol, number) = (accept.protocol, accept.local.port());
    let from = |whom: &str| {
        ported(number, accept.port_chosen, |port| format!("{protocol} :{port} from {whom}"))
    };
    let object = format!("{protocol} :{number} from {peer}");
    let pod = accept.pod.as_deref().filter(|_| !is_literal(peer));
    let pod = pod.map(|pod| from(&format!("{POD}{pod}")));
    let class = class(peer).map(from);
    let names = pod.into_iter().chain([from(&peer.to_string())]).chain(class);
    Peer::named(object, names.map(|name| (name.clone(), name)).collect())
}

/// Before a pod's namespace and workload.
const POD: &str = "pod:";

fn ported(port: u16, chosen: bool, at: impl Fn(&str) -> String) -> String {
    if chosen { at(&port.to_string()) } else { at("{ephemeral}") }
}

/// Whether a name may stand for an address. Anything may be asked of a name server: what reads as another address, or as
/// something else that a baseline holds, may not.
pub fn is_host(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && name.bytes().all(plain) && name.parse::<IpAddr>().is_err()
}

/// Without an IPv6 scope or flow, which are numbers of this host.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(canonical(address.ip()), address.port())
}

/// A peer's or a listener's entry, taken apart: whose end it is, between what stands before and behind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct End<'a> {
    /// `tcp `, `tcp :80 from `
    pub before: &'a str,
    /// Without brackets.
    pub host: &'a str,
    /// `:5432`, or nothing.
    pub behind: &'a str,
}

impl<'a> End<'a> {
    pub fn of(key: &'a str) -> Option<Self> {
        let start = key.rfind(' ')? + 1;
        let (before, rest) = key.split_at(start);
        if before.ends_with(" from ") {
            return Some(Self { before, host: rest, behind: "" });
        }
        let (host, _) = rest.rsplit_once(':')?;
        let behind = &rest[host.len()..];
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        Some(Self { before, host: bare.unwrap_or(host), behind })
    }

    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// `shop/db`
    pub fn pod(&self) -> Option<&'a str> {
        self.host.strip_prefix(POD)
    }

    /// The entry with another end.
    pub fn with(&self, host: &str) -> String {
        let Self { before, behind, .. } = self;
        if host.parse::<std::net::Ipv6Addr>().is_ok() && !behind.is_empty() {
            return format!("{before}[{host}]{behind}");
        }
        format!("{before}{host}{behind}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behaviour::Named;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn to(peer: &str, hosts: &[&str], pod: Option<&str>) -> Vec<String> {
        let named = Named {
            names: hosts.iter().map(|host| (*host).into()).collect(),
            pod: pod.map(Into::into),
        };
        let (protocol, peer) = (Protocol::Tcp, address(peer));
        let found = connect(&Connect { protocol, peer, datagram: false, port_chosen: true, named });
        std::iter::once(found.pattern)
            .chain(found.others.into_iter().map(|other| other.0))
            .collect()
    }

    #[test]
    fn a_connection_is_named_by_the_first_that_is_known() {
        assert_eq!(to("10.0.0.7:5432", &[], None), ["tcp 10.0.0.7:5432", "tcp {private}:5432"]);
        assert_eq!(to("[::ffff:10.0.0.7]:5432", &[], None)[0], "tcp 10.0.0.7:5432");
        assert_eq!(to("[fe80::1%3]:80", &[], None), ["tcp [fe80::1]:80"]);
        assert_eq!(
            to("10.0.0.7:5432", &["db.shop.svc", "db"], Some("shop/db")),
            [
                "tcp db.shop.svc:5432",
                "tcp db:5432",
                "tcp pod:shop/db:5432",
                "tcp 10.0.0.7:5432",
                "tcp {private}:5432"
            ]
        );
        let random = "0123456789abcdef0123456789abcdef.api.example.com";
        assert_eq!(to("192.0.2.7:443", &[random], None)[0], "tcp {hex:32}.api.example.com:443");
    }

    #[test]
    fn the_metadata_address_goes_by_itself_whatever_it_is_called() {
        let named = to("169.254.169.254:80", &["db.shop.svc"], Some("shop/db"));
        assert_eq!(named, ["tcp 169.254.169.254:80"]);
    }

    #[test]
    fn a_name_that_reads_as_something_else_is_none() {
        for name in ["10.0.0.8", "::1", "pod:shop/db", "{private}", "a b", ""] {
            assert_eq!(to("10.0.0.7:80", &[name], None)[0], "tcp 10.0.0.7:80", "{name}");
        }
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
        let from = |peer, pod: Option<&str>| {
            accept(&Accept {
                protocol: Protocol::Tcp,
                local: address("127.0.0.1:8080"),
                port_chosen: true,
                peer: address(peer),
                pod: pod.map(Into::into),
            })
        };
        let loopback = from("127.0.0.1:51515", None);
        assert_eq!(loopback.pattern, "tcp :8080 from 127.0.0.1");
        assert_eq!(loopback.others[0].0, "tcp :8080 from {loopback}");
        let pod = from("10.0.0.9:51515", Some("shop/web"));
        assert_eq!(pod.pattern, "tcp :8080 from pod:shop/web");
        assert_eq!(pod.object, "tcp :8080 from 10.0.0.9");
        let others: Vec<_> = pod.others.iter().map(|other| other.0.as_str()).collect();
        assert_eq!(others, ["tcp :8080 from 10.0.0.9", "tcp :8080 from {private}"]);
        assert!(from("169.254.169.254:1", Some("shop/web")).others.is_empty());
    }

    #[test]
    fn an_entry_is_taken_apart_and_put_together() {
        for (key, host, other, expected) in [
            ("tcp 10.0.0.7:80", "10.0.0.7", "fd00::1", "tcp [fd00::1]:80"),
            ("tcp [fd00::1]:80", "fd00::1", "10.0.0.7", "tcp 10.0.0.7:80"),
            ("tcp pod:shop/db:80", "pod:shop/db", "db", "tcp db:80"),
            ("udp 10.0.0.7:{ephemeral}", "10.0.0.7", "x.y", "udp x.y:{ephemeral}"),
            ("tcp :80 from fd00::1", "fd00::1", "fd00::2", "tcp :80 from fd00::2"),
        ] {
            let end = End::of(key).unwrap();
            assert_eq!((end.host, end.with(other).as_str()), (host, expected));
            assert_eq!(end.with(end.host), key);
        }
        assert_eq!(End::of("tcp"), None);
    }
}
