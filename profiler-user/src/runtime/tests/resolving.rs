//! Asking until there is an answer.

use std::time::Instant;

use tokio::time::sleep;

use super::{
    super::{Discovery, State},
    fake_cri::Cri,
    *,
};
use crate::container::Role;

/// A runtime with one pod: sandbox `5a`, container `a1`.
fn with_pod(has_events: bool) -> Cri {
    let cri = Cri::new(has_events);
    cri.add_sandbox(&id("5a"));
    cri.add_container(&id("a1"), &id("5a"));
    cri
}

#[tokio::test]
async fn containers_and_sandboxes_are_identified() {
    let (place, cri) = (Place::new(), with_pod(false));
    let _serving = cri.serve(&place);
    let mut asking = Asking::start(place.config());
    assert_eq!(
        asking.health().await,
        format!("connected to containerd 1.6.0 at {} (CRI API)", place.endpoint())
    );
    assert_eq!(asking.known().await.len(), 2);
    asking.resolver.ask(id("a1"));
    assert_eq!(asking.identified().await.name.as_deref(), Some("web"));
    asking.resolver.ask(id("5a"));
    assert_eq!(asking.identified().await.role, Role::Sandbox);
    assert!(asking.resolver.health().is_connected());
}

#[tokio::test]
async fn what_is_listed_a_little_later_is_waited_for() {
    let (place, cri) = (Place::new(), with_pod(false));
    let _serving = cri.serve(&place);
    let mut asking = Asking::start(place.config());
    asking.known().await;
    for _ in 0..5 {
        asking.resolver.ask(id("b2"));
    }
    sleep(Duration::from_millis(300)).await;
    assert_eq!(asking.resolver.health().waiting, 1);
    cri.add_container(&id("b2"), &id("5a"));
    assert_eq!(asking.identified().await.id, id("b2"));
    assert_eq!(asking.within(Duration::from_millis(300)).await, [], "asked often, answered once");
    assert_eq!(asking.resolver.health().waiting, 0);
}

#[tokio::test]
async fn what_no_runtime_knows_is_given_up() {
    let (place, cri) = (Place::new(), with_pod(false));
    let _serving = cri.serve(&place);
    let unknown_patience = Duration::from_millis(500);
    let mut asking = Asking::start(Config { unknown_patience, ..place.config() });
    asking.resolver.ask(id("b2"));
    let (unresolved, why) = asking.unresolved().await;
    assert_eq!(unresolved, id("b2"));
    assert_eq!(
        why,
        format!(
            "{} does not know this container, asked again and again for 0.5 s",
            place.endpoint()
        )
    );
}

#[tokio::test]
async fn two_containers_with_one_id_are_said_to_be() {
    let (place, cri) = (Place::new(), with_pod(false));
    cri.add_container(&id("a1"), &id("5b"));
    let _serving = cri.serve(&place);
    let mut asking = Asking::start(place.config());
    asking.resolver.ask(id("a1"));
    let (_, why) = asking.unresolved().await;
    assert!(why.starts_with("2 containers of unix://"), "{why}");
}

#[tokio::test]
async fn asks_outlive_a_restart_of_the_runtime() {
    let (place, cri) = (Place::new(), with_pod(false));
    let serving = cri.serve(&place);
    let mut asking = Asking::start(place.config());
    asking.known().await;
    drop(serving);
    asking.resolver.ask(id("a1"));
    let lost = asking.health().await;
    assert!(lost.contains(&place.endpoint().to_string()), "{lost}");
    sleep(Duration::from_millis(500)).await;
    assert!(matches!(asking.resolver.health().endpoints[0].state, State::Failing { .. }));
    cri.add_container(&id("b2"), &id("5a"));
    let _serving = cri.serve(&place);
    let mut heard = Vec::new();
    while heard.len() < 3 {
        heard.push(asking.next().await);
    }
    assert!(
        heard
            .iter()
            .any(|answer| matches!(answer, Answer::Health(text) if text.starts_with("connected")))
    );
    assert!(heard.iter().any(|answer| matches!(answer, Answer::Known(all) if all.len() == 3)));
    assert!(
        heard.iter().any(|answer| matches!(answer, Answer::Identified(who) if who.id == id("a1")))
    );
}

#[tokio::test]
async fn one_that_answers_too_late_is_waited_for() {
    let (place, cri) = (Place::new(), with_pod(false));
    cri.knows().delay = 2 * LIMIT;
    let _serving = cri.serve(&place);
    let mut asking = Asking::start(Config { timeout: LIMIT, ..place.config() });
    asking.resolver.ask(id("a1"));
    let late = asking.health().await;
    assert!(late.contains("did not answer Version within 0.4 s"), "{late}");
    cri.knows().delay = Duration::ZERO;
    assert!(asking.health().await.starts_with("connected"));
    assert_eq!(asking.identified().await.id, id("a1"));
}

#[tokio::test]
async fn one_that_hangs_later_is_noticed_and_waited_for() {
    let (place, cri) = (Place::new(), with_pod(false));
    let _serving = cri.serve(&place);
    let mut asking = Asking::start(Config { timeout: LIMIT, ..place.config() });
    asking.known().await;
    cri.knows().delay = 10 * LIMIT;
    asking.resolver.ask(id("a1"));
    let late = asking.health().await;
    assert!(late.contains("did not answer Version within 0.4 s"), "{late}");
    cri.knows().delay = Duration::ZERO;
    assert_eq!(asking.identified().await.id, id("a1"));
}

#[tokio::test]
async fn slow_answers_do_not_queue_behind_each_other() {
    let (place, cri) = (Place::new(), Cri::new(false));
    cri.add_sandbox(&id("5a"));
    let _serving = cri.serve(&place);
    let mut asking = Asking::start(place.config());
    asking.known().await;
    let ids: Vec<_> = (0..64).map(|number| id(&format!("{number:064x}"))).collect();
    for id in &ids {
        cri.add_container(id, &self::id("5a"));
    }
    cri.knows().delay = Duration::from_millis(50);
    let start = Instant::now();
    for id in &ids {
        asking.resolver.ask(id.clone());
    }
    for _ in &ids {
        asking.identified().await;
    }
    // One after the other, 64 containers of at least two calls each would take 6.4 s.
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert!((8..=18).contains(&cri.busiest()), "{}", cri.busiest());
}

#[tokio::test]
async fn an_end_that_is_asked_for_is_told_when_it_is_there() {
    let (place, cri) = (Place::new(), with_pod(false));
    let _serving = cri.serve(&place);
    let mut asking = Asking::start(place.config());
    asking.known().await;
    asking.resolver.ask_end(id("a1"));
    asking.resolver.ask_end(id("c3"));
    assert_eq!(asking.within(Duration::from_millis(200)).await, [Answer::Forgotten(id("c3"))]);
    cri.end(&id("a1"), 3);
    let ended = asking.ended().await;
    assert_eq!((ended.id, ended.exit_code), (id("a1"), Some(3)));
    asking.resolver.ask_end(id("a1"));
    assert_eq!(asking.within(Duration::from_millis(300)).await, [], "told once");
}

#[tokio::test]
async fn ends_are_heard_of_from_the_event_stream() {
    let (place, cri) = (Place::new(), with_pod(true));
    let _serving = cri.serve(&place);
    let mut asking = Asking::start(place.config());
    asking.known().await;
    sleep(Duration::from_millis(100)).await;
    cri.end(&id("a1"), 9);
    cri.tell_stop(&id("a1"));
    assert_eq!(asking.ended().await.exit_code, Some(9));
}

#[tokio::test]
async fn a_runtime_without_events_is_asked_for_them_once() {
    let (place, cri) = (Place::new(), with_pod(false));
    let _serving = cri.serve(&place);
    let mut asking = Asking::start(place.config());
    asking.known().await;
    assert_eq!(asking.within(Duration::from_secs(6)).await, []);
    assert_eq!(cri.calls("GetContainerEvents"), 1);
    assert!(cri.calls("Version") >= 2, "an idle connection is looked after");
}

#[tokio::test]
async fn without_endpoints_they_are_looked_for_again_and_again() {
    let (place, cri) = (Place::new(), with_pod(false));
    let discovery = Discovery::of(vec![place.socket()]);
    let mut asking = Asking::start(Config { endpoints: Vec::new(), discovery, ..place.config() });
    asking.resolver.ask(id("a1"));
    sleep(Duration::from_millis(100)).await;
    assert_eq!(asking.resolver.health().endpoints, []);
    let _serving = cri.serve(&place);
    assert_eq!(asking.identified().await.id, id("a1"));
}

#[tokio::test]
async fn no_runtime_at_all_is_said_with_where_was_looked() {
    let place = Place::new();
    let discovery = Discovery::of(vec![place.socket()]);
    let patience = Duration::from_millis(300);
    let mut asking =
        Asking::start(Config { endpoints: Vec::new(), discovery, patience, ..place.config() });
    asking.resolver.ask(id("a1"));
    let (_, why) = asking.unresolved().await;
    let expected = format!(
        "no container runtime was found; looked for its socket at {}",
        place.socket().display()
    );
    assert!(why.contains(&expected), "{why}");
}

#[tokio::test]
async fn the_task_ends_with_its_last_handle() {
    let (place, cri) = (Place::new(), with_pod(true));
    let _serving = cri.serve(&place);
    let mut asking = Asking::start(place.config());
    asking.known().await;
    let Asking { resolver, mut answers } = asking;
    let other = resolver.clone();
    drop(resolver);
    other.ask(id("a1"));
    assert!(matches!(answers.recv().await, Some(Answer::Identified(_))));
    drop(other);
    assert_eq!(timeout(Duration::from_secs(5), answers.recv()).await.unwrap(), None);
}

#[tokio::test]
async fn a_runtime_that_is_away_may_know_what_others_do_not() {
    let (place, away) = (Place::new(), Place::new());
    let _serving = with_pod(false).serve(&place);
    let unknown_patience = Duration::from_millis(200);
    let endpoints = vec![place.endpoint(), away.endpoint()];
    let mut asking = Asking::start(Config { endpoints, unknown_patience, ..place.config() });
    asking.resolver.ask(id("b2"));
    asking.resolver.ask(id("a1"));
    assert_eq!(asking.identified().await.id, id("a1"), "known is known");
    sleep(Duration::from_millis(800)).await;
    let cri = with_pod(false);
    cri.add_container(&id("b2"), &id("5a"));
    let _later = cri.serve(&away);
    assert_eq!(asking.identified().await.id, id("b2"));
}

#[tokio::test]
async fn a_socket_that_was_found_and_is_no_runtime_holds_nothing_up() {
    let (place, other) = (Place::new(), Place::new());
    let _serving = with_pod(false).serve(&place);
    let _no_runtime = other.serve(|stream| async { drop(stream) });
    let discovery = Discovery::of(vec![other.socket(), place.socket()]);
    let unknown_patience = Duration::from_millis(200);
    let endpoints = Vec::new();
    let mut asking =
        Asking::start(Config { endpoints, discovery, unknown_patience, ..place.config() });
    asking.resolver.ask(id("b2"));
    let (_, why) = asking.unresolved().await;
    assert!(why.contains("does not know this container"), "{why}");
}
