use super::*;
use crate::drift::kind::DriftKind;
use crate::drift::{Event, sample};

pub(crate) fn event(object: &str) -> Event {
    sample::event(DriftKind::FileRead, &sample::read(object))
}

pub(crate) fn write(object: &str) -> Write {
    Write::Event(Box::new(event(object)))
}

#[tokio::test]
async fn what_is_committed_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("new")).await.unwrap();
    let committed = store.commit(vec![write("/a"), write("/b")]).await.unwrap();
    assert_eq!(committed, Committed { events: 2, newest: 2 });
    assert_eq!(*store.newest().borrow(), 2);
    let events = store.events_after(1, 10).await.unwrap();
    assert_eq!(events.len(), 1);
    assert!(events[0].line.contains(r#""drift.object":"/b""#), "{}", events[0].line);
}
