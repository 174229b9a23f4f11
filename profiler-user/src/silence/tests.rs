use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use super::*;
use crate::drift::{DriftKind, Origin, sample};

fn now() -> Timestamp {
    sample::start()
}

fn silence(selector: Selector) -> Silence {
    Silence {
        id: Ulid::from_datetime(now().into()),
        reason: "the index is rebuilt (OPS-7)".to_owned(),
        by: "ann".to_owned(),
        created: now(),
        until: now() + SignedDuration::from_hours(2),
        severity: Severity::High,
        selector,
        ended: None,
    }
}

fn list(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// `/bin/sh` by nginx, in a pod.
fn shell() -> Event {
    let mut event =
        sample::event(DriftKind::Exec, &sample::exec("/bin/sh", &["sh"], Some("/usr/sbin/nginx")));
    event.severity = Severity::High;
    event.origin = Arc::new(Origin {
        namespace: Some("shop".to_owned()),
        pod: Some("web-5d4f".to_owned()),
        pod_container: Some("nginx".to_owned()),
        container_id: Some("c0ffee".repeat(10)),
        image_name: Some("registry/web".to_owned()),
        workload: Some("web".to_owned()),
        ..Origin::default()
    });
    event
}

#[test]
fn each_condition_must_hold_and_any_of_its_values_will_do() {
    let event = shell();
    let base = || Selector { kinds: vec![DriftKind::Exec], ..Selector::default() };
    for (selector, fits) in [
        (base(), true),
        (Selector { kinds: vec![DriftKind::FileRead, DriftKind::Exec], ..base() }, true),
        (Selector { kinds: vec![DriftKind::ExecInjected], ..base() }, false),
        (Selector { objects: list(&["/bin/*"]), ..base() }, true),
        (Selector { objects: list(&["/bin"]), ..base() }, false),
        (Selector { executables: list(&["/bin/sh"]), ..base() }, true),
        (Selector { executables: list(&["/usr/sbin/nginx"]), ..base() }, false),
        (Selector { namespaces: list(&["cart", "shop"]), ..base() }, true),
        (Selector { namespaces: list(&["shop"]), workloads: list(&["cart"]), ..base() }, false),
        (Selector { pods: list(&["web-*"]), containers: list(&["nginx"]), ..base() }, true),
        (Selector { containers: list(&["c0ffeec0ffee"]), ..base() }, true),
        (Selector { containers: list(&["c0ffee"]), ..base() }, false),
        (Selector { images: list(&["registry/*"]), ..base() }, true),
        (Selector { images: list(&["registry/cart"]), ..base() }, false),
        (Selector { fingerprints: vec![event.fingerprint.clone()], ..Selector::default() }, true),
        (Selector { fingerprints: list(&["0123456789abcdef"]), ..Selector::default() }, false),
    ] {
        assert_eq!(silence(selector.clone()).covers(&event, now()), fits, "{selector}");
    }
}

#[test]
fn it_holds_until_its_end_and_never_for_what_is_graver_than_it_says() {
    let one = silence(Selector { kinds: vec![DriftKind::Exec], ..Selector::default() });
    let mut event = shell();
    let last = one.until - SignedDuration::from_nanos(1);
    assert!(one.covers(&event, last) && !one.covers(&event, one.until));
    assert_eq!((one.state(last), one.state(one.until)), (State::Active, State::Expired));
    let ended = Ended { at: now(), by: "bob".to_owned() };
    assert!(!Silence { ended: Some(ended), ..one.clone() }.covers(&event, now()));
    event.severity = Severity::Critical;
    assert!(!one.covers(&event, now()));
    assert!(Silence { severity: Severity::Critical, ..one }.covers(&event, now()));
}

#[test]
fn what_has_no_end_no_reason_or_no_matter_is_refused() {
    let good = silence(Selector { kinds: vec![DriftKind::Exec], ..Selector::default() });
    assert_eq!(good.check(now()), Ok(()));
    let place = Selector { namespaces: list(&["shop"]), ..Selector::default() };
    let crafted = Selector { fingerprints: list(&["*"]), ..Selector::default() };
    let empty = Selector { objects: list(&[" "]), ..Selector::default() };
    let days = |days: i64| now() + SignedDuration::from_hours(days * 24);
    for (bad, why) in [
        (Silence { reason: " ".to_owned(), ..good.clone() }, "no reason"),
        (Silence { reason: "x".repeat(301), ..good.clone() }, "longer than 300"),
        (Silence { by: String::new(), ..good.clone() }, "who made it"),
        (Silence { until: now(), ..good.clone() }, "before it begins"),
        (Silence { until: days(91), ..good.clone() }, "longer than 90 days"),
        (Silence { created: days(800), until: days(801), ..good.clone() }, "that is to come"),
        (silence(place), "says where, and not what"),
        (silence(crafted), "is no fingerprint"),
        (silence(empty), "is empty"),
    ] {
        let said = bad.check(now()).unwrap_err();
        assert!(said.contains(why), "{said}");
    }
    assert!(Silence { until: days(90), ..good }.check(now()).is_ok());
}

#[test]
fn what_is_wide_is_warned_of_and_what_is_narrow_is_not() {
    let narrow = Selector {
        kinds: vec![DriftKind::Exec],
        objects: list(&["/bin/sh"]),
        workloads: list(&["web"]),
        ..Selector::default()
    };
    assert_eq!(silence(narrow.clone()).warnings(), Vec::<String>::new());
    let warned = |one: Silence, words: &str| {
        let said = one.warnings();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains(words), "{said:?}");
    };
    warned(silence(Selector { objects: Vec::new(), ..narrow.clone() }), "every object of exec");
    warned(silence(Selector { objects: list(&["/*"]), ..narrow.clone() }), "every object of exec");
    warned(silence(Selector { workloads: list(&["*"]), ..narrow.clone() }), "every container");
    warned(silence(Selector { kinds: Vec::new(), ..narrow.clone() }), "whatever is done");
    let narrow = silence(narrow);
    warned(Silence { severity: Severity::Critical, ..narrow.clone() }, "nobody is called");
    let until = now() + SignedDuration::from_hours(24 * 30);
    warned(Silence { until, ..narrow }, "it lasts 30 days");
}

#[test]
fn a_file_is_changed_as_a_whole_and_keeps_what_is_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    assert_eq!(Silences::load(&path, now()).unwrap(), Silences::default());
    let one = silence(Selector { kinds: vec![DriftKind::Exec], ..Selector::default() });
    Silences::add(&path, one.clone(), now()).unwrap();
    let other = Silence { id: Ulid::from_parts(1, 2), ..one.clone() };
    Silences::add(&path, other.clone(), now()).unwrap();
    let ended = Silences::end(&path, one.id, "bob".to_owned(), now()).unwrap();
    assert_eq!(ended.ended.unwrap().by, "bob");
    let all = Silences::load(&path, now()).unwrap();
    let ids = |all: &Silences| all.active(now()).map(|one| one.id).collect::<Vec<_>>();
    assert_eq!((all.silences.len(), ids(&all)), (2, vec![other.id]));
    for id in [one.id, Ulid::from_parts(9, 9)] {
        let error = Silences::end(&path, id, "bob".to_owned(), now()).unwrap_err();
        assert!(matches!(error, SilencesError::Unknown { .. }), "{error}");
    }
    assert_eq!(Silences::load(&path, now()).unwrap(), all);
    // No half of a file is ever there.
    let left: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(left.len(), 2, "the file and its lock: {left:?}");
}

#[test]
fn two_commands_at_once_both_count() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    let one = silence(Selector { kinds: vec![DriftKind::Exec], ..Selector::default() });
    std::thread::scope(|scope| {
        for n in 0..16 {
            let (path, one) = (&path, Silence { id: Ulid::from_parts(1, n), ..one.clone() });
            scope.spawn(move || Silences::add(path, one, now()).unwrap());
        }
    });
    assert_eq!(Silences::load(&path, now()).unwrap().silences.len(), 16);
}

proptest::proptest! {
    /// Whoever writes there writes what they like: it is refused with a reason, or what was read holds what every silence must.
    #[test]
    fn whatever_is_in_the_file_is_read_or_refused(at in 0_usize..600, byte: u8, cut in 0_usize..600) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        let one = silence(Selector { kinds: vec![DriftKind::Exec], ..Selector::default() });
        Silences::add(&path, one, now()).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let length = bytes.len();
        bytes[at % length] = byte;
        bytes.truncate(length - cut % 8);
        std::fs::write(&path, &bytes).unwrap();
        match Silences::load(&path, now()) {
            Ok(all) => assert!(all.silences.iter().all(|one| one.check(now()).is_ok())),
            Err(error) => assert!(!error.to_string().chars().any(char::is_control), "{error}"),
        }
    }
}

#[test]
fn a_file_that_cannot_be_meant_is_refused_as_a_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    let one = silence(Selector { kinds: vec![DriftKind::Exec], ..Selector::default() });
    Silences::add(&path, one, now()).unwrap();
    let good = std::fs::read_to_string(&path).unwrap();
    for (bad, why) in [
        ("{".to_owned(), "EOF"),
        ("[]".to_owned(), "no JSON object"),
        (good.replace("/v1", "/v9"), "schema_version"),
        (good.replace("\"exec\"", "\"exce\""), "unknown variant"),
        (good.replace("\"by\"", "\"reason\": \"x\", \"by\""), "reason"),
        (good.replace("\"by\"", "\"whoever\""), "unknown field"),
        (good.replace("the index is rebuilt (OPS-7)", " "), "no reason"),
    ] {
        assert_ne!(bad, good);
        std::fs::write(&path, bad).unwrap();
        let error = Silences::load(&path, now()).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains(FILE), "{error}");
    }
    std::fs::write(&path, &good).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
    let error = Silences::load(&path, now()).unwrap_err().to_string();
    assert!(error.contains("anybody may write to it"), "{error}");
}
