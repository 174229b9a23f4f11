//! Sockets behind which there is no runtime, or none that answers.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy, split},
    net::UnixStream,
    time::sleep,
};

use super::{super::Client, *};

/// What connecting to this ends with.
async fn failure<S, F>(limit: Duration, server: S) -> String
where
    S: Fn(UnixStream) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let place = Place::new();
    let _serving = place.serve(server);
    let error = Client::connect(&place.endpoint(), limit).await.unwrap_err().to_string();
    assert!(error.contains(&place.endpoint().to_string()), "{error}");
    error
}

#[tokio::test]
async fn a_socket_that_closes_at_once_is_no_runtime() {
    let error = failure(PLENTY, |stream| async { drop(stream) }).await;
    assert!(error.contains("is no container runtime"), "{error}");
    assert!(error.contains("give --runtime-endpoint the socket of containerd"), "{error}");
}

#[tokio::test]
async fn an_echo_is_no_runtime() {
    let error = failure(PLENTY, |stream| async {
        let (mut reader, mut writer) = split(stream);
        let _closed = copy(&mut reader, &mut writer).await;
    })
    .await;
    assert!(error.contains("is no container runtime"), "{error}");
}

#[tokio::test]
async fn garbage_is_no_runtime() {
    let error = failure(PLENTY, |mut stream| async move {
        let _closed = stream.read(&mut [0; 16]).await;
        let noise: Vec<_> =
            (0..4096_u32).map(|number| (number * 167 % 251).to_le_bytes()[0]).collect();
        let _closed = stream.write_all(&noise).await;
    })
    .await;
    assert!(error.contains("is no container runtime"), "{error}");
}

#[tokio::test]
async fn a_web_server_is_no_runtime() {
    let error = failure(PLENTY, |mut stream| async move {
        let _closed = stream.read(&mut [0; 1024]).await;
        let page =
            "HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\n<html></html>";
        let _closed = stream.write_all(page.as_bytes()).await;
    })
    .await;
    assert!(error.contains("is no container runtime"), "{error}");
}

#[tokio::test]
async fn one_that_never_answers_is_said_to() {
    let error = failure(LIMIT, |stream| async move {
        sleep(Duration::from_mins(1)).await;
        drop(stream);
    })
    .await;
    assert!(error.contains("did not answer Version within 0.4 s"), "{error}");
    assert!(error.contains("see the runtime's own log"), "{error}");
}

#[tokio::test]
async fn missing_and_dead_sockets_are_told_apart() {
    let place = Place::new();
    let error = Client::connect(&place.endpoint(), LIMIT).await.unwrap_err().to_string();
    assert!(
        error.contains("No such file") && error.contains("in a pod it must be mounted"),
        "{error}"
    );
    drop(UnixListener::bind(place.socket()).unwrap());
    let error = Client::connect(&place.endpoint(), LIMIT).await.unwrap_err().to_string();
    assert!(error.contains("refused") && error.contains("start the runtime"), "{error}");
}

#[tokio::test]
async fn the_resolver_says_it_once_and_gives_up_after_its_patience() {
    let place = Place::new();
    let _serving = place.serve(|stream| async { drop(stream) });
    let mut asking =
        Asking::start(Config { patience: Duration::from_millis(700), ..place.config() });
    asking.resolver.ask(id("a1"));
    assert!(asking.health().await.contains("is no container runtime"));
    let (unresolved, why) = asking.unresolved().await;
    assert_eq!(unresolved, id("a1"));
    assert!(why.starts_with("no answer for 0.7 s: what listens on unix://"), "{why}");
    assert_eq!(asking.within(Duration::from_millis(500)).await, []);
    assert!(!asking.resolver.health().is_connected());
}
