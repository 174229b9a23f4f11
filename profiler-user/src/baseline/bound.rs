//! A baseline in the words of another environment: what a bind file says takes the place of what was recorded.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::facts::Fact;
use super::judge::{Judge, Known};
use super::merge::Join as _;
use super::model::{Baseline, Executable};
use super::names::Set;
use super::portable::is_bound;
use super::seen::Seen;
use crate::bind::{Accepted, Bind, List, Said};
use crate::generalise::{End, is_class, is_literal};

/// The sets that a bind file speaks of.
const SETS: [(Set, List); 4] = [
    (Set::Connect, List::Peers),
    (Set::Accept, List::Clients),
    (Set::Listen, List::Listeners),
    (Set::Dns, List::Names),
];

/// What binding did to an executable's entries.
#[derive(Debug, Default)]
pub(super) struct Bound {
    /// What an entry was recorded as.
    recorded: BTreeMap<(&'static str, String), String>,
    /// What a bind file allows although nothing was recorded that it took the place of.
    accepted: BTreeSet<(&'static str, String)>,
    /// What is learned anew: of each list, the ports and directions that were recorded, see [`shape`].
    relearn: BTreeSet<(&'static str, String)>,
}

impl Judge {
    /// What `bind` says of entries takes their place, where they are bound to an environment.
    pub fn bound(baseline: &Baseline, key_id: &str, bind: &Bind) -> Self {
        let mut here = baseline.clone();
        let mut all = Vec::new();
        for (path, executable) in &mut here.executables {
            let accepted = bind.accept.iter().filter(|accepted| accepted.executable == *path);
            all.push(executable.bind(bind, accepted));
        }
        let mut judge = Self::new(&here, key_id);
        judge.set_bound(all);
        judge
    }
}

impl Executable {
    fn bind<'a>(&mut self, bind: &Bind, accepted: impl Iterator<Item = &'a Accepted>) -> Bound {
        let mut bound = Bound::default();
        let mut some: Option<Seen> = None;
        for (set, list) in SETS {
            let relearn = bind.relearn.contains(&list);
            let recorded = std::mem::take(self.set_mut(set));
            for (key, seen) in recorded {
                some.get_or_insert_with(|| seen.clone());
                if relearn && is_bound(set, &key) {
                    bound.relearn.insert((set.name(), shape(set, &key)));
                }
                let here = match here(bind, set, &key) {
                    Said::Called(here) => here,
                    Said::Gone => continue,
                    // A class is of no place.
                    Said::Nothing if relearn && is_bound(set, &key) && !is_of_class(&key) => {
                        continue;
                    }
                    Said::Nothing => key.clone(),
                };
                if here != key {
                    bound.recorded.insert((set.name(), here.clone()), key);
                }
                let entries = self.set_mut(set);
                match entries.get_mut(&here) {
                    Some(known) => known.join(seen),
                    None => drop(entries.insert(here, seen)),
                }
            }
        }
        // Whatever an executable does here it did there, if elsewhere: one that had no peer gets none by this.
        let Some(some) = some else { return bound };
        for Accepted { list, entry, .. } in accepted {
            let set = SETS.into_iter().find(|(_, of)| of == list).map(|(set, _)| set);
            let Some(set) = set else { continue };
            if let Entry::Vacant(place) = self.set_mut(set).entry(entry.clone()) {
                place.insert(some.clone());
                bound.accepted.insert((set.name(), entry.clone()));
            }
        }
        bound
    }
}

/// What is said of an entry.
fn here(bind: &Bind, set: Set, key: &str) -> Said {
    if set == Set::Dns {
        return bind.name(key);
    }
    let end = End::of(key).filter(|_| is_bound(set, key));
    let called = end.and_then(|end| Some(end.with(&bind.host(end.host)?)));
    called.map_or(Said::Nothing, Said::Called)
}

fn is_of_class(key: &str) -> bool {
    End::of(key).is_some_and(|end| is_class(end.host))
}

/// What stays when a peer moves: protocol, port and direction.
fn shape(set: Set, key: &str) -> String {
    match End::of(key) {
        Some(end) if set != Set::Dns => end.with(""),
        _ => String::new(),
    }
}

impl Bound {
    /// An entry, and what it was recorded as.
    pub(super) fn spelled(&self, set: Set, key: &str) -> String {
        match self.recorded.get(&(set.name(), key.to_owned())) {
            Some(recorded) => format!("{key} (recorded as {recorded})"),
            None => key.to_owned(),
        }
    }

    /// What the entry was recorded as; none where it was not.
    pub(super) fn as_recorded<'a>(&'a self, set: Set, key: &'a str) -> Option<&'a str> {
        let at = (set.name(), key.to_owned());
        if self.accepted.contains(&at) {
            return None;
        }
        Some(self.recorded.get(&at).map_or(key, String::as_str))
    }

    /// The entry that would hold this, where such are learned anew. A program that had no such peer gets none by this, and
    /// what goes by itself everywhere is nobody's peer.
    pub(super) fn relearned(&self, executable: &str, fact: &Fact) -> Option<Accepted> {
        let Fact { set, object, name, .. } = fact;
        let (_, list) = SETS.into_iter().find(|(of, _)| of == set)?;
        if !self.relearn.contains(&(set.name(), shape(*set, &name.key))) {
            return None;
        }
        let address = End::of(object).and_then(|end| end.address());
        if *set != Set::Dns && address.is_none_or(is_literal) {
            return None;
        }
        Some(Accepted { executable: executable.to_owned(), list, entry: name.key.clone() })
    }
}

impl Known {
    /// The entries of a set, as a phrase names them.
    pub(super) fn spelled(&self, set: Set) -> Vec<String> {
        let spelled = |key: &str| match &self.bound {
            Some(bound) => bound.spelled(set, key),
            None => key.to_owned(),
        };
        self.set(set).iter().map(spelled).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{baseline, observation, run};
    use super::*;
    use crate::behaviour::{Accept, Behaviour, Connect, Dns, Named, Observation, Protocol};
    use crate::drift::Finding;

    const APP: &str = "/usr/bin/app";

    fn to(peer: &str, name: Option<&str>) -> Observation {
        let known = name.map(Into::into).into_iter().collect();
        let (protocol, named) = (Protocol::Tcp, Named { names: known, pod: None });
        let peer = peer.parse().unwrap();
        let connect = Connect { protocol, peer, datagram: false, port_chosen: true, named };
        observation(APP, &[], Behaviour::Connect(connect))
    }

    fn from(client: &str) -> Observation {
        let (local, peer) = ("10.0.0.1:80".parse().unwrap(), format!("{client}:40000"));
        let peer = peer.parse().unwrap();
        let accept = Accept { protocol: Protocol::Tcp, local, port_chosen: true, peer, pod: None };
        observation(APP, &[], Behaviour::Accept(accept))
    }

    fn name(name: &str) -> Observation {
        let answer = Dns { name: name.to_owned(), addresses: Vec::new() };
        observation(APP, &[], Behaviour::Dns(answer))
    }

    fn recorded() -> Baseline {
        let mut baseline = baseline();
        for observation in [
            name("db.staging.svc"),
            to("10.1.0.7:5432", Some("db.staging.svc")),
            to("10.1.0.8:6379", None),
            to("127.0.0.1:9000", None),
            from("10.1.4.4"),
        ] {
            baseline.learn(&run(), &observation);
        }
        baseline
    }

    fn bound(file: &str) -> Judge {
        let bind = format!("{{\"schema_version\":\"driftline.bind/v1\",{file}}}");
        Judge::bound(&recorded(), "0011aabb", &Bind::parse(bind.as_bytes()).unwrap())
    }

    const MAP: &str = r#""map":[{"from":"db.staging.svc","to":"db.prod.svc"},{"from":"10.1.0.0/16","to":"10.9.0.0/16"}]"#;

    fn one(judge: &Judge, observation: &Observation) -> Finding {
        let mut findings = judge.judge(observation);
        assert_eq!(findings.len(), 1, "{observation:?}: {findings:?}");
        let finding = findings.remove(0);
        Finding { nearest: judge.nearest(observation, &finding), ..finding }
    }

    #[test]
    fn what_takes_the_place_of_an_entry_is_known_and_the_entry_no_longer() {
        let judge = bound(MAP);
        for known in [
            name("db.prod.svc"),
            to("10.9.7.7:5432", Some("db.prod.svc")),
            to("10.9.1.2:6379", None),
            to("127.0.0.1:9000", None),
            from("10.9.200.1"),
        ] {
            assert_eq!(judge.judge(&known), [], "{known:?}");
        }
        for new in [
            name("db.staging.svc"),
            to("10.9.7.7:5432", Some("db.staging.svc")),
            to("10.1.0.8:6379", None),
            to("10.9.1.2:5432", None),
            to("10.10.0.1:6379", None),
            from("10.1.4.4"),
        ] {
            assert!(one(&judge, &new).relearn.is_none(), "{new:?}");
        }
        let finding = one(&judge, &to("10.10.0.1:6379", None));
        assert_eq!(
            finding.nearest.as_deref(),
            Some(
                "app connects only to tcp 127.0.0.1:9000, tcp db.prod.svc:5432 (recorded as tcp db.staging.svc:5432), \
                 tcp {net:10.9.0.0-10.9.255.255}:6379 (recorded as tcp 10.1.0.8:6379)"
            )
        );
    }

    #[test]
    fn what_is_not_mapped_stays() {
        let judge = bound(r#""map":[{"from":"x","to":"y"}]"#);
        assert!(
            judge.is_known(&to("10.1.0.8:6379", None)) && judge.is_known(&name("db.staging.svc"))
        );
    }

    #[test]
    fn what_is_learned_anew_does_not_count_and_is_told_as_what_it_is() {
        let judge = bound(&format!(
            "{},\"relearn\":[\"peers\",\"names\"]",
            MAP.replace("10.1.0.0/16", "10.7.0.0/16")
        ));
        // Mapped entries are known as ever.
        assert!(judge.is_known(&to("10.9.7.7:5432", Some("db.prod.svc"))));
        assert!(judge.is_known(&to("127.0.0.1:9000", None)));
        // That of there is somebody else's here.
        let finding = one(&judge, &to("10.1.0.8:6379", None));
        let accepted = finding.relearn.unwrap();
        assert_eq!(
            (accepted.executable.as_str(), accepted.list, accepted.entry.as_str()),
            (APP, List::Peers, "tcp 10.1.0.8:6379")
        );
        assert!(one(&judge, &to("8.8.8.8:5432", None)).relearn.is_some());
        assert!(one(&judge, &name("other.svc")).relearn.is_some());
        // Another port, credentials, another program, another list: those are drift.
        assert!(one(&judge, &to("10.1.0.8:6380", None)).relearn.is_none());
        let metadata = Observation { ..to("169.254.169.254:6379", None) };
        assert!(one(&judge, &metadata).relearn.is_none());
        assert!(one(&judge, &from("10.9.9.9")).relearn.is_none());
        let mut other = to("10.1.0.8:6379", None);
        std::sync::Arc::make_mut(&mut other.process).executable = "/bin/sh".into();
        assert!(one(&judge, &other).relearn.is_none());
    }

    #[test]
    fn a_class_is_of_no_place_and_stays() {
        let mut baseline = recorded();
        for host in 1..=super::super::CLIENTS {
            baseline.learn(&run(), &from(&format!("10.1.4.{host}")));
        }
        let file = r#"{"schema_version":"driftline.bind/v1","relearn":["clients"]}"#;
        let bind = Bind::parse(file.as_bytes()).unwrap();
        assert!(Judge::bound(&baseline, "0011aabb", &bind).is_known(&from("192.168.7.7")));
        assert!(!Judge::bound(&recorded(), "0011aabb", &bind).is_known(&from("10.1.4.4")));
    }

    #[test]
    fn what_was_accepted_is_known() {
        let judge = bound(
            r#""relearn":["peers"],"accept":[
                {"executable":"/usr/bin/app","list":"peers","entry":"tcp cache.prod.svc:6379"},
                {"executable":"/bin/sh","list":"peers","entry":"tcp cache.prod.svc:6379"}]"#,
        );
        let cache = to("10.9.0.5:6379", Some("cache.prod.svc"));
        assert!(judge.is_known(&cache));
        let mut other = cache;
        std::sync::Arc::make_mut(&mut other.process).executable = "/bin/sh".into();
        assert!(!judge.is_known(&other));
    }
}
