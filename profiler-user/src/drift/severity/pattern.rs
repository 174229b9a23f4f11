//! The table's two kinds of pattern: names with `*`, and networks.

use std::net::IpAddr;

use anyhow::{Context as _, Result, ensure};

/// Text in which `*` stands for any run of characters, `/` included.
#[derive(Debug)]
pub(super) struct Glob(String);

impl Glob {
    pub(super) fn new(pattern: &str) -> Self {
        Self(pattern.to_owned())
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        like(&self.0, text)
    }
}

/// Whether a text is like a pattern, in which `*` stands for any run of characters.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    // What follows the last star has to end the text; the parts before it may match as early
    // as they can, which leaves the most for those behind them.
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(last)
}

/// `10.0.0.0/8`: addresses that share the first so many bits.
#[derive(Debug)]
pub(super) struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let (address, bits) = text.split_once('/').context("a network is written ADDRESS/BITS")?;
        let network = Self { address: address.parse()?, bits: bits.parse()? };
        ensure!(network.bits <= width(network.address), "{text} has too many bits");
        Ok(network)
    }

    /// An IPv6 address never belongs to an IPv4 network, nor the other way round.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let width = width(self.address);
        if width != self::width(address) {
            return false;
        }
        let differ = number(self.address) ^ number(address);
        // A shift by the full width is an overflow: with no bits to compare everything belongs.
        differ.checked_shr(width - self.bits).unwrap_or(0) == 0
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, text, expected) in [
            ("/etc/shadow", "/etc/shadow", true),
            ("/etc/shadow", "/etc/shadow-", false),
            ("/etc/*", "/etc/a/b", true),
            ("/etc/*", "/etcetera", false),
            ("/proc/*/mem", "/proc/12/mem", true),
            ("/proc/*/mem", "/proc/12/meminfo", false),
            ("*/.ssh/id_*", "/home/u/.ssh/id_rsa", true),
            ("*.key", "/a/b.key", true),
            ("*aba", "/ab", false),
            ("ab*ba", "aba", false),
            ("*", "", true),
        ] {
            assert_eq!(Glob::new(pattern).matches(text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_network_holds_what_shares_its_bits() {
        let holds = |network: &str, address: &str| {
            Network::parse(network).unwrap().contains(address.parse().unwrap())
        };
        assert!(holds("10.0.0.0/8", "10.255.0.1"));
        assert!(!holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("169.254.169.254/32", "169.254.169.254"));
        assert!(!holds("169.254.169.254/32", "169.254.169.255"));
        assert!(holds("0.0.0.0/0", "8.8.8.8"));
        assert!(holds("::/0", "2001:db8::1"));
        assert!(!holds("::/0", "8.8.8.8"));
        assert!(holds("fc00::/7", "fd00:ec2::254"));
        assert!(Network::parse("10.0.0.0/33").is_err());
        assert!(Network::parse("10.0.0.0").is_err());
    }
}
