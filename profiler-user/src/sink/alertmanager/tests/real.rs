//! Debian's Alertmanager, where it is installed.

use std::process::{Child, Command, Stdio};

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::*;
use crate::sink::Spool;

pub(super) struct Server {
    child: Child,
    pub(super) url: String,
    _dir: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _is_gone = self.child.kill();
        let _is_gone = self.child.wait();
    }
}

impl Server {
    /// None, said loudly, where there is none.
    async fn start() -> Option<Self> {
        Self::start_with("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n").await
    }

    /// With this for its configuration.
    pub(super) async fn start_with(text: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("alertmanager.yaml");
        std::fs::write(&config, text).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", dir.path().display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .stderr(Stdio::null())
            .spawn();
        let child = match child {
            Ok(child) => child,
            Err(error) => {
                eprintln!("SKIPPED: prometheus-alertmanager cannot be run: {error}");
                return None;
            }
        };
        let server = Self { child, url: format!("http://127.0.0.1:{port}"), _dir: dir };
        timeout(Duration::from_secs(30), async {
            while reqwest::get(format!("{}/-/ready", server.url)).await.is_err() {
                sleep(Duration::from_millis(50)).await;
            }
        })
        .await
        .unwrap();
        Some(server)
    }

    pub(super) async fn alerts(&self) -> Vec<Value> {
        let answer = reqwest::get(format!("{}/api/v2/alerts", self.url)).await.unwrap();
        answer.json().await.unwrap()
    }
}

#[tokio::test]
async fn the_real_one_takes_an_alert_and_its_resending_changes_nothing() {
    let _is_there = rustls::crypto::ring::default_provider().install_default();
    let Some(server) = Server::start().await else { return };
    let mut sink = Alertmanager::new(&server.url, None).unwrap();
    let event = event(1, json!({}));
    sink.deliver(std::slice::from_ref(&event)).await.unwrap();
    let alerts = server.alerts().await;
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0]["labels"]["drift_kind"], "exec");
    assert_eq!(alerts[0]["status"]["state"], "active");
    let millis = |time: Timestamp| time.as_millisecond();
    assert_eq!(millis(time(&alerts[0]["startsAt"])), millis(event.time));
    assert_eq!(millis(time(&alerts[0]["endsAt"])), millis(event.last + QUIET));

    let mut again = Alertmanager::new(&server.url, None).unwrap();
    again
        .deliver(&[event.clone(), self::event(2, json!({"k8s.pod.name": "web-1"}))])
        .await
        .unwrap();
    let alerts = server.alerts().await;
    assert_eq!(alerts.len(), 1, "another pod of the workload is no other alert");
    assert_eq!(alerts[0]["annotations"]["count"], "2");
    assert_eq!(alerts[0]["annotations"]["pod"], "web-1");
}

#[tokio::test]
async fn drift_reaches_every_peer_from_the_store_though_another_is_down() {
    let _is_there = rustls::crypto::ring::default_provider().install_default();
    let Some(server) = Server::start().await else { return };
    let fake = Fake::default();
    *fake.refuse.lock().unwrap() = Some(StatusCode::NOT_FOUND);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let (mut spool, mut tasks) = (Spool::new(store.clone()), JoinSet::new());
    for url in [fake.start().await, server.url.clone()] {
        spool.add(Alertmanager::new(&url, None).unwrap(), &mut tasks).await.unwrap();
    }
    store.commit(vec![write("/etc/shadow")]).await.unwrap();
    timeout(Duration::from_secs(20), async {
        while server.alerts().await.is_empty() || spool.status()[0].failures == 0 {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap();
    let status = spool.status();
    let error = status[0].last_error.as_deref().unwrap();
    assert!(error.ends_with(" answers 404 Not Found: go\\naway"), "{error}");
    assert_eq!((status[1].queue_length, &status[1].last_error), (0, &None));
    spool.stop();
    while tasks.join_next().await.is_some() {}
}
