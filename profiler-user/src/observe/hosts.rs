//! The names behind addresses, as name servers told them.

use std::{collections::VecDeque, net::IpAddr, sync::Arc};

use hashbrown::HashMap;

use crate::behaviour::{Dns, canonical};

/// Addresses that are remembered: the newest.
const MAX: usize = 4_096;

/// Names of one address that are remembered: of a name and its alias, or two of one server, either may be the recorded one.
const NAMES: usize = 4;

/// Each address goes by the name that led to it last, and by those before.
#[derive(Default)]
pub(super) struct Hosts {
    names: HashMap<IpAddr, Arc<[Arc<str>]>>,
    /// In the order in which they came.
    order: VecDeque<IpAddr>,
}

impl Hosts {
    pub(super) fn learn(&mut self, answer: &Dns) {
        let name: Arc<str> = answer.name.as_str().into();
        for address in answer.addresses.iter().map(|address| canonical(*address)) {
            if let Some(known) = self.names.get_mut(&address) {
                if known.first() != Some(&name) {
                    let others = known.iter().filter(|other| **other != name).cloned();
                    *known = std::iter::once(Arc::clone(&name)).chain(others).take(NAMES).collect();
                }
                continue;
            }
            self.names.insert(address, [Arc::clone(&name)].into());
            self.order.push_back(address);
            if self.order.len() > MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.names.remove(&oldest);
            }
        }
    }

    /// The newest first.
    pub(super) fn names(&self, address: IpAddr) -> Arc<[Arc<str>]> {
        self.names.get(&address).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_name_counts_and_memory_is_bounded() {
        let mut hosts = Hosts::default();
        let answer = |name: &str, number: u32| Dns {
            name: name.to_owned(),
            addresses: vec![std::net::Ipv4Addr::from_bits(number).into()],
        };
        for number in 0..=u32::try_from(MAX).unwrap() {
            hosts.learn(&answer("old", number));
            hosts.learn(&answer("new", number));
        }
        let names = |hosts: &Hosts, number: u32| {
            let names = hosts.names(std::net::Ipv4Addr::from_bits(number).into());
            names.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names(&hosts, 1), ["new", "old"]);
        assert_eq!(names(&hosts, 0), [""; 0]);
        assert_eq!((hosts.names.len(), hosts.order.len()), (MAX, MAX));
        for name in ["a", "b", "c", "d", "b"] {
            hosts.learn(&answer(name, 1));
        }
        assert_eq!(names(&hosts, 1), ["b", "d", "c", "a"]);
    }
}
