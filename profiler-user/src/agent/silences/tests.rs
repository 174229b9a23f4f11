use jiff::SignedDuration;

use super::*;
use crate::{
    drift::{DriftKind, Severity, sample},
    silence::{FILE, Selector},
    store::{Store, testing::verified},
};

fn silence(id: u128, hours: i64) -> Silence {
    let selector = Selector { kinds: vec![DriftKind::FileRead], ..Selector::default() };
    Silence {
        id: Ulid::from_parts(7, id),
        reason: "known".to_owned(),
        by: "ann".to_owned(),
        created: sample::start(),
        until: sample::start() + SignedDuration::from_hours(hours),
        severity: Severity::High,
        selector,
        ended: None,
    }
}

fn told(writes: &[Write]) -> Vec<(u128, Option<&'static str>)> {
    let mut told: Vec<_> = writes
        .iter()
        .map(|write| match write {
            Write::Silence(note) => (note.silence.id.random(), note.over),
            other => panic!("{other:?}"),
        })
        .collect();
    told.sort_unstable();
    told
}

fn at(hours: i64) -> Timestamp {
    sample::start() + SignedDuration::from_hours(hours)
}

fn is_marked(silences: &Silences, now: Timestamp) -> bool {
    let mut event = sample::event(DriftKind::FileRead, &sample::read("/a"));
    silences.mark(&mut event, now);
    event.silence.is_some()
}

#[test]
fn it_begins_ends_expires_and_is_removed_and_each_is_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    let mut silences = Silences::new(Some(path.clone()), Machine::default());
    let refresh = |silences: &mut Silences, now| {
        let mut out = Vec::new();
        let look_again = silences.refresh(now, &mut out);
        (told(&out), look_again)
    };
    assert_eq!(refresh(&mut silences, at(0)), (vec![], false));
    for (id, hours) in [(1, 1), (2, 5), (3, 9)] {
        File::add(&path, silence(id, hours), at(0)).unwrap();
    }
    let all = vec![(1, None), (2, None), (3, None)];
    assert_eq!(refresh(&mut silences, at(0)), (all, false));
    assert_eq!(refresh(&mut silences, at(0)), (vec![], false));
    assert_eq!(refresh(&mut silences, at(1)), (vec![(1, Some("expired"))], true));
    assert_eq!(refresh(&mut silences, at(1)), (vec![], false));
    File::end(&path, Ulid::from_parts(7, 2), "bob".to_owned(), at(1)).unwrap();
    assert_eq!(refresh(&mut silences, at(1)), (vec![(2, Some("ended"))], true));
    assert!(is_marked(&silences, at(2)) && !is_marked(&silences, at(9)));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(refresh(&mut silences, at(2)), (vec![(3, Some("removed"))], true));
    assert!(!is_marked(&silences, at(2)));
    assert_eq!(refresh(&mut silences, at(2)), (vec![], false));
}

#[test]
fn a_file_that_breaks_leaves_what_it_said() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    let metrics = Metrics::new(at(0)).unwrap();
    let mut silences = Silences::new(Some(path.clone()), Machine::default());
    File::add(&path, silence(1, 3), at(0)).unwrap();
    let mut out = Vec::new();
    silences.refresh(at(0), &mut out);
    std::fs::write(&path, "{").unwrap();
    assert!(!silences.refresh(at(0), &mut out));
    assert!(is_marked(&silences, at(0)));
    silences.tell(&metrics, at(0));
    let text = metrics.text().unwrap();
    assert!(text.contains("\ndriftline_silences_broken 1\n"), "{text}");
    assert!(text.contains("\ndriftline_silences_active 1\n"), "{text}");
    // It ends at its time all the same.
    assert!(silences.refresh(at(3), &mut out) && !is_marked(&silences, at(3)));
    std::fs::remove_file(&path).unwrap();
    silences.refresh(at(3), &mut out);
    silences.tell(&metrics, at(3));
    let text = metrics.text().unwrap();
    assert!(text.contains("\ndriftline_silences_broken 0\n"), "{text}");
    assert!(text.contains("\ndriftline_silences_next_end_timestamp_seconds 0\n"), "{text}");
}

#[test]
fn a_canary_is_never_silenced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    File::add(&path, silence(1, 3), at(0)).unwrap();
    let mut silences = Silences::new(Some(path), Machine::default());
    silences.refresh(at(0), &mut Vec::new());
    let mut event = sample::event(DriftKind::FileRead, &sample::read("/a"));
    event.canary = true;
    silences.mark(&mut event, at(0));
    assert!(event.silence.is_none());
}

#[tokio::test]
async fn the_history_has_its_beginning_and_its_end_once_whatever_is_started_again() {
    let (directory, history) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = directory.path().join(FILE);
    let store = Store::open(history.path()).await.unwrap();
    File::add(&path, silence(1, 1), at(0)).unwrap();
    // Of one that was over before any agent looked, nobody was kept from anything.
    File::add(&path, silence(2, 1), at(0)).unwrap();
    File::end(&path, Ulid::from_parts(7, 2), "bob".to_owned(), at(0)).unwrap();
    for now in [at(0), at(0), at(2), at(2)] {
        let mut silences = Silences::new(Some(path.clone()), Machine::default());
        let mut out = Vec::new();
        silences.refresh(now, &mut out);
        store.commit(out).await.unwrap();
    }
    let events = verified(&store).await;
    let values: Vec<serde_json::Value> =
        events.iter().map(|event| serde_json::from_str(&event.line).unwrap()).collect();
    assert_eq!(values.len(), 2, "{values:#?}");
    for (value, action, over) in
        [(&values[0], "created", serde_json::Value::Null), (&values[1], "closed", "expired".into())]
    {
        assert_eq!(value["event.id"], Ulid::from_parts(7, 1).to_string());
        assert_eq!((&value["event.action"], &value["silence.over"]), (&action.into(), &over));
        assert_eq!(value["chain.record"], "silence");
        assert_eq!(value["silence.reason"], "known");
        assert_eq!(value["silence.match"], "kind file.read");
        assert!(events.iter().all(|event| !event.is_drift()));
    }
    crate::store::testing::whole(history.path()).await;
}
