//! Many of one sort are told together, and nothing else with them.

use super::*;
use crate::drift::Severity;
use crate::drift::sample::{connect, exec, file, later, listen, read, write};

/// What a container's aggregator says of these, all of one kind, `gap` milliseconds apart, ticks of the clock included.
struct Container {
    aggregator: Aggregator,
    millis: i64,
    told: Vec<Told>,
}

impl Container {
    fn new() -> Self {
        Self { aggregator: Aggregator::new(CAPACITY), millis: 0, told: Vec::new() }
    }

    fn does(&mut self, kind: DriftKind, mut observation: Observation, gap: i64) {
        let context = sample::context();
        observation.time = self.now();
        let finding = sample::finding(kind, Novelty::Container, &observation);
        self.told.extend(self.aggregator.observe(&context, &observation, finding, |_| None));
        let before = self.millis / 1000;
        self.millis += gap;
        for second in before..self.millis / 1000 {
            self.told.extend(self.aggregator.updates(&context, later(second + 1)));
        }
    }

    fn now(&self) -> Timestamp {
        sample::start() + SignedDuration::from_millis(self.millis)
    }

    fn waits(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.millis += 1000;
            self.told.extend(self.aggregator.updates(&sample::context(), self.now()));
        }
    }

    fn ends(mut self) -> Vec<Told> {
        self.told.extend(self.aggregator.close(&sample::context()));
        self.told
    }
}

fn evidence(told: &[Told]) -> Vec<&Event> {
    told.iter()
        .filter_map(|told| if let Told::Evidence(event) = told { Some(&**event) } else { None })
        .collect()
}

/// The last word about each, in the order of their first.
fn last_words(told: &[Told]) -> Vec<Event> {
    let mut last: Vec<Event> = Vec::new();
    for event in events(told.to_vec()) {
        match last.iter_mut().find(|one| one.id == event.id) {
            Some(one) => *one = event,
            None => last.push(event),
        }
    }
    last
}

#[test]
fn a_scan_of_150_ports_is_three_events_with_an_exact_count() {
    let mut container = Container::new();
    for port in 20_000..20_150 {
        container.does(
            DriftKind::NetConnect,
            connect("/usr/bin/nmap", &format!("127.0.0.1:{port}")),
            3,
        );
    }
    let told = container.ends();
    let [one, two, scan] = &last_words(&told)[..] else { panic!("{told:#?}") };
    assert_eq!((&*one.object, &*two.object), ("tcp 127.0.0.1:20000", "tcp 127.0.0.1:20001"));
    assert_eq!((&*scan.object, scan.count, scan.action), ("tcp 127.0.0.1:*", 148, Action::Closed));
    let group = scan.group.as_ref().unwrap();
    assert_eq!((group.by, group.objects), (By::Address, 148));
    assert_eq!(group.examples.len(), 10);
    assert_eq!(group.examples[0], "tcp 127.0.0.1:20002");
    assert_eq!(group.follows, [one.id.to_string(), two.id.to_string()]);
    assert!(scan.techniques.contains(&"T1046".to_owned()), "{:?}", scan.techniques);
    assert_eq!(scan.subject.destination_address.as_deref(), Some("127.0.0.1"));
    assert_eq!(scan.subject.destination_port, None);
    let members = evidence(&told);
    assert_eq!(members.len(), 148);
    assert!(members.iter().all(|event| event.member_of == Some(scan.id)));
}

#[test]
fn many_addresses_at_one_port_are_a_scan_as_well() {
    let mut container = Container::new();
    for host in 0..150 {
        container.does(
            DriftKind::NetConnect,
            connect("/usr/bin/nmap", &format!("10.0.0.{host}:9999")),
            3,
        );
    }
    let told = last_words(&container.ends());
    assert_eq!(told.len(), 5, "{told:#?}");
    assert_eq!((&*told[4].object, told[4].count), ("tcp *:9999", 146));
    let addresses_and_ports = |container: &mut Container| {
        for host in 0..20 {
            for port in 20_000..20_050 {
                let peer = format!("10.1.0.{host}:{port}");
                container.does(DriftKind::NetConnect, connect("/usr/bin/nmap", &peer), 1);
            }
        }
    };
    let mut container = Container::new();
    addresses_and_ports(&mut container);
    let told = last_words(&container.ends());
    assert_eq!(told.iter().map(|event| event.count).sum::<u64>(), 1000);
    assert!(told.len() <= 16, "{}: {told:#?}", told.len());
}

#[test]
fn a_flood_is_one_event_and_an_attack_in_it_is_its_own() {
    let mut container = Container::new();
    for number in 0..5_000 {
        container.does(DriftKind::FileWrite, write(&format!("/tmp/flood/{number}")), 1);
        if number == 2_500 {
            container.does(DriftKind::FileRead, read("/etc/shadow"), 1);
            container.does(
                DriftKind::Exec,
                exec("/bin/sh", &["sh", "-c", "id"], Some("/usr/sbin/nginx")),
                1,
            );
            container.does(DriftKind::NetConnect, connect("/bin/sh", "169.254.169.254:80"), 1);
            container.does(DriftKind::NetListen, listen("0.0.0.0:4444"), 1);
        }
    }
    let told = container.ends();
    let last = last_words(&told);
    let groups: Vec<_> = last.iter().filter(|event| event.group.is_some()).collect();
    let [flood] = groups[..] else { panic!("{groups:#?}") };
    let own = last.len() - 1 - 4;
    assert_eq!(own, 8);
    assert_eq!(flood.count, 5_000 - 8);
    assert_eq!((flood.kind, &*flood.object), (DriftKind::FileWrite, "/tmp/flood/*"));
    for (kind, object) in [
        (DriftKind::FileRead, "/etc/shadow"),
        (DriftKind::Exec, "/bin/sh"),
        (DriftKind::NetConnect, "tcp 169.254.169.254:80"),
        (DriftKind::NetListen, "tcp 0.0.0.0:4444"),
    ] {
        let is_it = |event: &&Event| event.kind == kind && event.object == object;
        assert_eq!(last.iter().filter(is_it).count(), 1, "{kind} {object}");
    }
}

/// By the same program, of the same kind, in the midst of it: graded by another rule.
#[test]
fn a_graver_deed_of_the_same_program_and_kind_is_not_swallowed() {
    let mut container = Container::new();
    for number in 0..500 {
        container.does(DriftKind::FileRead, read(&format!("/srv/{number}")), 1);
    }
    container.does(DriftKind::FileRead, read("/etc/shadow"), 1);
    container.does(DriftKind::FileRead, file("/srv/refused", false, true), 1);
    let last = last_words(&container.ends());
    let own = |object: &str| last.iter().find(|event| event.object == object).unwrap();
    assert!(own("/etc/shadow").severity > own("/srv/0").severity);
    assert!(own("/srv/refused").subject.file_denied);
    let flood = last.iter().find(|event| event.group.is_some()).unwrap();
    assert_eq!((flood.severity, flood.count), (own("/srv/0").severity, 492));
}

#[test]
fn a_flood_by_ever_other_programs_is_one_event_too() {
    let mut container = Container::new();
    for number in 0..1_000 {
        let mut observation = write(&format!("/tmp/{number}"));
        std::sync::Arc::make_mut(&mut observation.process).executable =
            format!("/tmp/bin/{number}").into();
        container.does(DriftKind::FileWrite, observation, 1);
    }
    let last = last_words(&container.ends());
    let flood = last.last().unwrap();
    let group = flood.group.as_ref().unwrap();
    assert_eq!((group.by, flood.count), (By::Kind, 1_000 - 32));
    assert_eq!(flood.process, None);
    assert_eq!(last.len(), 33);
}

#[test]
fn what_a_person_does_step_by_step_is_told_step_by_step() {
    let mut container = Container::new();
    for number in 0..60 {
        container.does(DriftKind::FileRead, read(&format!("/srv/{number}")), 2_000);
    }
    let told = container.ends();
    assert_eq!(last_words(&told).len(), 60);
    assert!(evidence(&told).is_empty());
}

#[test]
fn a_group_is_told_within_a_second_once_a_minute_and_at_its_end() {
    let mut container = Container::new();
    for number in 0..90 {
        container.does(
            DriftKind::NetConnect,
            connect("/bin/scan", &format!("10.0.0.7:{}", 20_000 + number)),
            1_000,
        );
    }
    container.waits(600);
    let of_group = |told: &[Told]| -> Vec<(Action, u64)> {
        let all = events(told.to_vec());
        all.iter()
            .filter(|event| event.group.is_some())
            .map(|event| (event.action, event.count))
            .collect()
    };
    let told = of_group(&container.told);
    // The allowance has one more after a minute; what is open takes it all the same.
    assert_eq!(
        told,
        [(Action::Created, 1), (Action::Updated, 61), (Action::Updated, 88), (Action::Closed, 88)]
    );
    let closed = container.told.iter().rposition(|told| matches!(told, Told::Event(_))).unwrap();
    let Told::Event(event) = &container.told[closed] else { unreachable!() };
    assert_eq!(event.last, later(89));
    // What comes then is told anew: nothing of it is remembered.
    assert_eq!(container.aggregator.len(), 2);
    let before = container.told.len();
    container.does(DriftKind::NetConnect, connect("/bin/scan", "10.0.0.7:20050"), 1);
    assert_eq!(last_words(&container.told[before..])[0].group, None);
}

#[test]
fn repeats_of_members_are_counted_by_the_group_and_each_on_its_own() {
    let mut container = Container::new();
    for _ in 0..3 {
        for port in 20_000..20_010 {
            container.does(
                DriftKind::NetConnect,
                connect("/bin/scan", &format!("10.0.0.7:{port}")),
                1,
            );
        }
    }
    let told = container.ends();
    let last = last_words(&told);
    assert_eq!(last.iter().map(|event| event.count).collect::<Vec<_>>(), [3, 3, 24]);
    assert_eq!(last[2].group.as_ref().unwrap().objects, 8);
    let repeated = told.iter().filter_map(|told| match told {
        Told::Repeated(repeated) => Some(repeated.count),
        _ => None,
    });
    assert_eq!(repeated.collect::<Vec<_>>(), [3; 8]);
}

#[test]
fn bounded_sets_are_told_one_by_one() {
    let mut container = Container::new();
    for number in 0..100 {
        container.does(DriftKind::Syscall, sample::syscall(&format!("call_{number}")), 1);
    }
    assert_eq!(last_words(&container.ends()).len(), 100);
}

#[test]
fn hostile_names_do_not_break_a_group() {
    let mut container = Container::new();
    let names = crate::sink::hostile::names();
    for number in 0..40 {
        for name in &names {
            container.does(DriftKind::FileWrite, write(&format!("{name}{number}")), 1);
        }
    }
    for event in last_words(&container.ends()) {
        assert!(!event.sentence.chars().any(char::is_control), "{}", event.sentence);
        let group = event.group.as_ref();
        assert!(
            group.is_none_or(|group| group.examples.iter().all(|one| one.chars().count() <= 257))
        );
        assert!(event.severity <= Severity::Critical);
    }
}
