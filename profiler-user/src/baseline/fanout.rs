//! Very many peers of one class as one entry: who is served by its many clients says by their number what the next will be.
//!
//! **Invariant:** which class an address is of follows from it alone, and the entry of a class takes every address of that
//! class that it meets: baselines come together in any order.

use std::collections::BTreeMap;

use super::merge::Join as _;
use super::model::Executable;
use super::names::Set;
use super::seen::Seen;
use crate::generalise::{End, class, is_public};

/// So many clients of one class on one port become an entry for all of that class.
pub const CLIENTS: usize = 8;

/// So many peers of one class that one executable connects to on one port. Fewer are somebody's servers, each by itself;
/// and of the public addresses there are never enough: going to yet another is what stolen data does.
pub const SERVERS: usize = 32;

impl Executable {
    /// Peers that are so many, or whose class has an entry already, go into that.
    pub(super) fn take_in_peers(&mut self) {
        for set in [Set::Connect, Set::Accept] {
            fan_in(self.set_mut(set), set);
        }
    }
}

/// The same where one entry is new.
pub(super) fn fan_in_with(entries: &mut BTreeMap<String, Seen>, set: Set, new: &str) {
    // Of what has no class there may be very many.
    if matches!(set, Set::Connect | Set::Accept) && class_of(set, new).is_some() {
        fan_in(entries, set);
    }
}

fn fan_in(entries: &mut BTreeMap<String, Seen>, set: Set) {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for key in entries.keys() {
        if let Some(of_class) = class_of(set, key) {
            groups.entry(of_class).or_default().push(key.clone());
        }
    }
    let many = if set == Set::Accept { CLIENTS } else { SERVERS };
    for (of_class, keys) in groups {
        if keys.len() >= many || entries.contains_key(&of_class) {
            take_in(entries, &of_class, &keys);
        }
    }
}

/// The entry that an address's entry may become part of.
fn class_of(set: Set, key: &str) -> Option<String> {
    let end = End::of(key)?;
    let class = class(end.address()?)?;
    (set == Set::Accept || !is_public(class)).then(|| end.with(class))
}

fn take_in(entries: &mut BTreeMap<String, Seen>, of_class: &str, keys: &[String]) {
    for key in keys {
        let Some(mut seen) = entries.remove(key) else { continue };
        let address = End::of(key).map_or(key.as_str(), |end| end.host);
        seen.siblings.insert(address.to_owned());
        match entries.get_mut(of_class) {
            Some(known) => known.join(seen),
            None => {
                entries.insert(of_class.to_owned(), seen);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures::{baseline, observation, run};
    use super::super::judge::Judge;
    use super::super::model::Baseline;
    use super::*;
    use crate::behaviour::{Accept, Behaviour, Connect, Named, Observation, Protocol};

    const APP: &str = "/usr/bin/app";

    fn from(client: &str) -> Observation {
        let (local, peer) = ("10.0.0.1:80".parse().unwrap(), format!("{client}:40000"));
        let peer = peer.parse().unwrap();
        let accept = Accept { protocol: Protocol::Tcp, local, port_chosen: true, peer, pod: None };
        observation(APP, &[], Behaviour::Accept(accept))
    }

    fn to(server: &str) -> Observation {
        let (protocol, named) = (Protocol::Tcp, Named::default());
        let peer = format!("{server}:9090").parse().unwrap();
        let connect = Connect { protocol, peer, datagram: false, port_chosen: true, named };
        observation(APP, &[], Behaviour::Connect(connect))
    }

    fn learned(all: impl IntoIterator<Item = Observation>) -> Baseline {
        let mut baseline = baseline();
        for observation in all {
            baseline.learn(&run(), &observation);
        }
        baseline
    }

    fn clients(prefix: &str, count: usize) -> Vec<Observation> {
        (1..=count).map(|host| from(&format!("{prefix}.{host}"))).collect()
    }

    #[test]
    fn enough_clients_of_a_class_stand_for_it_and_for_no_other() {
        let few = learned(clients("10.1.0", CLIENTS - 1));
        assert_eq!(few.executables[APP].accept.len(), CLIENTS - 1);
        assert!(!Judge::new(&few, "0011aabb").is_known(&from("10.1.0.200")));

        let mut many = learned(clients("10.1.0", CLIENTS));
        assert_eq!(many.learn(&run(), &from("192.168.3.4")), 0);
        let entries = &many.executables[APP].accept;
        assert_eq!(entries.keys().collect::<Vec<_>>(), ["tcp :80 from {private}"]);
        let seen = &entries["tcp :80 from {private}"];
        assert_eq!(seen.siblings.len(), 8);
        assert!(seen.siblings.iter().all(|client| client.starts_with("10.1.0.")), "{seen:?}");
        let judge = Judge::new(&many, "0011aabb");
        assert!(judge.is_known(&from("172.16.9.9")));
        for other in ["8.8.8.8", "127.0.0.1", "169.254.169.254", "100.64.0.1"] {
            let findings = judge.judge(&from(other));
            let pattern = format!("tcp :80 from {other}");
            assert_eq!(findings.len(), 1, "{other}");
            assert_eq!(findings[0].pattern, pattern);
            let nearest = judge.nearest(&from(other), &findings[0]);
            assert_eq!(
                nearest.as_deref(),
                Some("app is connected to only as tcp :80 from {private}")
            );
        }
    }

    #[test]
    fn what_is_connected_to_fans_out_later_and_to_public_addresses_never() {
        let servers = |prefix: &str| {
            (1..=SERVERS).map(|host| to(&format!("{prefix}.{host}"))).collect::<Vec<_>>()
        };
        let mut few = servers("10.1.0");
        few.pop();
        assert_eq!(learned(few).executables[APP].connect.len(), SERVERS - 1);
        let many = learned(servers("10.1.0"));
        assert!(many.executables[APP].connect.keys().eq(["tcp {private}:9090"]));
        assert!(Judge::new(&many, "0011aabb").is_known(&to("10.2.3.4")));
        let public = learned(servers("8.8.8"));
        assert_eq!(public.executables[APP].connect.len(), SERVERS);
        assert!(!Judge::new(&public, "0011aabb").is_known(&to("8.8.8.200")));
        let of_link = learned(servers("169.254.169"));
        assert_eq!(of_link.executables[APP].connect.len(), SERVERS);
    }

    fn some() -> impl Strategy<Value = Baseline> {
        let client = prop_oneof![
            (1..=12_u8).prop_map(|host| from(&format!("10.0.0.{host}"))),
            (1..=12_u8).prop_map(|host| from(&format!("8.8.8.{host}"))),
            (1..=40_u8).prop_map(|host| to(&format!("192.168.0.{host}"))),
        ];
        prop::collection::vec(client, 0..60).prop_map(learned)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn merging_those_that_fan_out_is_associative_commutative_and_idempotent(
            a in some(), b in some(), c in some()
        ) {
            let merge = |one: &Baseline, other: &Baseline| one.clone().merge(other.clone()).unwrap();
            let both = merge(&a, &b);
            prop_assert_eq!(&both, &merge(&b, &a));
            prop_assert_eq!(merge(&both, &c), merge(&a, &merge(&b, &c)));
            prop_assert_eq!(&merge(&both, &b), &both);
            prop_assert_eq!(&merge(&a, &a), &a);
        }

        #[test]
        fn what_was_learned_or_merged_is_known(
            seen in prop::collection::vec(any::<u32>(), 0..40), others in some()
        ) {
            let address = |bits: &u32| std::net::Ipv4Addr::from_bits(*bits).to_string();
            let all: Vec<_> = seen.iter().map(|bits| from(&address(bits))).collect();
            let learned = learned(all.clone());
            for baseline in [learned.clone(), learned.merge(others).unwrap()] {
                let judge = Judge::new(&baseline, "0011aabb");
                for observation in &all {
                    prop_assert!(judge.is_known(observation), "{:?}", observation);
                }
            }
        }
    }
}
