//! The questions, asked of a history of which everything is known.

mod groups;
pub(crate) mod history;
pub(crate) mod hostile;
mod ongoing;
pub(crate) mod spread;

use history::{ALERT, after, at, laboratory, of};

use super::*;
use crate::drift::Severity;

async fn told(selector: Selector) -> Vec<String> {
    let (dir, _ids) = laboratory().await;
    let mut history = History::open(dir.path()).await.unwrap();
    let timeline = timeline(&mut history, &selector, 100).await.unwrap();
    history.close().await;
    assert!(!timeline.cut);
    timeline.entries.iter().map(name).collect()
}

/// Short enough to be compared.
fn name(entry: &Entry) -> String {
    match entry {
        Entry::Drift(told) => format!("{} {} {}", told.place(), told.kind, told.object),
        Entry::Started(moment) => format!("{} started", moment.place()),
        Entry::Ended(moment) => format!("{} ended", moment.place()),
        Entry::Gap(_) => "gap".to_owned(),
    }
}

#[tokio::test]
async fn a_timeline_has_everything_in_the_order_in_which_it_happened() {
    assert_eq!(
        told(Selector::default()).await,
        [
            "shop/web-old/web started",
            "shop/web-old/web ended",
            "shop/web-new/web started",
            "shop/db-0/db started",
            "shop/web-new/web file.read /etc/passwd",
            "shop/web-new/web exec /bin/sh",
            "shop/web-new/web net.connect tcp 10.0.0.9:5432",
            "gap",
            "shop/db-0/db exec /bin/sh",
            "shop/web-new/web ended",
        ]
    );
}

#[tokio::test]
async fn each_selector_holds_what_it_names_and_nothing_else() {
    let some = |text: &str| Some(text.to_owned());
    let none = Selector::default;
    let web = ["file.read /etc/passwd", "exec /bin/sh", "net.connect tcp 10.0.0.9:5432"]
        .map(|what| format!("shop/web-new/web {what}"));
    let database = "shop/db-0/db exec /bin/sh".to_owned();
    let all: Vec<String> = web.iter().chain([&database]).cloned().collect();
    let grave = Some(Severity::Info);
    for (selector, expected) in [
        (Selector { severity: grave, ..none() }, all.clone()),
        (Selector { severity: grave, namespace: some("shop"), ..none() }, all.clone()),
        (Selector { severity: grave, namespace: some("shop2"), ..none() }, vec![]),
        (Selector { severity: grave, pod: some("web-new"), ..none() }, web.to_vec()),
        (Selector { severity: grave, workload: some("db"), ..none() }, vec![database.clone()]),
        (Selector { severity: grave, node: some("node-2"), ..none() }, vec![database.clone()]),
        (Selector { severity: grave, image: some("registry/web"), ..none() }, web.to_vec()),
        (Selector { severity: grave, image: some("registry/web:2"), ..none() }, web.to_vec()),
        (Selector { severity: grave, digest: some("sha256:web2"), ..none() }, web.to_vec()),
        (
            Selector { severity: grave, digest: some("sha256:manifest-web2"), ..none() },
            web.to_vec(),
        ),
        (Selector { severity: grave, digest: some("web2"), ..none() }, vec![]),
        (Selector { kind: some("exec"), ..none() }, vec![web[1].clone(), database.clone()]),
        (Selector { kind: some("net"), ..none() }, vec![web[2].clone()]),
        (Selector { kind: some("ne"), ..none() }, vec![]),
        (Selector { severity: Some(Severity::High), ..none() }, all[1..].to_vec()),
        (Selector { technique: some("T1059"), ..none() }, all[1..].to_vec()),
        (Selector { technique: some("T1059.004"), ..none() }, all[1..].to_vec()),
        (Selector { technique: some("T105"), ..none() }, vec![]),
        (Selector { container: Some(of("web-new")), severity: grave, ..none() }, web.to_vec()),
        (
            Selector { severity: grave, from: Some(at(after("db"))), ..none() },
            vec![database.clone()],
        ),
        (Selector { severity: grave, until: Some(at(after("db") - 1)), ..none() }, web.to_vec()),
    ] {
        assert_eq!(told(selector.clone()).await, expected, "{selector:?}");
    }
}

#[tokio::test]
async fn a_timeline_that_is_cut_keeps_the_newest_and_says_so() {
    let (dir, _ids) = laboratory().await;
    let mut history = History::open(dir.path()).await.unwrap();
    let timeline = timeline(&mut history, &Selector::default(), 2).await.unwrap();
    assert!(timeline.cut);
    let names: Vec<_> = timeline.entries.iter().map(name).collect();
    assert_eq!(names, ["shop/db-0/db exec /bin/sh", "shop/web-new/web ended"]);
}

#[tokio::test]
async fn what_happened_before_is_found_by_an_event_a_fingerprint_or_the_beginning_of_one() {
    let (dir, ids) = laboratory().await;
    let mut history = History::open(dir.path()).await.unwrap();
    let by_event = seen(&mut history, &ids[ALERT]).await.unwrap();
    assert_eq!((by_event.count, by_event.occurrences.len()), (1 + 7, 2));
    assert_eq!(by_event.first, at(after("shell")));
    let counts: Vec<_> = by_event.occurrences.iter().map(|one| (one.place(), one.count)).collect();
    assert_eq!(counts, [("shop/web-new/web".to_owned(), 1), ("shop/db-0/db".to_owned(), 7)]);
    assert!(by_event.occurrences[0].ended.is_some() && by_event.occurrences[1].ended.is_none());
    for name in [by_event.fingerprint.as_str(), &by_event.fingerprint[..6]] {
        let again = seen(&mut history, name).await.unwrap();
        assert_eq!(again.occurrences, by_event.occurrences);
    }
}

#[tokio::test]
async fn the_scope_names_all_who_did_it() {
    let (dir, ids) = laboratory().await;
    let mut history = History::open(dir.path()).await.unwrap();
    let spread = scope_of(&mut history, &ids[ALERT]).await.unwrap();
    let list = |set: &std::collections::BTreeSet<String>| Vec::from_iter(set.clone()).join(" ");
    assert_eq!(list(&spread.nodes), "node-1 node-2");
    assert_eq!(list(&spread.pods), "shop/db-0 shop/web-new");
    assert_eq!(list(&spread.workloads), "shop/db shop/web");
    assert_eq!((spread.containers.len(), spread.running), (2, 1));
    let selector = Selector { pod: Some("web-new".to_owned()), ..Selector::default() };
    let one = scope(&mut history, &selector).await.unwrap();
    assert_eq!((one.containers.len(), one.containers[0].count, one.running), (1, 3, 0));
}

#[tokio::test]
async fn before_an_alert_is_what_the_container_did_anew_and_which_image_it_had_before() {
    let (dir, ids) = laboratory().await;
    let mut history = History::open(dir.path()).await.unwrap();
    let window = jiff::SignedDuration::from_mins(10);
    let answer = before(&mut history, &ids[ALERT], window, 100).await.unwrap();
    let objects: Vec<_> = answer.drift.iter().map(|told| told.object.as_str()).collect();
    assert_eq!(objects, ["/etc/passwd"]);
    assert_eq!(answer.first_ever.len(), 2, "neither was done before by anybody");
    let image = answer.image_before.expect("a rollout");
    assert_eq!(image.id.as_deref(), Some("sha256:web1"));
    // The same drift, later, elsewhere.
    let second = before(&mut history, &ids[ALERT + 2], window, 100).await.unwrap();
    assert!(second.drift.is_empty() && second.first_ever.is_empty());
    assert!(second.image_before.is_none());
    assert_eq!(second.gaps.len(), 1);
    let short = before(&mut history, &ids[ALERT], jiff::SignedDuration::from_secs(1), 100).await;
    assert!(short.unwrap().drift.is_empty());
}

#[tokio::test]
async fn a_container_that_is_gone_is_told_of_in_full() {
    let (dir, _ids) = laboratory().await;
    let mut history = History::open(dir.path()).await.unwrap();
    let life = container(&mut history, &of("web-new")[..12], 100).await.unwrap();
    assert_eq!(life.identity.exit_code, Some(137));
    assert_eq!(life.identity.reason.as_deref(), Some("OOMKilled"));
    assert_eq!(life.drift.len(), 3);
    assert_eq!(life.lost, [("exec".to_owned(), 3)].into());
    assert_eq!((life.capture, life.workload.as_deref()), ("from_start", Some("web")));
}
