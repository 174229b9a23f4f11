//! What an address says of whose it is: its class, and whether it lies in a range.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where instances of clouds read their credentials, beside those among the link-local addresses: AWS by IPv6, Alibaba,
/// Azure, Oracle.
const METADATA: [IpAddr; 4] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
];

/// Whether an address only ever goes by itself: no name, class or range stands for it. Those of the link are among these
/// for `169.254.169.254`, which hands out credentials to whoever asks.
pub fn is_literal(address: IpAddr) -> bool {
    let of_link = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    of_link || METADATA.contains(&address)
}

/// The class that an address may be one of many in, as a placeholder; none for one that is nobody's or only its own.
pub fn class(address: IpAddr) -> Option<&'static str> {
    if is_literal(address) || address.is_unspecified() || address.is_multicast() {
        return None;
    }
    if address.is_loopback() {
        return Some(LOOPBACK);
    }
    Some(match address {
        IpAddr::V4(address) if address.is_private() => PRIVATE,
        IpAddr::V4(address) => match address.octets() {
            [100, 64..=127, ..] => SHARED,
            // "This network", and what is reserved, the broadcast address among it.
            [0 | 240..=255, ..] => return None,
            _ => PUBLIC,
        },
        IpAddr::V6(address) if address.is_unique_local() => UNIQUE_LOCAL,
        IpAddr::V6(_) => PUBLIC,
    })
}

/// Whether a class is of addresses that anybody may have.
pub fn is_public(class: &str) -> bool {
    class == PUBLIC
}

/// Whether an entry's end is a class.
pub fn is_class(host: &str) -> bool {
    [LOOPBACK, PRIVATE, UNIQUE_LOCAL, SHARED, PUBLIC].contains(&host)
}

/// The blocks that a class consists of, where somebody else's rules may allow them; none of what is no class.
pub fn blocks(class: &str) -> &'static [&'static str] {
    match class {
        PRIVATE => &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
        SHARED => &["100.64.0.0/10"],
        UNIQUE_LOCAL => &["fc00::/7"],
        _ => &[],
    }
}

const LOOPBACK: &str = "{loopback}";
/// RFC 1918.
const PRIVATE: &str = "{private}";
/// RFC 4193.
const UNIQUE_LOCAL: &str = "{unique-local}";
/// Of a provider's own network, RFC 6598.
const SHARED: &str = "{shared}";
const PUBLIC: &str = "{public}";

/// Addresses from one to another, both included: `{net:10.9.0.0-10.9.255.255}`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Range {
    pub first: IpAddr,
    pub last: IpAddr,
}

impl Range {
    /// `10.9.0.0-10.9.255.255`
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-')?;
        let (first, last): (IpAddr, IpAddr) = (first.parse().ok()?, last.parse().ok()?);
        (first.is_ipv4() == last.is_ipv4() && first <= last).then_some(Self { first, last })
    }

    pub fn contains(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4()
            && (self.first..=self.last).contains(&address)
            && !is_literal(address)
    }

    /// Length of the address in it that `text` begins with, in brackets or not.
    pub(super) fn length(self, text: &str) -> Option<usize> {
        let (address, length) = if let Some(rest) = text.strip_prefix('[') {
            let end = rest.find(']')?;
            (&rest[..end], end + 2)
        } else {
            let is_its = |c: char| match self.first {
                IpAddr::V4(_) => c.is_ascii_digit() || c == '.',
                IpAddr::V6(_) => c.is_ascii_hexdigit() || c == ':' || c == '.',
            };
            let end = text.find(|c| !is_its(c)).unwrap_or(text.len());
            (&text[..end], end)
        };
        self.contains(address.parse().ok()?).then_some(length)
    }
}

/// As a placeholder.
impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{{net:{}-{}}}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::matches;
    use super::*;

    #[test]
    fn an_address_has_the_class_of_whoever_may_have_it() {
        for (address, expected) in [
            ("127.0.0.9", Some("{loopback}")),
            ("::1", Some("{loopback}")),
            ("10.1.2.3", Some("{private}")),
            ("172.16.0.1", Some("{private}")),
            ("172.32.0.1", Some("{public}")),
            ("192.168.7.7", Some("{private}")),
            ("100.64.0.1", Some("{shared}")),
            ("100.128.0.1", Some("{public}")),
            ("fd12::1", Some("{unique-local}")),
            ("2001:db8::1", Some("{public}")),
            ("8.8.8.8", Some("{public}")),
            ("169.254.169.254", None),
            ("169.254.20.10", None),
            ("fe80::1", None),
            ("fd00:ec2::254", None),
            ("100.100.100.200", None),
            ("168.63.129.16", None),
            ("0.0.0.0", None),
            ("255.255.255.255", None),
            ("224.0.0.1", None),
        ] {
            assert_eq!(class(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn a_range_takes_the_addresses_in_it_alone() {
        for (pattern, value, expected) in [
            ("tcp {net:10.9.0.0-10.9.255.255}:80", "tcp 10.9.3.4:80", true),
            ("tcp {net:10.9.0.0-10.9.255.255}:80", "tcp 10.10.0.0:80", false),
            ("tcp {net:10.9.0.0-10.9.255.255}:80", "tcp 10.9.3.4:8080", false),
            ("tcp {net:10.9.0.0-10.9.255.255}:80", "tcp 10.9.3.4.evil.com:80", false),
            ("tcp {net:fd00::-fd00::ff}:80", "tcp [fd00::7]:80", true),
            ("tcp :80 from {net:fd00::-fd00::ff}", "tcp :80 from fd00::7", true),
            ("tcp {net:0.0.0.0-255.255.255.255}:80", "tcp 169.254.169.254:80", false),
            ("tcp {net:::-ffff::}:80", "tcp [fd00:ec2::254]:80", false),
            ("tcp {net:10.9.0.0-10.1.0.0}:80", "tcp 10.5.0.0:80", false),
        ] {
            assert_eq!(matches(pattern, value), expected, "{pattern} {value}");
        }
    }

    proptest! {
        #[test]
        fn a_range_is_read_back(one: u32, other: u32, third: u32) {
            let address = |bits: u32| IpAddr::from(Ipv4Addr::from_bits(bits));
            let range = Range { first: address(one.min(other)), last: address(one.max(other)) };
            let text = format!("tcp {range}:80");
            let inside = (range.first..=range.last).contains(&address(third));
            prop_assert_eq!(
                matches(&text, &format!("tcp {}:80", address(third))),
                inside && !is_literal(address(third))
            );
        }

        #[test]
        fn any_text_is_no_panic(text in ".*") {
            let _ = Range::parse(&text);
            let range = Range { first: Ipv4Addr::UNSPECIFIED.into(), last: Ipv4Addr::BROADCAST.into() };
            let _ = range.length(&text);
        }
    }
}
