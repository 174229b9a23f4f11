//! Baselines for some containers of an image only, and for images that have none.

use super::*;
use crate::{
    baseline::{Approval, Drifted, Grant},
    container::Pod,
    drift::sample,
};

fn at(identity: Identity, namespace: &str, app: &str) -> Identity {
    let labels = [("app".to_owned(), app.to_owned())].into();
    let pod = Pod { namespace: Some(namespace.to_owned()), labels, ..Pod::default() };
    Identity { pod: Some(pod), ..identity }
}

fn web() -> Identity {
    container("1111", "registry/shop/web", "web")
}

fn save_for(directory: &Path, identity: &Identity, scope: Scope) -> (PathBuf, String) {
    let baseline = Baseline { scope, ..Baseline::new(Image::of_container(identity).unwrap()) };
    (baseline::save(directory, &baseline).unwrap(), baseline.id())
}

fn shop() -> Scope {
    Scope::Namespace("shop".to_owned())
}

fn shop_web() -> Scope {
    Scope::Workload { namespace: "shop".to_owned(), name: "web".to_owned() }
}

#[test]
fn the_narrowest_scope_wins_and_one_that_does_not_hold_says_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let ids =
        [Scope::Image, shop(), shop_web()].map(|scope| save_for(directory.path(), &web(), scope).1);
    let mut catalogue = Catalogue::new(directory.path(), "k".to_owned(), None);
    catalogue.refresh(now());
    assert_eq!(catalogue.len(), 3);
    let chosen = |identity: &Identity| {
        let choice = catalogue.choose(identity).unwrap().unwrap();
        (choice.id, choice.status)
    };
    for (namespace, app, expected) in
        [("shop", "web", &ids[2]), ("shop", "api", &ids[1]), ("bank", "web", &ids[0])]
    {
        let (id, status) = chosen(&at(web(), namespace, app));
        assert_eq!((&id, status), (expected, BaselineStatus::Exact), "{namespace}/{app}");
    }
    // What is of the image itself is nearer than what is narrower and of another.
    let newer = container("2222", "registry/shop/web", "web");
    let (_, own) = save_for(directory.path(), &newer, Scope::Image);
    let mut catalogue = Catalogue::new(directory.path(), "k".to_owned(), None);
    catalogue.refresh(now());
    let choice = catalogue.choose(&at(newer, "shop", "web")).unwrap().unwrap();
    assert_eq!((choice.id, choice.status), (own, BaselineStatus::Exact));
}

#[test]
fn without_a_wider_one_other_containers_have_none() {
    let directory = tempfile::tempdir().unwrap();
    save_for(directory.path(), &web(), shop_web());
    let mut catalogue = Catalogue::new(directory.path(), "k".to_owned(), None);
    catalogue.refresh(now());
    assert!(catalogue.choose(&at(web(), "shop", "web")).unwrap().is_some());
    assert!(catalogue.choose(&at(web(), "bank", "web")).unwrap().is_none());
    assert!(catalogue.choose(&web()).unwrap().is_none());
}

#[test]
fn a_refused_narrower_one_is_told_where_it_would_have_judged() {
    let signed = Signed::new();
    save_for(signed.baselines.path(), &signed.web, shop());
    let catalogue = signed.catalogue();
    let refused = |identity: &Identity| {
        let choice = catalogue.choose(identity).unwrap().unwrap();
        assert_eq!(choice.signature, BaselineSignature::Verified);
        catalogue.refused(identity, Some(&choice)).map(|refused| refused.reason)
    };
    assert_eq!(refused(&at(web(), "shop", "web")), Some(Reason::Unsigned));
    assert_eq!(refused(&at(web(), "bank", "web")), None);
}

/// An approval is somebody's word on one image.
#[test]
fn what_was_approved_judges_another_image_and_is_not_inherited() {
    let directory = tempfile::tempdir().unwrap();
    let mut baseline = Baseline::new(Image::of_container(&web()).unwrap());
    let drifted: Drifted =
        serde_json::from_str(r#"{"drift.kind": "syscall", "drift.object": "ptrace"}"#).unwrap();
    let grant = Grant {
        approved: now(),
        by: None,
        reason: "a debugger".to_owned(),
        expires: None,
        scope: Scope::Image,
    };
    baseline.approvals.insert("01K".to_owned(), Approval::of(&drifted, grant).unwrap());
    baseline::save(directory.path(), &baseline).unwrap();
    let mut catalogue = Catalogue::new(directory.path(), "k".to_owned(), None);
    catalogue.refresh(now());
    let newer = container("2222", "registry/shop/web", "web");
    let choice = catalogue.choose(&newer).unwrap().unwrap();
    assert!(choice.judge.is_known(&sample::syscall("ptrace")));
    let inheritance = choice.inheritance.unwrap();
    assert!(!inheritance.judge.is_known(&sample::syscall("ptrace")));
    assert!(catalogue.choose(&web()).unwrap().unwrap().inheritance.is_none());
}
