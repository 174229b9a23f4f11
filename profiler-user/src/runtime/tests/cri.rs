//! What is made of the CRI's answers.

use super::{
    super::{Client, Error},
    fake_cri::{Cri, config_digest},
    *,
};
use crate::container::Role;

async fn connected(cri: &Cri) -> (Place, Serving, Client) {
    let place = Place::new();
    let serving = cri.serve(&place);
    let (client, runtime) = Client::connect(&place.endpoint(), PLENTY).await.unwrap();
    assert_eq!(
        (runtime.name.as_str(), runtime.version.as_str(), runtime.api),
        ("containerd", "1.6.0", "CRI")
    );
    (place, serving, client)
}

#[tokio::test]
async fn a_container_is_described_with_its_pod_and_image() {
    let cri = Cri::new(false);
    cri.add_sandbox(&id("5a"));
    cri.add_container(&id("a1"), &id("5a"));
    let (_place, _serving, client) = connected(&cri).await;
    let description = client.describe(&id("a1")).await.unwrap().unwrap();
    assert!(!description.ended);
    let found = description.identity;
    assert_eq!((found.role, found.pid, found.attempt), (Role::Container, Some(4711), 2));
    assert_eq!(found.name.as_deref(), Some("web"));
    assert_eq!(found.log_path.as_deref(), Some("/var/log/pods/web/2.log"));
    assert_eq!(found.started.unwrap().as_second(), 2);
    assert_eq!((found.finished, found.exit_code), (None, None));
    let pod = found.pod.unwrap();
    assert_eq!(
        (pod.uid.as_str(), pod.name.as_deref(), pod.namespace.as_deref()),
        ("uid-1", Some("web-1"), Some("shop"))
    );
    assert_eq!(pod.ip.unwrap().to_string(), "10.1.2.3");
    assert_eq!(pod.labels.into_iter().collect::<Vec<_>>(), [("app".to_owned(), "web".to_owned())]);
    let image = found.image.unwrap();
    assert_eq!(image.id, Some(config_digest()));
    assert_eq!(image.reference.as_deref(), Some("r.local:5000/web:1"));
    assert_eq!(image.name, "r.local:5000/web");
    assert_eq!((image.tags.len(), image.repo_digests.len()), (1, 1));
    assert_eq!(image.architecture.as_deref(), Some("aarch64"));
}

#[tokio::test]
async fn a_sandbox_is_described_as_one() {
    let cri = Cri::new(false);
    cri.add_sandbox(&id("5a"));
    let (_place, _serving, client) = connected(&cri).await;
    let description = client.describe(&id("5a")).await.unwrap().unwrap();
    assert_eq!(description.identity.role, Role::Sandbox);
    assert_eq!(description.identity.pod_name(), Some("web-1"));
    assert_eq!(description.identity.pid, Some(4700));
    assert_eq!(client.describe(&id("a1")).await.unwrap(), None);
}

#[tokio::test]
async fn images_and_pods_are_asked_for_once() {
    let cri = Cri::new(false);
    cri.add_sandbox(&id("5a"));
    cri.add_container(&id("a1"), &id("5a"));
    let (_place, _serving, client) = connected(&cri).await;
    for _ in 0..3 {
        client.describe(&id("a1")).await.unwrap().unwrap();
    }
    assert_eq!((cri.calls("ImageStatus"), cri.calls("PodSandboxStatus")), (1, 1));
    assert_eq!(cri.calls("ContainerStatus"), 3);
}

#[tokio::test]
async fn an_ended_container_has_its_end() {
    let cri = Cri::new(false);
    cri.add_container(&id("a1"), &id("5a"));
    cri.end(&id("a1"), 137);
    let (_place, _serving, client) = connected(&cri).await;
    let description = client.describe(&id("a1")).await.unwrap().unwrap();
    assert!(description.ended);
    let found = description.identity;
    assert_eq!(
        (found.exit_code, found.reason.as_deref(), found.pid),
        (Some(137), Some("Error"), None)
    );
    assert_eq!(found.finished.unwrap().as_second(), 3);
}

#[tokio::test]
async fn two_with_one_id_are_neither() {
    let cri = Cri::new(false);
    cri.add_container(&id("a1"), &id("5a"));
    cri.add_container(&id("a1"), &id("5b"));
    let (_place, _serving, client) = connected(&cri).await;
    let error = client.describe(&id("a1")).await.unwrap_err();
    assert!(matches!(error, Error::Ambiguous { count: 2, .. }), "{error}");
}

#[tokio::test]
async fn no_events_is_told_apart_from_a_lost_connection() {
    let (_place, _serving, client) = connected(&Cri::new(false)).await;
    let (stopped, _stops) = mpsc::channel(1);
    let error = client.follow(&stopped).await;
    assert!(matches!(error, Error::Unimplemented { .. }), "{error}");
    let (_place, serving, client) = connected(&Cri::new(true)).await;
    let followed = tokio::spawn(async move { client.follow(&stopped).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(serving);
    let error = followed.await.unwrap();
    assert!(matches!(error, Error::Lost { .. }), "{error}");
}

#[tokio::test]
async fn a_container_is_known_without_its_image_and_pod() {
    let cri = Cri::new(false);
    cri.add_container(&id("a1"), &id("5a"));
    cri.knows().broken = vec!["ImageStatus", "PodSandboxStatus"];
    let (_place, _serving, client) = connected(&cri).await;
    let found = client.describe(&id("a1")).await.unwrap().unwrap().identity;
    let image = found.image.unwrap();
    assert_eq!((image.id, image.name.as_str()), (Some(config_digest()), "r.local:5000/web"));
    assert_eq!(found.name.as_deref(), Some("web"));
}

#[tokio::test]
async fn answers_without_end_are_not_read() {
    let cri = Cri::new(false);
    cri.add_container(&id("a1"), &id("5a"));
    cri.knows().containers[0].0.image_ref = "x".repeat(17 << 20);
    let (_place, _serving, client) = connected(&cri).await;
    let error = client.describe(&id("a1")).await.unwrap_err();
    assert!(matches!(error, Error::Refused { call: "ListContainers", .. }), "{error}");
}

/// Whoever takes together what is left of a container takes what there is.
#[tokio::test]
async fn of_a_runtime_that_becomes_slow_the_answers_until_then_are_there() {
    let cri = Cri::new(false);
    cri.add_sandbox(&id("5a"));
    cri.add_container(&id("a1"), &id("5a"));
    let (_place, _serving, client) = connected(&cri).await;
    let mut all = Vec::new();
    client.tell(Some(&id("a1")), &mut all).await;
    cri.knows().delay = Duration::from_millis(200);
    let mut some = Vec::new();
    let wanted = id("a1");
    let asked = client.tell(Some(&wanted), &mut some);
    assert!(tokio::time::timeout(Duration::from_millis(700), asked).await.is_err());
    let names = |told: &[(&'static str, _)]| told.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let (all, some) = (names(&all), names(&some));
    assert!(
        !some.is_empty() && some.len() < all.len() && all.starts_with(&some),
        "{some:?} {all:?}"
    );
}
