//! The names behind addresses, as name servers told them.

use std::{collections::VecDeque, net::IpAddr, sync::Arc};

use hashbrown::HashMap;

use crate::behaviour::{Dns, canonical};

/// Addresses that are remembered: the newest.
const MAX: usize = 4_096;

/// Each address goes by the name that led to it last.
#[derive(Default)]
pub(super) struct Hosts {
    names: HashMap<IpAddr, Arc<str>>,
    /// In the order in which they came.
    order: VecDeque<IpAddr>,
}

impl Hosts {
    pub(super) fn learn(&mut self, answer: &Dns) {
        let name: Arc<str> = answer.name.as_str().into();
        for address in answer.addresses.iter().map(|address| canonical(*address)) {
            if self.names.insert(address, Arc::clone(&name)).is_some() {
                continue;
            }
            self.order.push_back(address);
            if self.order.len() > MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.names.remove(&oldest);
            }
        }
    }

    pub(super) fn name(&self, address: IpAddr) -> Option<Arc<str>> {
        self.names.get(&address).cloned()
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
        let name = |number: u32| hosts.name(std::net::Ipv4Addr::from_bits(number).into());
        assert_eq!(name(1).as_deref(), Some("new"));
        assert_eq!(name(0), None);
        assert_eq!((hosts.names.len(), hosts.order.len()), (MAX, MAX));
    }
}
