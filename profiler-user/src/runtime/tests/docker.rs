//! What is made of the answers of Docker's API.

use std::collections::HashMap;

use tokio::sync::broadcast;

use super::{super::Client, fake_docker, *};
use crate::container::Role;

fn pages() -> HashMap<String, String> {
    let config = "d4".repeat(32);
    let ended = r#"{"Status":"exited","Pid":0,"ExitCode":137,"OOMKilled":true,
        "StartedAt":"2026-01-02T03:04:06.5Z","FinishedAt":"2026-01-02T03:04:09Z"}"#;
    let running = r#"{"Status":"running","Pid":4711,"ExitCode":0,"OOMKilled":false,
        "StartedAt":"2026-01-02T03:04:06.5Z","FinishedAt":"0001-01-01T00:00:00Z"}"#;
    let inspect = |id: &ContainerId, name: &str, state: &str, labels: &str| {
        let page = format!(
            r#"{{"Id":"{id}","Created":"2026-01-02T03:04:05Z","Name":"{name}","Image":"sha256:{config}",
            "LogPath":"/l.log","State":{state},"Config":{{"Image":"r.local:5000/web:1","Labels":{labels}}}}}"#
        );
        (format!("/containers/{id}/json"), page)
    };
    let pod = r#"{"io.kubernetes.pod.uid":"uid-1","io.kubernetes.pod.name":"web-1","app":"web",
        "io.kubernetes.pod.namespace":"shop","io.kubernetes.container.name":"web"}"#;
    let image = format!(
        r#"{{"Id":"sha256:{config}","RepoTags":["r.local:5000/web:1"],"RepoDigests":null,"Architecture":"amd64"}}"#
    );
    HashMap::from([
        inspect(&id("a1"), "/web", running, "null"),
        inspect(&id("b2"), "/k8s_web_web-1_shop_uid-1_3", ended, pod),
        (
            "/containers/json?all=1".to_owned(),
            format!(r#"[{{"Id":"{}"}},{{"Id":"{}"}}]"#, id("a1"), id("b2")),
        ),
        (format!("/images/sha256:{config}/json"), image),
        (
            "/version".to_owned(),
            r#"{"Version":"4.3.1","Components":[{"Name":"Podman Engine"}]}"#.to_owned(),
        ),
    ])
}

#[tokio::test]
async fn containers_are_described_as_by_the_cri() {
    let place = Place::new();
    let _serving = fake_docker::serve(&place, pages(), &broadcast::Sender::new(4));
    let (client, runtime) = Client::connect(&place.endpoint(), PLENTY).await.unwrap();
    assert_eq!((runtime.name.as_str(), runtime.api), ("podman", "Docker"));

    let running = client.describe(&id("a1")).await.unwrap().unwrap();
    assert!(!running.ended);
    let found = running.identity;
    assert_eq!((found.name.as_deref(), found.pid, found.pod), (Some("web"), Some(4711), None));
    assert_eq!((found.role, found.finished, found.exit_code), (Role::Container, None, None));
    let image = found.image.unwrap();
    assert_eq!(image.reference.as_deref(), Some("r.local:5000/web:1"));
    assert_eq!(image.name, "r.local:5000/web");
    assert_eq!(image.architecture.as_deref(), Some("x86_64"));
    assert_eq!(image.tags, ["r.local:5000/web:1"]);

    let ended = client.describe(&id("b2")).await.unwrap().unwrap();
    assert!(ended.ended);
    let found = ended.identity;
    assert_eq!((found.name.as_deref(), found.attempt), (Some("web"), 3));
    assert_eq!((found.pod_name(), found.namespace()), (Some("web-1"), Some("shop")));
    assert_eq!((found.exit_code, found.reason.as_deref()), (Some(137), Some("OOMKilled")));
    assert_eq!(found.finished.unwrap().to_string(), "2026-01-02T03:04:09Z");

    assert_eq!(client.describe(&id("c3")).await.unwrap(), None);
}

#[tokio::test]
async fn the_resolver_knows_containers_and_hears_of_ends() {
    let place = Place::new();
    let events = broadcast::Sender::new(4);
    let _serving = fake_docker::serve(&place, pages(), &events);
    let mut asking = Asking::start(place.config());
    assert!(asking.health().await.starts_with("connected to podman 4.3.1 at unix://"));
    assert_eq!(asking.known().await.len(), 2);
    asking.resolver.ask(id("a1"));
    assert_eq!(asking.identified().await.id, id("a1"));
    events
        .send(format!(r#"{{"Type":"container","Action":"die","Actor":{{"ID":"{}"}}}}"#, id("b2")))
        .unwrap();
    let ended = asking.ended().await;
    assert_eq!((ended.id, ended.exit_code), (id("b2"), Some(137)));
}

#[tokio::test]
async fn answers_that_make_no_sense_are_refused() {
    let place = Place::new();
    let mut pages = pages();
    pages.insert(format!("/containers/{}/json", id("a1")), "{\"Id\":7}".to_owned());
    pages.insert(format!("/containers/{}/json", id("b2")), format!("\"{}\"", "x".repeat(17 << 20)));
    let _serving = fake_docker::serve(&place, pages, &broadcast::Sender::new(4));
    let (client, _) = Client::connect(&place.endpoint(), PLENTY).await.unwrap();
    let error = client.describe(&id("a1")).await.unwrap_err().to_string();
    assert!(error.contains("the answer cannot be read"), "{error}");
    let error = client.describe(&id("b2")).await.unwrap_err().to_string();
    assert!(error.contains("more than 16 MiB"), "{error}");
}
