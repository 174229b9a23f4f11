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
    aggregator.observe(&sample::context(), &observation, finding, |_| None)
}

fn told(events: &[Event]) -> Vec<(Action, u64)> {
    events.iter().map(|event| (event.action, event.count)).collect()
}

#[test]
fn a_storm_is_one_event_at_once_one_a_minute_and_one_at_the_end() {
    let context = sample::context();
    let mut aggregator = Aggregator::new(CAPACITY);
    let first = observe(&mut aggregator, 1, 0);
    assert_eq!(told(&first), [(Action::Created, 1)]);
    for second in 1..=59 {
        assert_eq!(observe(&mut aggregator, 1, second), []);
        assert_eq!(aggregator.updates(&context, sample::later(second)), []);
    }
    let update = aggregator.updates(&context, sample::later(60));
    assert_eq!(told(&update), [(Action::Updated, 60)]);
    assert_eq!((update[0].id, update[0].time), (first[0].id, sample::start()));
    assert_eq!(update[0].last, sample::later(59));
    assert_eq!(aggregator.updates(&context, sample::later(61)), []);
    assert_eq!(observe(&mut aggregator, 1, 61), []);
    assert_eq!(told(&aggregator.close(&context)), [(Action::Closed, 61)]);
    assert!(aggregator.is_empty());
}

#[test]
fn what_was_not_repeated_is_not_written_again() {
    let context = sample::context();
    let mut aggregator = Aggregator::new(CAPACITY);
    observe(&mut aggregator, 1, 0);
    assert_eq!(aggregator.updates(&context, sample::later(600)), []);
    assert_eq!(aggregator.close(&context), []);
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

/// Observations of a few objects, with ticks of the clock between them.
fn story() -> impl Strategy<Value = Vec<(u8, bool)>> {
    prop::collection::vec((0..20_u8, any::<bool>()), 0..200)
}

proptest! {
    #[test]
    fn every_observation_is_counted_once_and_nothing_is_hidden(
        story in story(),
        capacity in 1..32_usize,
    ) {
        let context = sample::context();
        let mut aggregator = Aggregator::new(capacity);
        let mut events = Vec::new();
        for (at, (object, tick)) in story.iter().enumerate() {
            let seconds = i64::try_from(at).unwrap() * 20;
            events.extend(observe(&mut aggregator, *object, seconds));
            prop_assert!(aggregator.len() <= capacity);
            if *tick {
                events.extend(aggregator.updates(&context, sample::later(seconds)));
            }
        }
        events.extend(aggregator.close(&context));

        let mut newest = HashMap::new();
        for event in &events {
            let before = newest.insert(event.id, event.count);
            prop_assert_eq!(event.action == Action::Created, before.is_none());
            prop_assert!(before.is_none_or(|before| before < event.count));
        }
        let counted: u64 = newest.values().sum();
        prop_assert_eq!(counted, u64::try_from(story.len()).unwrap());

        let objects: HashSet<_> = story.iter().map(|(object, _)| object).collect();
        let created: Vec<_> =
            events.iter().filter(|event| event.action == Action::Created).collect();
        let told: HashSet<_> = created.iter().map(|event| &event.fingerprint).collect();
        prop_assert_eq!(told.len(), objects.len());
        if aggregator.forgotten() == 0 {
            prop_assert_eq!(created.len(), objects.len());
        }
    }
}
