//! Either end of a mapping.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::generalise::{Range, is_host, is_literal};

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Host {
    Name(String),
    /// With its first dot: every name that ends so.
    Below(String),
    /// One address or more.
    Addresses(Range),
    /// `staging/db`
    Workload(String),
    /// `staging/`: every workload that begins so.
    Namespace(String),
}

impl Host {
    /// What takes the place of `host`, if that is one of these.
    pub(super) fn mapped(&self, host: &str, to: &Self) -> Option<String> {
        let kept = match self {
            Self::Name(name) => (name == host).then_some(""),
            Self::Below(end) => host.strip_suffix(end.as_str()).filter(|kept| !kept.is_empty()),
            Self::Addresses(range) => {
                let address = host.parse::<IpAddr>().ok()?;
                range.contains(address).then_some("")
            }
            Self::Workload(pod) => (host.strip_prefix(POD)? == pod).then_some(""),
            Self::Namespace(namespace) => host.strip_prefix(POD)?.strip_prefix(namespace.as_str()),
        }?;
        Some(match to {
            Self::Name(name) => name.clone(),
            Self::Below(end) => format!("{kept}{end}"),
            Self::Addresses(range) if range.first == range.last => range.first.to_string(),
            Self::Addresses(range) => range.to_string(),
            Self::Workload(pod) => format!("{POD}{pod}"),
            Self::Namespace(namespace) => format!("{POD}{namespace}{kept}"),
        })
    }

    /// Many names take the place of many names only, each of its own.
    pub(super) fn may_become(&self, to: &Self) -> bool {
        match to {
            Self::Below(_) => matches!(self, Self::Below(_)),
            Self::Namespace(_) => matches!(self, Self::Namespace(_)),
            _ => true,
        }
    }

    pub(super) fn is_name(&self) -> bool {
        matches!(self, Self::Name(_) | Self::Below(_))
    }

    /// Whether anything could be one of both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(one), Self::Name(other)) | (Self::Workload(one), Self::Workload(other)) => {
                one == other
            }
            (Self::Name(name), Self::Below(end)) | (Self::Below(end), Self::Name(name)) => {
                name.ends_with(end.as_str())
            }
            (Self::Below(one), Self::Below(other)) => {
                one.ends_with(other.as_str()) || other.ends_with(one.as_str())
            }
            (Self::Workload(pod), Self::Namespace(namespace))
            | (Self::Namespace(namespace), Self::Workload(pod)) => {
                pod.starts_with(namespace.as_str())
            }
            (Self::Namespace(one), Self::Namespace(other)) => one == other,
            (Self::Addresses(one), Self::Addresses(other)) => {
                one.first.is_ipv4() == other.first.is_ipv4()
                    && one.first <= other.last
                    && other.first <= one.last
            }
            _ => false,
        }
    }
}

const POD: &str = "pod:";

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(pod) = text.strip_prefix(POD) {
            return pod_of(pod).ok_or_else(|| {
                format!("{text:?} is no pod: write pod:NAMESPACE/WORKLOAD, or pod:NAMESPACE/ for all of it")
            });
        }
        if text.contains('/') || text.contains(':') || text.parse::<IpAddr>().is_ok() {
            let range = subnet(text)?;
            let own = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
            if own(range.first) || (own(range.last) && range.first != range.last) {
                return Err(format!(
                    "{text:?} is every container's own, in each environment alike"
                ));
            }
            if range.first == range.last && is_literal(range.first) {
                return Err(format!(
                    "{text:?} only ever stands for itself: whoever reaches it may get credentials"
                ));
            }
            return Ok(Self::Addresses(range));
        }
        let lower = text.trim_end_matches('.').to_ascii_lowercase();
        let name = lower.strip_prefix('.').unwrap_or(&lower);
        // Of digits and dots alone is an address that went wrong.
        let is_address = name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        // A class of addresses, or any name at all.
        let is_any = name.contains('{') && !name.contains('.');
        if !is_pattern(name) || is_any || is_address || name.split('.').any(str::is_empty) {
            return Err(format!(
                "{text:?} is no host: write a name, .DOMAIN, an address, a subnet or pod:NAMESPACE/WORKLOAD"
            ));
        }
        Ok(if lower.starts_with('.') { Self::Below(lower) } else { Self::Name(lower) })
    }
}

/// A host's name, or a baseline's pattern of one: `{uuid}.api.example.com`.
fn is_pattern(name: &str) -> bool {
    is_host(&name.replace(['{', '}'], "x").replace(':', "x"))
}

fn pod_of(pod: &str) -> Option<Host> {
    let (namespace, workload) = pod.split_once('/')?;
    let is_name = |name: &str| is_host(name);
    if !is_name(namespace) || workload.contains('/') {
        return None;
    }
    match workload {
        "" => Some(Host::Namespace(pod.to_owned())),
        name => is_name(name).then(|| Host::Workload(pod.to_owned())),
    }
}

/// `10.1.0.0/16`, or an address for itself.
fn subnet(text: &str) -> Result<Range, String> {
    let wrong = |why: &str| format!("{text:?} is no subnet: {why}; write it as 10.1.0.0/16");
    let (address, bits) = text.split_once('/').map_or((text, None), |(ip, bits)| (ip, Some(bits)));
    let first: IpAddr = address.parse().map_err(|_| wrong("it does not begin with an address"))?;
    if first.to_canonical() != first {
        return Err(wrong("it is an IPv4 address in IPv6's words"));
    }
    let width = if first.is_ipv4() { 32 } else { 128 };
    let Some(bits) = bits else { return Ok(Range { first, last: first }) };
    let is_number = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
    let bits = bits.parse::<u32>().ok().filter(|bits| is_number && *bits <= width);
    let bits =
        bits.ok_or_else(|| wrong(&format!("behind the slash is no number up to {width}")))?;
    let number = match first {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    let rest = u128::MAX.checked_shr(128 - width + bits).unwrap_or(0);
    if number & rest != 0 {
        return Err(wrong("the address has bits beyond those that count"));
    }
    let last = number | rest;
    let last = match first {
        IpAddr::V4(_) => Ipv4Addr::from_bits(u32::try_from(last).unwrap_or(u32::MAX)).into(),
        IpAddr::V6(_) => Ipv6Addr::from_bits(last).into(),
    };
    Ok(Range { first, last })
}
