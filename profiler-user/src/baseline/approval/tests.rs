use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::super::fixtures::*;
use super::*;
use crate::baseline::{Image, Judge};
use crate::behaviour::{
    Ancestor, Behaviour, Connect, File, Named, Observation, Process, Protocol, Syscall,
};
use crate::drift::{Action, Aggregator, Event, Told, aggregate, sample};

const NGINX: &str = "/usr/sbin/nginx";

fn run_by(parent: &str, executable: &str, args: &[&str]) -> Observation {
    let run = exec(executable, args, Some(parent));
    let parent = Ancestor { pid: 1, executable: parent.into(), args: Arc::default() };
    let process = Process { ancestry: [parent].into(), ..(*run.process).clone() };
    Observation { process: Arc::new(process), ..run }
}

fn access(path: &str, read: bool, write: bool, denied: bool) -> Observation {
    let file = File { path: path.to_owned(), read, write, denied };
    observation(NGINX, &[], Behaviour::File(file))
}

fn connect(peer: &str) -> Observation {
    let (datagram, port_chosen, named) = (false, true, Named::default());
    let peer = peer.parse().unwrap();
    let to = Connect { protocol: Protocol::Tcp, peer, datagram, port_chosen, named };
    observation(NGINX, &[], Behaviour::Connect(to))
}

fn syscall(name: &str, denied: bool) -> Observation {
    let call = Syscall { name: name.to_owned(), denied, foreign: false };
    observation(NGINX, &[], Behaviour::Syscall(call))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn grant(scope: Scope, expires: Option<i64>) -> Grant {
    let (by, reason) = (Some("ops".to_owned()), "a new job".to_owned());
    Grant { approved: at(0), by, reason, expires: expires.map(at), scope }
}

/// The events of an observation that a baseline does not hold, as their readers get them.
fn events(judge: &Judge, observation: &Observation) -> Vec<Drifted> {
    let mut aggregator = Aggregator::new(aggregate::CAPACITY);
    let findings = judge.judge(observation);
    let mut all: Vec<Event> = Vec::new();
    for finding in findings {
        let told = aggregator.observe(&sample::context(), observation, finding, |_| None);
        all.extend(told.into_iter().map(|told| match told {
            Told::Event(event) => *event,
            told => panic!("{told:?}"),
        }));
    }
    assert!(all.iter().all(|event| event.action == Action::Created));
    let line = |event: &Event| serde_json::to_string(event).unwrap();
    all.iter().map(|event| serde_json::from_str(&line(event)).unwrap()).collect()
}

fn observed() -> Vec<Observation> {
    vec![
        run_by(NGINX, "/usr/bin/id", &["id", "-u"]),
        run_by("/bin/tmp.Zx81kQpL0a", NGINX, &["nginx", "-s", "reload"]),
        exec(NGINX, &["nginx"], None),
        exec("/bin/sh", &["sh", "-c", "id 17"], Some(INJECTED)),
        access("/etc/shadow", true, false, false),
        access("/etc/shadow", true, true, true),
        access("/var/cache/app/tmpzz9_q1ab/part", false, true, false),
        connect("10.9.9.9:443"),
        syscall("mount", false),
        syscall("mount", true),
    ]
}

#[test]
fn whatever_drifted_is_known_once_its_events_are_approved() {
    let baseline = Baseline::new(Image::here("web"));
    for observation in observed() {
        let mut approved = baseline.clone();
        let judge = Judge::new(&baseline, "k");
        let drifted = events(&judge, &observation);
        assert!(!drifted.is_empty(), "{observation:?}");
        for (id, event) in drifted.iter().enumerate() {
            let approval = Approval::of(event, grant(Scope::Image, None)).unwrap();
            assert!(approval.entries().count() > 0, "{approval:?}");
            approved.approvals.insert(id.to_string(), approval);
        }
        let allowed = approved.with_approved(Whereabouts::default(), at(1));
        let left = Judge::new(&allowed, "k").judge(&observation);
        assert_eq!(left, [], "{observation:?}");
        // It is written beside what was observed, not among it.
        assert_eq!((approved.entries(), approved.runs.len()), (0, 0));
        // And nothing else is.
        let other = connect("10.9.9.8:443");
        assert!(!Judge::new(&allowed, "k").judge(&other).is_empty());
    }
}

#[test]
fn what_happened_in_one_workload_is_allowed_there_alone_and_only_so_long() {
    let mut baseline = Baseline::new(Image::here("web"));
    let event = &events(&Judge::new(&baseline, "k"), &connect("10.9.9.9:443"))[0];
    let scope = Scope::Workload { namespace: "shop".to_owned(), name: "web".to_owned() };
    baseline.approvals.insert("1".to_owned(), Approval::of(event, grant(scope, Some(60))).unwrap());
    let knows = |namespace, workload, second| {
        let at_place = Whereabouts { namespace, workload };
        let allowed = baseline.with_approved(at_place, at(second));
        !allowed.executables.is_empty()
    };
    assert!(knows(Some("shop"), Some("web"), 59));
    assert!(!knows(Some("shop"), Some("web"), 60));
    assert!(!knows(Some("shop"), Some("api"), 1));
    assert!(!knows(Some("bank"), Some("web"), 1));
    assert!(!knows(None, None, 1));
    assert_eq!(baseline.next_expiry(at(1)), Some(at(60)));
    assert_eq!(baseline.next_expiry(at(60)), None);
}

#[test]
fn what_no_container_did_cannot_be_approved() {
    let gap = json!({"drift.kind": "sensor.gap", "drift.object": "rate"});
    let gap: Drifted = serde_json::from_value(gap).unwrap();
    assert!(Approval::of(&gap, grant(Scope::Image, None)).is_err());
}

#[test]
fn the_narrowest_scope_that_holds_is_taken() {
    let namespace = Scope::Namespace("shop".to_owned());
    let workload = Scope::Workload { namespace: "shop".to_owned(), name: "web".to_owned() };
    let all = [Scope::Image, namespace.clone(), workload.clone()];
    let narrowest = |namespace, workload| {
        Scope::narrowest(all.iter(), Whereabouts { namespace, workload }).cloned()
    };
    assert_eq!(narrowest(Some("shop"), Some("web")), Some(workload));
    assert_eq!(narrowest(Some("shop"), Some("api")), Some(namespace));
    assert_eq!(narrowest(Some("bank"), Some("web")), Some(Scope::Image));
}

fn approval() -> impl Strategy<Value = Approval> {
    let event = prop::sample::select(vec!["1.2.3.4:1", "1.2.3.4:2"]);
    (event, 0..3_i64, prop::option::of(10..12_i64)).prop_map(|(peer, approved, expires)| {
        let judge = Judge::new(&Baseline::new(Image::here("x")), "k");
        let event = &events(&judge, &connect(peer))[0];
        let grant = Grant { approved: at(approved), ..grant(Scope::Image, expires) };
        Approval::of(event, grant).unwrap()
    })
}

fn approvals() -> impl Strategy<Value = Baseline> {
    prop::collection::btree_map("[ab]", approval(), 0..3)
        .prop_map(|approvals| Baseline { approvals, ..Baseline::new(Image::here("x")) })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn approvals_merge_in_any_order(a in approvals(), b in approvals(), c in approvals()) {
        let merged = |one: &Baseline, other: &Baseline| one.clone().merge(other.clone()).unwrap();
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
        prop_assert_eq!(merged(&a, &a), a);
    }
}
