//! Against real Unix sockets, with runtimes of the tests' own making behind them.

mod cri;
mod docker;
mod fake_cri;
mod fake_docker;
mod not_runtimes;
mod resolving;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{UnixListener, UnixStream},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};

use super::{Answer, Config, Endpoint, Resolver};
use crate::container::{ContainerId, Identity};

/// For each call, where it is about being late: short enough for a test.
const LIMIT: Duration = Duration::from_millis(400);
/// For each call, where it is not: long enough for any machine.
const PLENTY: Duration = Duration::from_secs(20);

fn id(digits: &str) -> ContainerId {
    ContainerId::parse(&digits.repeat(64 / digits.len())).unwrap()
}

/// A directory for a socket.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn socket(&self) -> PathBuf {
        self.0.path().join("runtime.sock")
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::at(self.socket())
    }

    /// Serves every connection until it is dropped: listener, connections and socket file go away.
    fn serve<S, F>(&self, server: S) -> Serving
    where
        S: Fn(UnixStream) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Serving::at(&self.socket(), server)
    }

    fn config(&self) -> Config {
        Config { endpoints: vec![self.endpoint()], timeout: PLENTY, ..Config::default() }
    }
}

struct Serving {
    task: JoinHandle<()>,
    socket: PathBuf,
}

impl Serving {
    fn at<S, F>(socket: &Path, server: S) -> Self
    where
        S: Fn(UnixStream) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = UnixListener::bind(socket).unwrap();
        let server = Arc::new(server);
        let task = tokio::spawn(async move {
            // Dropped with the task, and with it every connection.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let server = Arc::clone(&server);
                connections.spawn(async move { server(stream).await });
            }
        });
        Self { task, socket: socket.to_owned() }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
        let _gone = std::fs::remove_file(&self.socket);
    }
}

/// A resolver and what it answers.
struct Asking {
    resolver: Resolver,
    answers: mpsc::Receiver<Answer>,
}

impl Asking {
    fn start(config: Config) -> Self {
        let (sender, answers) = mpsc::channel(16);
        Self { resolver: Resolver::start(config, sender), answers }
    }

    async fn next(&mut self) -> Answer {
        timeout(2 * PLENTY, self.answers.recv()).await.expect("an answer").expect("a resolver")
    }

    /// The next answer of a kind; others are passed over.
    async fn find<T>(&mut self, pick: impl Fn(Answer) -> Option<T>) -> T {
        loop {
            if let Some(found) = pick(self.next().await) {
                return found;
            }
        }
    }

    async fn health(&mut self) -> String {
        self.find(|answer| if let Answer::Health(text) = answer { Some(text) } else { None }).await
    }

    async fn known(&mut self) -> Vec<Identity> {
        self.find(|answer| if let Answer::Known(list) = answer { Some(list) } else { None }).await
    }

    async fn identified(&mut self) -> Identity {
        self.find(|answer| match answer {
            Answer::Identified(identity) => Some(*identity),
            Answer::Unresolved { id, why } => panic!("{id}: {why}"),
            _ => None,
        })
        .await
    }

    async fn unresolved(&mut self) -> (ContainerId, String) {
        self.find(|answer| match answer {
            Answer::Unresolved { id, why } => Some((id, why)),
            Answer::Identified(identity) => panic!("{identity:?}"),
            _ => None,
        })
        .await
    }

    async fn ended(&mut self) -> Identity {
        self.find(
            |answer| if let Answer::Ended(identity) = answer { Some(*identity) } else { None },
        )
        .await
    }

    /// What else is answered within a while.
    async fn within(&mut self, wait: Duration) -> Vec<Answer> {
        let mut answers = Vec::new();
        let _over = timeout(wait, async {
            while let Some(answer) = self.answers.recv().await {
                answers.push(answer);
            }
        })
        .await;
        answers
    }
}
