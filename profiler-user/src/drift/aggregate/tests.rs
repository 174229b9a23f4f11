use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::drift::kind::{DriftKind, Novelty};
use crate::drift::sample;

fn drift(object: u8, seconds: i64) -> (Observation, Finding) {
    let mut observation = sample::read(&format!("/srv/{object}"));
    observation.time = sample::later(seconds);
    let finding = sample::finding(DriftKind::FileRead, Novelty::Container, &observation);
    (observation, finding)
}

fn observe(aggregator: &mut Aggregator, object: u8, seconds: i64) -> Vec<Event> {
    let (observation, finding) = drift(object, seconds);
    events(aggregator.observe(&sample::context(), &observation, finding, |_| None))
}

fn updates(aggregator: &mut Aggregator, now: Timestamp) -> Vec<Event> {
    events(aggregator.updates(&sample::context(), now))
}

fn close(aggregator: &mut Aggregator) -> Vec<Event> {
    events(aggregator.close(&sample::context()))
}

/// Without evidence.
fn events(told: Vec<Told>) -> Vec<Event> {
    let event = |told| match told {
        Told::Event(event) => Some(*event),
        Told::Evidence(_) | Told::Repeated(_) => None,
    };
    told.into_iter().filter_map(event).collect()
}

fn told(events: &[Event]) -> Vec<(Action, u64)> {
    events.iter().map(|event| (event.action, event.count)).collect()
}

#[test]
fn a_storm_is_one_event_at_once_one_a_minute_and_one_at_the_end() {
    let mut aggregator = Aggregator::new(CAPACITY);
    let first = observe(&mut aggregator, 1, 0);
    assert_eq!(told(&first), [(Action::Created, 1)]);
    for second in 1..=59 {
        assert_eq!(observe(&mut aggregator, 1, second), []);
        assert_eq!(updates(&mut aggregator, sample::later(second)), []);
    }
    let update = updates(&mut aggregator, sample::later(60));
    assert_eq!(told(&update), [(Action::Updated, 60)]);
    assert_eq!((update[0].id, update[0].time), (first[0].id, sample::start()));
    assert_eq!(update[0].last, sample::later(59));
    assert_eq!(updates(&mut aggregator, sample::later(61)), []);
    assert_eq!(observe(&mut aggregator, 1, 61), []);
    assert_eq!(told(&close(&mut aggregator)), [(Action::Closed, 61)]);
    assert!(aggregator.is_empty());
}

#[test]
fn what_was_not_repeated_is_not_written_again() {
    let mut aggregator = Aggregator::new(CAPACITY);
    observe(&mut aggregator, 1, 0);
    assert_eq!(updates(&mut aggregator, sample::later(600)), []);
    assert_eq!(close(&mut aggregator), []);
}

#[test]
fn with_no_room_the_quietest_is_closed_and_counted() {
    let mut aggregator = Aggregator::new(2);
    observe(&mut aggregator, 1, 0);
    observe(&mut aggregator, 2, 1);
    observe(&mut aggregator, 1, 2);
    observe(&mut aggregator, 2, 3);
    let events = observe(&mut aggregator, 3, 4);
    assert_eq!(told(&events), [(Action::Closed, 2), (Action::Created, 1)]);
    assert_eq!(events[0].object, "/srv/1");
    assert_eq!((aggregator.len(), aggregator.forgotten()), (2, 1));
    assert_eq!(told(&observe(&mut aggregator, 1, 5)).last(), Some(&(Action::Created, 1)));
}

/// Objects of a few sorts, with ticks of the clock between them, and how long each waits for the next.
fn story() -> impl Strategy<Value = Vec<(u8, bool, u8)>> {
    prop::collection::vec((0..60_u8, any::<bool>(), 0..20_u8), 0..300)
}

proptest! {
    #[test]
    fn every_observation_is_counted_once_and_nothing_is_hidden(
        story in story(),
        capacity in 1..32_usize,
    ) {
        let context = sample::context();
        let mut aggregator = Aggregator::new(capacity);
        let mut all = Vec::new();
        let mut seconds = 0;
        for (object, tick, wait) in &story {
            seconds += i64::from(*wait) / 4;
            let (observation, finding) = drift(*object, seconds);
            all.extend(aggregator.observe(&context, &observation, finding, |_| None));
            prop_assert!(aggregator.len() <= capacity * (1 + room::MEMBERS));
            if *tick {
                all.extend(aggregator.updates(&context, sample::later(seconds)));
            }
        }
        all.extend(aggregator.close(&context));

        let evidence: Vec<_> = all.iter().filter_map(|told| match told {
            Told::Evidence(event) => Some((**event).clone()),
            _ => None,
        }).collect();
        let events = events(all);
        let mut newest = HashMap::new();
        let mut closed = HashSet::new();
        for event in &events {
            let before = newest.insert(event.id, event);
            prop_assert_eq!(event.action == Action::Created, before.is_none());
            let grows = event.action == Action::Closed && event.group.is_some();
            prop_assert!(before.is_none_or(|before| before.count + u64::from(!grows) <= event.count));
            prop_assert!(!closed.contains(&event.id));
            if event.action == Action::Closed {
                closed.insert(event.id);
            }
        }
        let counted: u64 = newest.values().map(|event| event.count).sum();
        prop_assert_eq!(counted, u64::try_from(story.len()).unwrap());
        let joined: u64 = newest.values().filter_map(|event| Some(event.group.as_ref()?.objects)).sum();
        prop_assert_eq!(joined, u64::try_from(evidence.len()).unwrap());
        prop_assert!(newest.values().all(|event| event.group.is_none() || closed.contains(&event.id)));

        let objects: HashSet<_> = story.iter().map(|(object, ..)| object).collect();
        let own = events.iter().filter(|event| event.action == Action::Created && event.group.is_none());
        let firsts: Vec<_> = own.chain(&evidence).map(|event| &event.fingerprint).collect();
        let told: HashSet<_> = firsts.iter().collect();
        prop_assert_eq!(told.len(), objects.len());
        if aggregator.forgotten() == 0 && seconds < 300 {
            prop_assert_eq!(firsts.len(), objects.len());
        }
    }
}

mod groups;
